import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.clean import clean
from prefkit.cleaning.rules import RULES
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Chunk, Example, Quote


def chunk(document, number, text=""):
    text = text or f"{document} {number} " + " ".join(f"{document}{number}{n}" for n in range(12))
    return Chunk(document_id=document, text=text, start=number, end=number + len(text))


def asks(number, *chunks, **fields):
    return Example(
        prompt=f"unlike{number} any{number} other{number} question{number}",
        reference=f"answer{number}",
        quotes=tuple(Quote(chunk_id=c.id, start=0, end=1) for c in chunks),
        **fields,
    )


def library(sizes):
    """Documents with that many examples each, two examples a chunk."""
    chunks, examples = [], []
    for document, size in enumerate(sizes):
        for number in range(size):
            if number % 2 == 0:
                chunks.append(chunk(f"d{document}", number))
            examples.append(asks(len(examples), chunks[-1]))
    return chunks, examples


def split_of(examples, chunks, **config):
    cleaned = clean(examples, CleanConfig(skip_rules=tuple(RULES), **config), chunks)
    assert len(cleaned.kept) == len(examples)
    by_id = {example.id: example.split for example in cleaned.kept}
    return {example.id: by_id[example.id] for example in examples}, cleaned.figures


@settings(max_examples=12)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=12),
    st.sampled_from([0.1, 0.25, 0.5, 0.9]),
    st.integers(0, 3),
    st.randoms(),
)
def test_a_document_lies_in_one_split_and_both_splits_have_some(sizes, share, seed, rng):
    chunks, examples = library(sizes)
    splits, assigned = split_of(examples, chunks, test_share=share, seed=seed)
    document = {c.id: c.document_id for c in chunks}
    by_document = {}
    for example in examples:
        by_document.setdefault(document[example.quotes[0].chunk_id], set()).add(splits[example.id])
    assert all(len(found) == 1 for found in by_document.values())
    assert set(splits.values()) == {"train", "test"}
    assert (assigned.groups, assigned.largest) == (len(sizes), max(sizes))
    held = sum(split == "test" for split in splits.values())
    assert abs(held - share * len(examples)) <= max(sizes)
    rng.shuffle(examples)
    rng.shuffle(chunks)
    assert split_of(examples, chunks, test_share=share, seed=seed)[0] == splits


def test_the_seed_decides_which_documents_are_held_out():
    chunks, examples = library([2] * 12)
    drawn = [tuple(split_of(examples, chunks, seed=seed)[0].values()) for seed in range(6)]
    assert len(set(drawn)) > 1
    assert all(splits.count("test") == 6 for splits in drawn)


def test_one_document_cannot_be_split_until_the_user_asks_for_less():
    chunks, examples = library([8])
    with pytest.raises(PrefkitError, match="all 8 examples belong together") as error:
        split_of(examples, chunks)
    assert "--split-by chunk" in error.value.hint
    by_chunk, assigned = split_of(examples, chunks, split_by="chunk")
    assert assigned.groups == 4
    assert set(by_chunk.values()) == {"train", "test"}
    assert set(split_of(examples, chunks, test_share=0)[0].values()) == {"train"}


def test_one_example_cannot_be_split_at_all():
    with pytest.raises(PrefkitError, match="all 1 examples") as error:
        split_of([asks(0)], [], split_by="example")
    assert "--split-by" not in error.value.hint
    assert "--test-share 0" in error.value.hint


def test_documents_that_say_the_same_are_one():
    shared = "the warden keeps the only key in the safe by the door and writes it in the book"
    chunks = [chunk("a", 0, shared), chunk("b", 0, f"{shared} too"), chunk("c", 0), chunk("d", 0)]
    examples = [asks(n, c) for n, c in enumerate(chunks)]
    splits, assigned = split_of(examples, chunks)
    assert assigned.groups == 3
    assert splits[examples[0].id] == splits[examples[1].id]


def test_near_duplicate_prompts_tie_documents_together():
    chunks, examples = library([1, 1, 1])
    prompt = "which form does a member fill in for a guest at the hut"
    twins = [
        Example(prompt=prompt + end, reference=f"form {n}", quotes=examples[n].quotes)
        for n, end in enumerate(("", " then"))
    ]
    splits, assigned = split_of([*twins, examples[2]], chunks)
    assert assigned.groups == 2
    assert splits[twins[0].id] == splits[twins[1].id]


def test_an_example_that_quotes_two_documents_ties_them():
    chunks, examples = library([2, 2, 2])
    both = asks(99, chunks[0], chunks[1])
    assert split_of([*examples, both], chunks)[1].groups == 2


def test_without_chunks_the_quoted_chunk_stands_for_its_document_and_is_counted():
    _, examples = library([4, 4])
    assigned = split_of(examples, [])[1]
    assert (assigned.groups, assigned.unplaced) == (4, 8)


def test_examples_without_quotes_are_groups_of_their_own_or_of_their_noted_document():
    loose = [asks(n) for n in range(4)]
    assert split_of(loose, [])[1].groups == 4
    noted = [asks(n, metadata={"document_id": f"d{n % 2}"}) for n in range(4)]
    assert split_of(noted, [])[1].groups == 2


def test_a_split_that_came_with_the_input_is_kept_and_its_leaks_are_counted():
    chunks, examples = library([4, 2])
    examples[0] = examples[0].model_copy(update={"split": "test"})
    examples[1] = examples[1].model_copy(update={"split": "train"})
    splits, assigned = split_of(examples, chunks)
    assert list(splits.values())[:4] == ["test", "train", "test", "test"]
    assert assigned.leaks == 1
    assert assigned.drawn == 2
