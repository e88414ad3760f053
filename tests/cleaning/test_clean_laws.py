"""What holds of every cleaning, whatever came in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.clean import clean
from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.near_duplicates import similarities
from prefkit.cleaning.rows import row_of
from prefkit.config import CleanConfig
from prefkit.records import Example, PreferencePair, Quote, UnpairedPreference, text_of

WORDS = "the a hut book Warden opens closes Alder 6 7 not first rope when is full , .".split()
THRESHOLD = 0.5
CONFIG = CleanConfig(near_duplicates=THRESHOLD, test_share=0, skip_rules=("repetition",))
texts = st.lists(st.sampled_from(WORDS), min_size=3, max_size=12).map(" ".join)
# Many of one set start from one of three texts, so that copies and near copies are the rule.
stems = st.sampled_from(
    [
        "the warden opens the hut when the book of the hut is full and",
        "when is the first rope of Alder closed to the warden and",
        "the rope is in the hut",
    ]
)
near_texts = st.one_of(texts, st.builds("{} {}".format, stems, st.sampled_from(WORDS)))
quotes = st.integers(0, 2).map(
    lambda n: tuple(Quote(chunk_id=f"c{k}", start=0, end=1) for k in range(n))
)
examples = st.builds(
    lambda prompt, reference, quotes: Example(prompt=prompt, reference=reference, quotes=quotes),
    near_texts,
    near_texts,
    quotes,
)
pairs = st.builds(
    lambda prompt, chosen, rejected, margin: PreferencePair(
        prompt=prompt, chosen=chosen, rejected=rejected, margin=margin
    ),
    near_texts,
    near_texts,
    near_texts,
    st.sampled_from([None, 0.5, 1.0]),
)
thumbs = st.builds(
    lambda prompt, completion, label: UnpairedPreference(
        prompt=prompt, completion=completion, label=label
    ),
    near_texts,
    near_texts,
    st.booleans(),
)


def distinct(rows):
    return list({row.id: row for row in rows}.values())


some_rows = st.one_of(
    *(st.lists(kind, max_size=14).map(distinct) for kind in (examples, pairs, thumbs))
)


@settings(max_examples=20)
@given(some_rows, st.sampled_from(["prompts", "completions", "both"]), st.randoms())
def test_cleaning_is_total_final_and_blind_to_order(rows, compare, rng):
    config = CONFIG.model_copy(update={"compare": compare})
    once = clean(rows, config)
    came = {row.id for row in rows}
    assert len(once.kept) + len(once.dropped) == len(rows)
    assert {row.id for row in once.kept} | {drop.record_id for drop in once.dropped} == came
    again = clean(once.kept, config)
    assert (again.kept, again.dropped) == (once.kept, ())
    shuffled = list(rows)
    rng.shuffle(shuffled)
    turned = clean(shuffled, config)
    assert {row.id: row for row in turned.kept} == {row.id: row for row in once.kept}
    assert sorted(turned.dropped, key=lambda drop: drop.id) == sorted(
        once.dropped, key=lambda drop: drop.id
    )


@settings(max_examples=20)
@given(some_rows, st.sampled_from(["prompts", "completions", "both"]), st.booleans())
def test_what_goes_names_a_keeper_that_stays_and_what_stays_is_apart(rows, compare, repeated):
    config = CONFIG.model_copy(update={"compare": compare, "keep_repeated_prompts": repeated})
    cleaned = clean(rows, config)
    kept = {row.id for row in cleaned.kept}
    for drop in cleaned.dropped:
        if "duplicate" in drop.rule or drop.rule in ("repeated-prompt", "conflicting-reference"):
            assert drop.keeper in kept
            assert drop.keeper in drop.detail
            assert drop.score is None or 0 <= drop.score <= 1
    for place, one in enumerate(cleaned.kept):
        for other in cleaned.kept[place + 1 :]:
            assert not are_duplicates(one, other, compare)


def are_duplicates(one, other, compare):
    """The definition: all texts compared are alike, and together they state the same facts."""
    texts = []
    for row in (row_of(one), row_of(other)):
        answers = [completion.text for completion in row.completions]
        asked = [] if compare == "completions" else [text_of(row.prompt)]
        texts.append([*asked, *([] if compare == "prompts" else answers)])
    alike = [
        similarities(list(two), np.array([0]), np.array([1]))[0] for two in zip(*texts, strict=True)
    ]
    return min(alike) >= THRESHOLD and same_facts(*("\n".join(side) for side in texts))


@settings(max_examples=8)
@given(some_rows.filter(bool), st.integers(40, 900))
def test_where_slices_are_cut_cannot_be_seen(rows, size):
    whole = clean(rows, CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prefkit.slices.SIZE", size)
        cut = clean(rows, CONFIG)
    assert (cut.train, cut.test, cut.dropped) == (whole.train, whole.test, whole.dropped)
    assert cut.figures == whole.figures


def test_a_copy_of_what_is_near_to_another_yields_to_that_one():
    asked = "Which form must a member fill in before a guest {} stay at the hut overnight?"
    best = Example(
        id="best",
        prompt=asked.format("may"),
        reference="The blue form.",
        quotes=(Quote(chunk_id="c", start=0, end=1),),
    )
    near = Example(id="near", prompt=asked.format("can"), reference="The blue form.")
    copy = Example(id="recopied", prompt=asked.format("can"), reference="the blue form")
    cleaned = clean([best, near, copy], CleanConfig(test_share=0, near_duplicates=0.6))
    found = {drop.record_id: drop for drop in cleaned.dropped}
    assert {drop.keeper for drop in found.values()} == {"best"}
    assert found["recopied"].detail == "same text as near, which yielded to best"
    assert found["recopied"].score == found["near"].score
