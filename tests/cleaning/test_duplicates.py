import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.clean import clean
from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.near_duplicates import RUN, similarities
from prefkit.cleaning.rules import RULES
from prefkit.config import CleanConfig
from prefkit.records import Example, Quote, text_of

WORDS = "the a hut book warden opens closes Alder Birch 6 7 not first rope when is full".split()
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
sets_of_examples = st.lists(
    st.builds(lambda p, r: Example(prompt=p, reference=r), texts, texts), max_size=14
).map(lambda examples: list({example.id: example for example in examples}.values()))


def without_duplicates(examples, threshold, **config):
    config = CleanConfig(skip_rules=tuple(RULES), near_duplicates=threshold, test_share=0, **config)
    return clean(examples, config)


def rules(deduplicated):
    return [entry.rule for entry in deduplicated.dropped]


def ids(examples):
    return [example.id for example in examples]


def example(prompt, reference, quotes=0, **fields):
    spans = tuple(Quote(chunk_id=f"c{n}", start=0, end=1) for n in range(quotes))
    return Example(prompt=prompt, reference=reference, quotes=spans, **fields)


@settings(max_examples=15)
@given(sets_of_examples, st.randoms())
def test_what_is_kept_does_not_depend_on_order_and_is_final(examples, rng):
    once = without_duplicates(examples, 0.6)
    assert len(once.kept) + len(once.dropped) == len(examples)
    shuffled = list(examples)
    rng.shuffle(shuffled)
    again = without_duplicates(shuffled, 0.6)
    assert {e.id for e in again.kept} == {e.id for e in once.kept}
    assert without_duplicates(once.kept, 0.6).dropped == ()


@settings(max_examples=15)
@given(sets_of_examples)
def test_no_near_duplicate_goes_without_a_kept_neighbour(examples):
    result = without_duplicates(examples, 0.6)
    by_id = {example.id: example for example in examples}
    kept = {example.id for example in result.kept}
    for entry in result.dropped:
        keeper = next(name for name in by_id if name != entry.record_id and name in entry.detail)
        if entry.rule == "near-duplicate":
            assert keeper in kept
            for text in (lambda e: text_of(e.prompt), lambda e: e.reference):
                pair = [text(by_id[entry.record_id]), text(by_id[keeper])]
                assert similarities(pair, np.array([0]), np.array([1]))[0] >= 0.6


def test_the_same_text_stays_once_whatever_its_dress():
    result = without_duplicates(
        [
            example("When does it open?", "At six in the morning."),
            example("when does it open", "at six in the morning", quotes=2),
        ],
        0.7,
    )
    assert rules(result) == ["exact-duplicate"]
    assert result.kept[0].quotes


def test_one_reference_a_prompt_stays_and_a_conflict_is_named():
    first = example("When does the hut open?", "It opens at 6 in summer.", quotes=1)
    said_again = example("When does the hut open?", "In summer it opens at 6.")
    other = example("When does the hut open?", "It opens at 7 in summer.")
    result = without_duplicates([first, said_again, other], 0.7)
    assert ids(result.kept) == [first.id]
    assert rules(result) == ["repeated-prompt", "conflicting-reference"]
    assert all(first.id in entry.detail for entry in result.dropped)
    both = without_duplicates([first, said_again, other], 0.7, keep_repeated_prompts=True)
    assert other.id in ids(both.kept)


def test_near_duplicates_must_agree_in_prompt_reference_and_facts():
    asked = "Which form must a member fill in before a guest may stay at the hut overnight?"
    again = "Which form must a member fill in before a guest can stay at the hut overnight?"
    said = "The member fills in the guest form and hands it to the warden of the hut."
    said_again = "The member fills in the guest form and gives it to the warden of the hut."
    said_more = "A blue form."
    first = example(asked, said, quotes=1)
    assert rules(without_duplicates([first, example(again, said_again)], 0.6)) == ["near-duplicate"]
    assert rules(without_duplicates([first, example(again, said_more)], 0.6)) == []
    elsewhere = again.replace("the hut", "the Birch hut")
    assert rules(without_duplicates([first, example(elsewhere, said_again)], 0.6)) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The hut opens at 6.", "At 6 the hut opens.", True),
        ("The hut opens at 6.", "The hut opens at 7.", False),
        ("Ask the warden of Alder hut.", "Ask the warden of Birch hut.", False),
        ("Ask the Warden first.", "Ask the warden first.", True),
        ("The hut opens.", "Hut doors open.", True),  # a capital that only opens a sentence
        ("Dogs are allowed.", "Dogs are not allowed.", False),
        ("Book two days before.", "Book three days before.", False),
        ("What is C++?", "What is C#?", False),
        ("Stay below -5 °C.", "Stay below 5 °C.", False),
        ("The **rope** – dry – goes up.", "The rope, dry, goes up.", True),
    ],
)
def test_facts(one, other, same):
    assert same_facts(one, other) is same
    assert same_facts(other, one) is same


def test_a_test_example_stays_rather_than_its_copy_in_train():
    held = example("When does it open?", "At six in the morning.", split="test")
    copy = example("when does it open", "At six in the morning!", quotes=3, split="train")
    assert ids(without_duplicates([copy, held], 0.7).kept) == [held.id]


def test_a_crowd_too_large_to_compare_in_full_still_ends_with_one():
    crowd = [
        example(f"when does the hut{n * ' '} book close-{n * '-'} for winter", "when snow comes")
        for n in range(RUN + 60)
    ]
    result = without_duplicates(crowd, 0.7)
    assert len(result.kept) == 1
    assert set(rules(result)) == {"near-duplicate"}


def test_near_duplicate_prompts_and_long_references_belong_together():
    examples = [
        example("Which form does a member fill in for a guest at the hut?", "The blue form."),
        example("Which form does a member fill in for the guest at the hut?", "The red form."),
        example("Which form does a member fill in for a guest at the Birch hut?", "None."),
        example("Who has the key?", "The warden keeps the only key in the safe by the door."),
        example("Where is it?", "The warden keeps the only key in a safe by the door."),
        example("Is it open?", "Yes, it is."),
        example("May I smoke?", "Yes, it is."),
    ]
    config = CleanConfig(skip_rules=tuple(RULES), near_duplicates=0.6, split_by="example")
    figures = clean(examples, config).figures
    assert (figures.groups, figures.largest) == (5, 2)
