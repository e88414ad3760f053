import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.pairs.plackett_luce import Choices, plackett_luce
from prefkit.pairs.strengths import PRIOR, bradley_terry

rankings = st.lists(st.permutations(range(4)), min_size=1, max_size=5)
elections = st.lists(rankings, min_size=1, max_size=4)  # of several prompts


def choices_of(prompts):
    """Rankings of four items a prompt as choices of the best of what was left."""
    winner, choice, member = [], [], []
    for prompt, votes in enumerate(prompts):
        for ranking in votes:
            items = [4 * prompt + item for item in ranking]
            for place in range(3):
                choice += [len(winner)] * (4 - place)
                member += items[place:]
                winner.append(items[place])
    columns = (np.array(column, np.int64) for column in (winner, choice, member))
    chosen, number, members = columns
    return Choices(chosen, np.ones(len(chosen)), number, members)


def fitted(prompts):
    chances = plackett_luce(choices_of(prompts), np.repeat(np.arange(len(prompts)), 4))
    return chances.reshape(-1, 4)


@given(elections)
def test_the_chances_solve_the_likelihood_equations(prompts):
    for votes, chance in zip(prompts, fitted(prompts), strict=True):
        strength = chance / (1 - chance)
        expected = 2 * PRIOR * strength / (strength + 1)
        won = np.full(4, PRIOR)
        for ranking in votes:
            for place in range(3):
                left = list(ranking[place:])
                expected[left] += strength[left] / strength[left].sum()
                won[ranking[place]] += 1
        assert won == pytest.approx(expected, abs=1e-5)


@given(elections)
def test_a_prompt_is_fitted_as_if_it_were_alone(prompts):
    together = fitted(prompts)
    for votes, chance in zip(prompts, together, strict=True):
        assert fitted([votes])[0] == pytest.approx(chance, abs=1e-7)


def test_a_single_ranking_by_hand():
    # Of a, b alone, s and 1/s: 1 + 1/2 = s^2 / (s^2 + 1) + s / (s + 1); so s is about 2.1304
    two = Choices(np.array([0]), np.ones(1), np.array([0, 0]), np.array([0, 1]))
    chance = plackett_luce(two, np.zeros(2, np.int64))
    wins = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    assert chance == pytest.approx(bradley_terry(wins)[0], abs=1e-8)
    strength = chance[0] / (1 - chance[0])
    left = strength**2 / (strength**2 + 1) + strength / (strength + 1)
    assert left == pytest.approx(1.5, abs=1e-8)
    a, b, c, d = fitted([[(0, 1, 2, 3)]])[0]
    assert a > b > c > d
    assert fitted([[(0, 1, 2, 3), (3, 2, 1, 0), (0, 1, 2, 3), (3, 2, 1, 0)]])[0][0] < a


def test_nothing_chosen_is_a_half():
    none = np.empty(0, np.int64)
    empty = Choices(none, np.empty(0), none, none)
    assert plackett_luce(empty, np.array([0, 0, 1])).tolist() == [0.5] * 3
    assert plackett_luce(empty, none).tolist() == []
