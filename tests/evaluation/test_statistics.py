"""Numbers worked out by hand, published tables, and scipy or scikit-learn as oracles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.evaluation.statistics import (
    Estimate,
    bootstrap,
    cohen_kappa,
    discordant,
    holm,
    items_for_change,
    mcnemar_exact,
    paired_shares,
    perplexity_change,
    prompts_for_win_rate,
    wilson,
)


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for successes, n in ((0, 10), (7, 12), (12, 12), (299, 1000)):
        expected = binomtest(successes, n).proportion_ci(method="wilson")
        found = wilson(successes, n)
        assert found.low == pytest.approx(expected.low, abs=1e-12)
        assert found.high == pytest.approx(expected.high, abs=1e-12)


def test_wilson_counts_ties_as_halves_and_knows_no_share_of_nothing():
    assert wilson(6.5, 10).value == 0.65
    assert math.isnan(wilson(0, 0).value)
    assert wilson(0, 0).low is None


@given(st.integers(1, 200), st.data())
def test_wilson_holds_its_own_share(n, data):
    found = wilson(data.draw(st.integers(0, n)), n)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_bootstrap_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(1).normal(0.3, 1.0, 400)
    found = bootstrap(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)
    assert found.method.startswith("BCa")


def test_a_bootstrap_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(80):
        values = rng.exponential(1.0, 30)
        found = bootstrap(values, seed=trial, draws=999)
        hits += found.low <= 1.0 <= found.high
    assert 0.86 <= hits / 80 <= 0.99


def test_the_same_seed_gives_the_same_interval():
    values = [0.1, 0.4, -0.2, 0.9, 0.3]
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_weights_make_a_ratio_of_sums():
    found = bootstrap([10.0, 2.0, 9.0], [5, 4, 6])
    assert found.value == pytest.approx(21 / 15)
    assert found.n == 3


def test_items_that_agree_give_no_interval_instead_of_a_point():
    for values in ([0.5] * 40, [1.0], [0.0, 0.0]):
        found = bootstrap(values)
        assert (found.low, found.high) == (None, None)
        assert not found.above(0.0)
        assert not found.below(1.0)
    per_token = bootstrap([2.0, 4.0, 6.0], [1, 2, 3])
    assert per_token.value == 2.0
    assert per_token.low is None


def test_nothing_has_no_mean():
    assert math.isnan(bootstrap([]).value)


def test_perplexity_change_is_the_difference_of_exponentials():
    found = perplexity_change([20.0, 33.0, 41.0], [18.0, 30.0, 35.0], [10, 15, 20])
    assert found.value == pytest.approx(math.exp(83 / 45) - math.exp(94 / 45))
    assert found.low < found.value < found.high


def test_paired_shares_by_hand():
    # 2 lost, 6 gained of 20; Bonett and Price (2012): (7/22, 3/22), z = 1.959964
    before = [True] * 2 + [False] * 6 + [True] * 12
    after = [False] * 2 + [True] * 6 + [True] * 12
    found = paired_shares(before, after)
    assert discordant(before, after) == (2, 6)
    assert found.value == pytest.approx(0.2)
    half = 1.959964 * math.sqrt((10 / 22 - (4 / 22) ** 2) / 22)
    assert found.low == pytest.approx(4 / 22 - half, abs=1e-6)
    assert found.high == pytest.approx(4 / 22 + half, abs=1e-6)


def test_no_change_at_all_is_not_proof_of_no_change():
    found = paired_shares([True] * 60, [True] * 60)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high)
    assert found.low < -0.03


def test_mcnemar_is_a_binomial_test_on_what_changed():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(2, 10) == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert mcnemar_exact(3, 3) == pytest.approx(1.0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    ranked = sorted(zip(p_values, adjusted, strict=True))
    assert [a for _, a in ranked] == sorted(a for _, a in ranked)


@pytest.mark.parametrize(
    ("rate", "ties", "prompts"),
    [(0.52, 0, 4898), (0.55, 0, 778), (0.55, 0.4, 464), (0.6, 0, 189), (0.6, 0.4, 110),
     (0.65, 0, 80), (0.7, 0, 42), (0.7, 0.4, 22)],
)  # fmt: skip
def test_prompts_needed_for_a_win_rate(rate, ties, prompts):
    assert prompts_for_win_rate(rate, ties) == prompts
    assert prompts_for_win_rate(1 - rate, ties) == prompts


def test_a_win_rate_of_one_half_cannot_be_found():
    with pytest.raises(ValueError, match="one half"):
        prompts_for_win_rate(0.5)


@pytest.mark.parametrize(
    ("change", "discordance", "items"),
    [(0.01, 0.05, 3923), (0.02, 0.05, 979), (0.05, 0.05, 155), (0.02, 0.1, 1960), (0.05, 0.2, 626)],
)
def test_items_needed_for_mcnemar(change, discordance, items):
    assert items_for_change(change, discordance) == items


def test_kappa_agrees_with_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    first = ["tuned", "tie", "base", "tuned", "tuned", "base"]
    second = ["tuned", "base", "base", "tuned", "tie", "base"]
    assert cohen_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
    assert math.isnan(cohen_kappa([], []))
    assert math.isnan(cohen_kappa(["a", "a"], ["a", "a"]))


def test_an_estimate_without_interval_proves_nothing():
    assert not Estimate(3.0, 5).above(0.0)
    assert Estimate(3.0, 5, 1.0, 4.0).above(0.0)
    assert Estimate(-3.0, 5, -4.0, -1.0).below(0.0)
