import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prefkit.pairs.rounds import rounds, shortest
from prefkit.pairs.strengths import PRIOR, bradley_terry, combined

votes = arrays(
    np.float64, (3, 4, 4), elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 1 / 3, 2.0])
).map(lambda wins: wins * (1 - np.eye(4)))


def wins(*results, items=3):
    table = np.zeros((1, items, items))
    for better, worse in results:
        table[0, better, worse] += 1
    return table


@given(votes)
def test_the_chances_solve_the_likelihood_equations(table):
    chance = bradley_terry(table)
    strength = chance / (1 - chance)
    met = table + table.transpose(0, 2, 1)
    for prompt in range(len(table)):
        for i in range(4):
            s = strength[prompt]
            expected = sum(met[prompt, i, j] * s[i] / (s[i] + s[j]) for j in range(4) if j != i)
            expected += 2 * PRIOR * s[i] / (s[i] + 1)
            assert table[prompt, i].sum() + PRIOR == pytest.approx(expected, abs=1e-6)


def test_one_vote_by_hand():
    # Symmetry: strengths s and 1/s. Setting the derivative to zero:
    # 1 + 1/2 = s^2 / (s^2 + 1) + s / (s + 1).
    low, high = 1.0, 10.0
    for _ in range(80):
        s = (low + high) / 2
        low, high = (s, high) if s * s / (s * s + 1) + s / (s + 1) < 1.5 else (low, s)
    first, second = bradley_terry(wins((0, 1), items=2))[0]
    assert first == pytest.approx(s / (1 + s), abs=1e-8)
    assert first + second == pytest.approx(1)


def test_no_evidence_is_a_half_and_more_votes_move_further():
    assert bradley_terry(np.zeros((2, 3, 3))).tolist() == [[0.5] * 3] * 2
    once = bradley_terry(wins((0, 1)))[0]
    thrice = bradley_terry(wins((0, 1), (0, 1), (0, 1)))[0]
    assert 0.5 < once[0] < thrice[0] < 1
    assert once[2] == 0.5


@pytest.mark.parametrize(
    "results",
    [
        [(0, 1), (1, 2), (0, 2)],  # a total order
        [(0, 1), (1, 2), (2, 0)],  # a circle
        [(0, 1), (0, 2)],  # one that lost to nobody
        [(0, 1)] * 10_000,
    ],
)
def test_graphs_without_a_plain_maximum_stay_finite(results):
    chance = bradley_terry(wins(*results))
    assert np.isfinite(chance).all()
    assert ((chance > 0) & (chance < 1)).all()


@given(votes, st.permutations(range(4)))
@settings(max_examples=30)
def test_reversing_all_votes_mirrors_the_chances_and_renaming_moves_them(table, names):
    chance = bradley_terry(table)
    assert bradley_terry(table.transpose(0, 2, 1)) == pytest.approx(1 - chance, abs=1e-6)
    renamed = table[:, names][:, :, names]
    assert bradley_terry(renamed) == pytest.approx(chance[:, names], abs=1e-6)


@given(st.permutations(range(4)))
def test_a_ranking_gives_strengths_in_its_order(order):
    results = [(order[i], order[j]) for i in range(4) for j in range(i + 1, 4)]
    chance = bradley_terry(wins(*results, items=4))[0]
    assert sorted(range(4), key=lambda item: -chance[item]) == list(order)


def test_ratings_and_comparisons_count_alike_and_no_rating_moves_nothing():
    nan = math.nan
    rated = np.array([[0.9, 0.5, nan], [nan] * 3, [1.0, 0.0, nan]])
    table = np.concatenate([np.zeros((1, 3, 3)), wins((0, 1)), wins((1, 0))])
    both = combined(table, rated)
    chance = bradley_terry(wins((1, 0)))[0]
    assert both[0].tolist() == [0.9, 0.5, 0.7]
    assert both[1] == pytest.approx(bradley_terry(wins((0, 1)))[0], abs=1e-6)
    assert both[2] == pytest.approx((chance + np.array([1.0, 0.0, 0.5])) / 2, abs=1e-6)


def test_no_prompts_are_no_strengths():
    assert combined(np.zeros((0, 0, 0)), np.zeros((0, 0))).shape == (0, 0)


@pytest.mark.parametrize(
    ("results", "sets"),
    [
        ([(0, 1), (1, 2), (2, 0)], [[0, 1, 2]]),
        ([(0, 1), (1, 2), (2, 3), (3, 0)], [[0, 1, 2, 3]]),
        ([(0, 1), (1, 2), (0, 2)], []),
        ([(0, 1), (1, 2), (2, 0), (3, 0), (4, 5), (5, 6), (6, 4)], [[0, 1, 2], [4, 5, 6]]),
        ([], []),
    ],
)
def test_a_circle_is_seen_whatever_its_length(results, sets):
    won, lost = (np.array([result[side] for result in results], np.int64) for side in (0, 1))
    around = rounds(won, lost, 7)
    assert list(around.members.values()) == sets
    for group in sets:
        path = shortest(group, around.beats)
        assert all(b in around.beats[a] for a, b in zip(path, [*path[1:], path[0]], strict=True))
