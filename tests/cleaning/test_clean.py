import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.clean import clean
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Chunk, Example, Message, Quote

CHUNKS = [
    Chunk(document_id=f"d{n}", text=f"passage number {n} of hut {n}{n}", start=0, end=20)
    for n in range(5)
]
WORDS = (
    "the a hut book warden opens Alder 6 not rope when full ( , i'm sorry \u200b \ufffd café".split(
        " "
    )
)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
examples_of_any_kind = st.lists(
    st.builds(
        lambda prompt, reference, number: Example(
            prompt=prompt,
            reference=reference,
            quotes=(Quote(chunk_id=CHUNKS[number].id, start=0, end=4),),
        ),
        texts,
        texts,
        st.integers(0, 4),
    ),
    max_size=12,
)
HUTS = [
    Example(prompt=f"Who keeps the key of {name}?", reference=f"The warden {name} keeps it.")
    for name in ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel")
]


@settings(max_examples=20)
@given(examples_of_any_kind, st.randoms())
def test_cleaning_is_final_complete_and_blind_to_order(examples, rng):
    config = CleanConfig(split_by="example", test_share=0)
    once = clean(examples, config, CHUNKS)
    assert len(once.kept) + len(once.dropped) == len(examples)
    twice = clean(once.kept, config, CHUNKS)
    assert twice.kept == once.kept
    assert not twice.dropped
    shuffled = list(examples)
    rng.shuffle(shuffled)
    again = clean(shuffled, config, CHUNKS)
    assert {e.id: e for e in again.kept} == {e.id: e for e in once.kept}


@settings(max_examples=20)
@given(st.randoms(), st.integers(0, 3))
def test_the_split_does_not_depend_on_order_and_is_never_redrawn(rng, seed):
    config = CleanConfig(seed=seed)
    once = clean(HUTS, config)
    shuffled = list(HUTS)
    rng.shuffle(shuffled)
    assert {e.id: e.split for e in clean(shuffled, config).kept} == {
        e.id: e.split for e in once.kept
    }
    again = clean(once.kept, CleanConfig(seed=seed + 1))
    assert (again.train, again.test) == (once.train, once.test)


def test_the_split_is_no_part_of_the_id():
    cleaned = clean(HUTS, CleanConfig())
    assert {e.id for e in cleaned.kept} == {e.id for e in HUTS}
    assert [e.id for e in HUTS if e.id in {t.id for t in cleaned.train}] == [
        e.id for e in cleaned.train
    ]
    assert len(cleaned.train) + len(cleaned.test) == len(HUTS)
    assert len(cleaned.test) == 2


def first_of(records, config=None):
    """What became of the first record."""
    config = config or CleanConfig()
    others = {e.id for e in clean(records[1:], config).kept}
    (kept,) = [e for e in clean(records, config).kept if e.id not in others]
    return kept


def test_normalising_is_noted_and_the_old_id_kept():
    came = Example(prompt="Who\u200b is it?", reference="The  warde\u0301n.")
    kept = first_of([came, *HUTS])
    assert (kept.prompt[0].content, kept.reference) == ("Who is it?", "The wardén.")
    assert kept.id != came.id
    assert kept.metadata == {"normalised": "invisible,unicode,spaces", "id_before": came.id}


def test_an_id_that_the_user_gave_stays():
    came = Example(id="q-17", prompt="Who\u200b is it?", reference="The warden.")
    cleaned = clean([came, *HUTS], CleanConfig())
    assert first_of([came, *HUTS]).id == "q-17"
    assert cleaned.figures.changed == {"invisible": 1}


def test_two_spellings_of_one_text_are_one_example_and_the_better_quoted_stays():
    quote = Quote(chunk_id="c", start=0, end=1)
    plain = Example(prompt="Who is it?", reference="The warden.", quotes=(quote,))
    dressed = Example(prompt="Who is it?\u200b", reference="The  warden.", quotes=(quote, quote))
    for order in ([plain, dressed], [dressed, plain]):
        cleaned = clean([*order, *HUTS], CleanConfig())
        (first, *_) = [e for e in cleaned.kept if e.id == plain.id]
        assert len(first.quotes) == 2
        assert cleaned.figures.dropped == {"exact-duplicate": 1}


def test_a_drop_names_the_id_that_came_in():
    came = Example(prompt="who\u200b keeps the key of Alder", reference="The warden Alder keeps it")
    quoted = HUTS[0].model_copy(update={"quotes": (Quote(chunk_id="c", start=0, end=1),)})
    cleaned = clean([quoted, *HUTS[1:], came], CleanConfig())
    assert [entry.record_id for entry in cleaned.dropped] == [came.id]


def test_a_reference_of_invisible_characters_is_empty():
    hidden = Example(prompt="Who?", reference="\u200b\u2060")
    assert clean([hidden, *HUTS], CleanConfig()).figures.dropped == {"empty": 1}
    silent = Example(prompt=(Message(role="user", content="\u200b"),), reference="The warden.")
    assert clean([silent, *HUTS], CleanConfig()).figures.dropped == {"empty": 1}


def test_a_rule_can_be_left_out():
    short = Example(prompt="Who?", reference="Me")
    config = CleanConfig(skip_rules=("too-short",))
    assert first_of([short, *HUTS], config).reference == "Me"


def test_two_examples_with_one_id_are_refused_by_name():
    twins = [HUTS[0], HUTS[1].model_copy(update={"id": HUTS[0].id})]
    with pytest.raises(PrefkitError, match=HUTS[0].id):
        clean(twins, CleanConfig())


def test_no_examples_are_nothing():
    assert clean([], CleanConfig()).kept == ()
