import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.pairs import check_pairs
from prefkit.pairs.check import text_key
from prefkit.records import PreferencePair, text_of


def pair(chosen, rejected, prompt="When?"):
    return PreferencePair(prompt=prompt, chosen=chosen, rejected=rejected)


@pytest.mark.parametrize(
    ("chosen", "rejected", "rule"),
    [
        ("At six.", "At six.", "same-text"),
        ("At six.", " at  SIX.\u200b", "same-text"),
        ("", " \n", "same-text"),
        ("", "At six.", "empty-chosen"),
        ("\u200b", "At six.", "empty-chosen"),
        ("At six.", "", None),
        ("At six.", "At six", None),
    ],
)
def test_a_pair_without_a_lesson_is_set_aside(chosen, rejected, rule):
    checked = check_pairs([pair(chosen, rejected)], stage="train-dpo")
    assert [entry.rule for entry in checked.dropped] == ([rule] if rule else [])
    assert all(entry.stage == "train-dpo" for entry in checked.dropped)
    assert len(checked.kept) == (rule is None)


def test_a_repeated_pair_is_kept_once():
    kept, dropped = check_pairs([pair("a", "b"), pair("a", "b"), pair("b", "a")])
    assert len(kept) == 2
    assert [entry.rule for entry in dropped] == ["repeated-pair"]


@given(st.lists(st.tuples(*[st.sampled_from(["", "a", "A ", "b", "b\u200b"])] * 2), max_size=8))
def test_what_is_kept_differs_and_nothing_is_lost(texts):
    pairs = [pair(*sides) for sides in texts]
    kept, dropped = check_pairs(pairs)
    assert len(kept) + len(dropped) == len(pairs)
    assert check_pairs(kept).kept == kept
    for entry in kept:
        assert text_key(text_of(entry.chosen)) != text_key(text_of(entry.rejected))
