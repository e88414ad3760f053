import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.semantic import search
from prefkit.semantic.search import Blocks, TooManyPairs, cosines, near, nearest


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def planted(count=600, copies=40, dimensions=32, seed=0):
    """Random vectors in some topics, the last of them near to the first."""
    draws = np.random.default_rng(seed)
    topics = draws.normal(size=(12, dimensions))
    rows = topics[draws.integers(12, size=count)] + draws.normal(size=(count, dimensions))
    rows[count - copies :] = rows[:copies] + 0.1 * draws.normal(size=(copies, dimensions))
    return unit(rows)


def found(pairs):
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.cosine.tolist(), strict=True))


def test_cosines_worked_out_by_hand():
    rows = unit([[1, 0], [1, 1], [0, 1], [3, 4]])
    left, right = np.array([0, 0, 0, 1]), np.array([1, 2, 3, 3])
    expected = [1 / math.sqrt(2), 0.0, 0.6, 7 / (5 * math.sqrt(2))]
    assert cosines(rows, left, right).tolist() == pytest.approx(expected, abs=1e-6)


def test_of_several_parts_the_smallest_cosine_counts():
    parts = np.stack([unit([[1, 0], [1, 0]]), unit([[0, 1], [1, 1]])], axis=1)
    rows = parts.reshape(2, 4) / np.sqrt(np.float32(2))
    assert cosines(rows, np.array([0]), np.array([1]), 2).tolist() == [0.707107]
    assert len(near(rows, 0.8, 2)) == 0  # though the mean of 1 and 0.71 is over 0.8
    assert len(near(rows, 0.7, 2)) == 1


def test_a_pair_exactly_at_the_threshold_counts():
    rows = unit([[1, 0], [3, 4]])
    assert found(near(rows, 0.6)) == [(0, 1, 0.6)]
    assert found(near(rows, 0.600001)) == []


@given(
    st.integers(0, 40).flatmap(
        lambda n: st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), max_size=n)
    ),
    st.floats(0.05, 1),
)
@settings(max_examples=40)
def test_every_pair_is_found_as_by_comparing_all(rows, threshold):
    lengths = np.linalg.norm(np.array(rows, float).reshape(-1, 3), axis=1, keepdims=True)
    table = np.array(rows, float).reshape(-1, 3) / np.where(lengths > 0, lengths, 1)
    table = table.astype(np.float32)
    expected = [
        (i, j)
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if round(float(table[i].astype(float) @ table[j].astype(float)), 6) >= round(threshold, 6)
    ]
    assert [pair[:2] for pair in found(near(table, threshold))] == expected


def test_blocks_agree_with_comparing_all_on_what_was_planted():
    rows = planted()
    every = near(rows, 0.95)
    some = near(rows, 0.95, blocks=Blocks.of(rows, exact=100))
    assert len(every) >= 40
    assert every.blocks == 0
    assert some.blocks > 1
    assert found(some) == found(every)
    assert some.sampled == some.found > 0


def test_what_blocks_miss_is_measured(monkeypatch):
    rows = planted()
    blind = Blocks(np.arange(len(rows)).reshape(-1, 1), len(rows))  # each compared with itself
    some = near(rows, 0.95, blocks=blind)
    assert len(some) == 0
    assert some.sampled > 30
    assert some.found == 0


@pytest.mark.parametrize("exact", [10_000, 100])
def test_the_order_of_the_vectors_does_not_matter(exact, monkeypatch):
    rows = planted(300, 30)
    order = np.random.default_rng(1).permutation(len(rows))
    turned = near(rows[order], 0.9, blocks=Blocks.of(rows[order], exact=10_000))
    back = {
        (min(order[i], order[j]), max(order[i], order[j]), cosine) for i, j, cosine in found(turned)
    }
    assert back == set(found(near(rows, 0.9, blocks=Blocks.of(rows, exact=exact))))


def test_how_the_work_is_cut_cannot_be_seen(monkeypatch):
    rows = planted(200, 20)
    whole = found(near(rows, 0.5)), nearest(rows, 5).tolist()
    monkeypatch.setattr(search, "CELLS", 1000)
    assert (found(near(rows, 0.5)), nearest(rows, 5).tolist()) == whole


def test_more_pairs_than_can_be_held_are_refused(monkeypatch):
    monkeypatch.setattr(search, "MOST", 100)
    with pytest.raises(TooManyPairs, match="More than 100 pairs") as caught:
        near(unit(np.ones((30, 4))), 0.9)
    assert "threshold" in caught.value.hint


def test_nearest_others_worked_out_by_hand():
    rows = unit([[1, 0], [1, 1], [0, 1]])
    half = round(1 / math.sqrt(2), 6)
    assert nearest(rows, 2).tolist() == pytest.approx(np.array([[half, 0], [half] * 2, [half, 0]]))
    assert np.isnan(nearest(rows, 3)[:, 2]).all()


def test_the_nearest_are_those_of_sorting_all():
    rows = planted(700, 10)
    products = rows @ rows.T
    np.fill_diagonal(products, -np.inf)
    expected = np.sort(products, axis=1)[:, ::-1][:, :7]
    assert np.allclose(nearest(rows, 7), expected, atol=2e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_have_no_pairs(count):
    rows = unit(np.ones((count, 3)))
    assert len(near(rows, 0.5)) == 0
    assert nearest(rows, 3).shape == (count, 3)
    assert np.isnan(nearest(rows, 3)).all()
