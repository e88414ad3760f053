import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.evaluation.statistics import Estimate
from prefkit.semantic.calibrate import bands, calibrate, quantile, suggested
from prefkit.semantic.outliers import by_source, nearness
from prefkit.semantic.search import Near

NONE = Estimate(math.nan, 0)


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def test_a_quantile_worked_out_by_hand():
    values = np.arange(1, 101) / 100
    found = quantile(values, 0.9)
    assert (found.value, found.n) == (0.9, 100)
    # Binomial(100, 0.9): P(X <= 83) = 0.0206 and P(X <= 95) = 0.9763, so 84 and 96 cover 95 %.
    assert (found.low, found.high) == (0.84, 0.96)
    assert quantile(values, 0.9999).high is None
    assert math.isnan(quantile(values[:0], 0.5).value)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_its_interval(values, share):
    found = quantile(np.sort(values), share)
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.high >= found.value


def test_with_enough_pairs_in_nearly_the_same_words_these_decide():
    found = suggested(0.4, 1000, Estimate(0.882, 50))
    assert found.threshold == 0.885
    assert "50 pairs in nearly the same words" in found.reason


def test_without_them_it_lies_two_thirds_of_the_way_to_one():
    assert suggested(0.4, 1000, NONE).threshold == 0.8
    assert suggested(0.85, 1000, NONE).threshold == 0.95
    assert "1,000" in suggested(0.4, 1000, NONE).reason


def test_nearly_equal_words_that_are_no_nearer_than_chance_do_not_decide():
    assert suggested(0.7, 1000, Estimate(0.6, 50)).threshold == 0.9


def test_a_suggestion_is_never_identity():
    assert suggested(1.0, 3, NONE).threshold == 0.99
    assert suggested(math.nan, 0, NONE).threshold == 0.9


def test_duplicates_among_few_texts_do_not_raise_where_random_pairs_end():
    draws = np.random.default_rng(0)
    base = draws.normal(size=(60, 64))
    rows = unit(np.concatenate((base, base + 0.1 * draws.normal(size=base.shape))))
    found = calibrate(rows, [f"text {n}" for n in range(120)])
    assert found.highest.value > 0.98  # 60 of 7,140 random pairs are the duplicates
    assert found.floor < 0.6
    assert found.suggestion.threshold < 0.9


def test_pairs_in_nearly_the_same_words_are_measured():
    # The last word differs, so 15 of 17 two-word shingles are shared.
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi omicron pi"
    stems = [" ".join(f"{word}{letter}" for word in words.split()) for letter in "abcdefgh"]
    texts = [f"{stem} {last}" for stem in stems for last in ("end", "stop", "halt")]
    draws = np.random.default_rng(0)
    rows = unit(
        np.repeat(draws.normal(size=(8, 16)), 3, axis=0) + 0.1 * draws.normal(size=(24, 16))
    )
    found = calibrate(rows, texts)
    assert len(found.lexical) == 24
    assert found.lexical_low.n == 24
    assert found.suggestion.threshold >= found.lexical_low.value > 0.9


def test_bands_hold_what_lies_in_them_and_show_a_share_of_each():
    cosine = np.array([0.71, 0.76, 0.79, 0.8, 0.81, 0.83, 0.9, 0.99, 0.999])
    pairs = Near(np.arange(9), np.arange(9, 18), cosine)
    ids = [f"id{n}" for n in range(18)]
    found = bands(pairs, 0.8, ids, sample=6, seed=0)
    assert [band.count for band in found] == [3, 1, 2, 1, 1, 1]
    assert [len(band.pairs) for band in found] == [1] * 6
    assert all(band.low <= cosine[at] < max(band.high, 1.01) for band in found for at in band.pairs)
    assert bands(pairs, 0.8, ids, 6, 0) == found


def test_the_pairs_shown_depend_on_ids_and_seed_alone():
    cosine = np.full(40, 0.9)
    ids = [f"id{n}" for n in range(80)]
    pairs = Near(np.arange(40), np.arange(40, 80), cosine)
    order = np.random.default_rng(0).permutation(40)
    turned = Near(order + 40, order, cosine)

    def shown(near, seed):
        return {
            frozenset((ids[near.left[at]], ids[near.right[at]]))
            for band in bands(near, 0.8, ids, 20, seed)
            for at in band.pairs
        }

    assert shown(pairs, 0) == shown(turned, 0) != shown(pairs, 1)


def test_a_text_far_from_all_is_an_outlier():
    draws = np.random.default_rng(0)
    rows = unit(np.concatenate((1 + 0.3 * draws.normal(size=(60, 8)), -np.ones((1, 8)))))
    found = nearness(rows)
    assert found.outliers().tolist()[0] == 60
    assert found.z[60] < -3.5
    assert len(nearness(rows[:5]).outliers()) == 0  # too few to say what is far


def test_where_most_are_alike_the_mean_deviation_stands_in():
    rows = unit(np.concatenate((np.ones((60, 2)), [[1, -1]])))
    found = nearness(rows)
    assert found.spread == 0
    assert found.outliers().tolist() == [60]


def test_sources_are_compared_with_all_others():
    rows = unit([[1, 0, 0], [1, 0.1, 0], [1, 0.2, 0], [0, 0, 1]])
    found = by_source(rows, ["a", "b", "a", "c"])
    assert [one.source for one in found] == ["c", "a", "b"]
    assert found[0].nearness.value == 0
    assert by_source(rows, ["a"] * 4) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_texts_can_be_calibrated(count):
    found = calibrate(unit(np.eye(3)[:count]), ["a", "b", "c"][:count])
    assert 0 < found.suggestion.threshold < 1
