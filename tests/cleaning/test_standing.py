import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.clean import clean
from prefkit.cleaning.standing import standing
from prefkit.cleaning.steps.table import PREFERENCE
from prefkit.config import CleanConfig
from prefkit.records import Example, PreferencePair, Quote, UnpairedPreference, Vote

CONFIG = CleanConfig(test_share=0)
QUOTES = tuple(Quote(chunk_id=f"c{n}", start=0, end=1) for n in range(3))


def example(name, **fields):
    return Example(id=name, prompt="Who leads?", reference="The warden leads.", **fields)


def pair(name, **fields):
    chosen, rejected = "The warden leads.", "Nobody does that."
    return PreferencePair(id=name, prompt="Who leads?", chosen=chosen, rejected=rejected, **fields)


def thumb(name, **fields):
    return UnpairedPreference(
        id=name, prompt="Who leads?", completion="The warden leads.", label=True, **fields
    )


def vote(kind="human", outcome="for"):
    return Vote(annotator="a", kind=kind, outcome=outcome, weight=1, judgment_id="j")


@pytest.mark.parametrize(
    ("better", "worse"),
    [  # the better one has the larger id, which comes last
        (example("b", split="test"), example("a", metadata={"edited_from": "x"})),
        (example("b", metadata={"edited_from": "x"}), example("a", quotes=QUOTES)),
        (example("b", generator="m + edit"), example("a", generator="m", quotes=QUOTES)),
        (example("b", quotes=QUOTES), example("a", quotes=QUOTES[:2], generator="m")),
        (example("b", generator="m"), example("a")),
        (example("b", metadata={"page": "3"}), example("a", metadata={"flags": "echo: x"})),
        (pair("b", votes=(vote("edit"),)), pair("a", source="human", margin=9)),
        (pair("b", source="judge+human"), pair("a", source="judge", margin=9)),
        (pair("b", metadata={"adjudicated": "true"}), pair("a", source="judge", margin=9)),
        (pair("b", margin=0.5), pair("a", margin=0.4, votes_for=9)),
        (pair("b", margin=-1), pair("a", votes_for=9)),
        (pair("b", votes_for=3), pair("a", votes_for=9, votes_against=7, prompt_id="p")),
        (pair("b", prompt_id="p", chosen_id="c"), pair("a", prompt_id="p")),
        (thumb("b", source="human"), thumb("a", source="judge", prompt_id="p")),
        (thumb("b", candidate_id="c"), thumb("a")),
    ],
)
def test_the_better_one_stays_in_any_order_and_the_smaller_id_where_both_are_alike(better, worse):
    for order in ([better, worse], [worse, better]):
        (kept,) = clean(order, CONFIG).kept
        assert kept.id == better.id
    alike = worse.model_copy(update={"id": "c"})
    (kept,) = clean([alike, worse], CONFIG).kept
    assert kept.id == worse.id


def test_a_margin_that_is_no_number_counts_as_none():
    assert standing(pair("a", margin=float("nan")))["margin"] is None


def test_the_order_is_that_of_the_standing():
    assert [name for name, _ in PREFERENCE] == [*standing(example("a")), "id", "tie"]


@settings(max_examples=10)
@given(st.permutations(range(6)))
def test_a_near_duplicate_yields_to_the_better_one(order):
    said = "The member fills in the guest form and {} it to the warden of the hut each time"
    rows = [
        Example(
            id=f"e{n}",
            prompt="What does a member do before a guest may stay at the hut overnight?",
            reference=said.format(verb),
            quotes=QUOTES[: n % 3],
            metadata={"edited_from": "x"} if n == 3 else {},
        )
        for n, verb in enumerate(("hands", "gives", "brings", "sends", "shows", "posts"))
    ]
    config = CONFIG.model_copy(update={"near_duplicates": 0.6, "keep_repeated_prompts": True})
    cleaned = clean([rows[n] for n in order], config)
    assert [kept.id for kept in cleaned.kept] == ["e3"]
    assert {drop.keeper for drop in cleaned.dropped} == {"e3"}
