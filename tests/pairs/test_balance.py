import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.pairs.balance import Thumbs, count_thumbs, length_bias
from prefkit.pairs.card import kto_line
from prefkit.records import PreferencePair, UnpairedPreference


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_weighted_thumbs_lie_within_1_to_1_and_4_to_3(up, down):
    desirable, undesirable = Thumbs(up, down).weights
    ratio = desirable * up / (undesirable * down)
    assert 1 - 1e-9 <= ratio <= 4 / 3 + 1e-9
    assert min(desirable, undesirable) == 1


@pytest.mark.parametrize(
    ("up", "down", "weights"),
    [
        (100, 100, (1, 1)),
        (120, 100, (1, 1)),
        (133, 100, (1, 1)),
        (150, 100, (1, 1.5)),
        (100, 150, (1.5, 1)),
        (100, 133, (1.33, 1)),
        (300, 7, (1, 42.85)),
        (0, 5, None),
        (5, 0, None),
    ],
)
def test_kto_weights(up, down, weights):
    assert Thumbs(up, down).weights == weights


def test_the_card_says_how_to_pass_the_weights_on():
    even, more, fewer = (kto_line(Thumbs(*n)) for n in ((120, 100), (100, 150), (150, 100)))
    assert "These are TRL's own" in even
    assert "bring them to 1.20 to 1" in even
    assert more.endswith("`prefkit train-kto @pairs --set train.trainer.desirable_weight=1.5`.")
    assert fewer.endswith("`prefkit train-kto @pairs --set train.trainer.undesirable_weight=1.5`.")
    assert "needs both kinds" in kto_line(Thumbs(3, 0))


def test_thumbs_are_counted():
    rows = [UnpairedPreference(prompt="p", completion=str(n), label=n < 2) for n in range(5)]
    assert count_thumbs(rows) == Thumbs(2, 3)


def test_length_bias_is_counted_with_an_interval():
    sides = [("longer", "long"), ("longer", "long"), ("a", "bcd"), ("ab", "cd")]
    bias = length_bias(PreferencePair(prompt="p", chosen=c, rejected=r) for c, r in sides)
    assert (bias.longer, bias.shorter, bias.equal, bias.ratio) == (2, 1, 1, 1.25)
    assert (bias.share.value, bias.share.n) == (0.625, 4)
    assert bias.share.low < 0.625 < bias.share.high
    assert length_bias([]).share.n == 0
