import math

import pytest

from prefkit.training import heldout
from prefkit.training.methods import METHODS

DPO, KTO, SFT = METHODS["dpo"], METHODS["kto"], METHODS["sft"]


def pairs(chosen, rejected, logps):
    return [
        {"loss": 0.5, "rewards/chosen": c, "rewards/rejected": r, "logps/chosen": p}
        for c, r, p in zip(chosen, rejected, logps, strict=True)
    ]


def find(figures, key):
    return next(figure for figure in figures if figure.key == key)


BEFORE = pairs([0.0] * 6, [0.0] * 6, [-20.0] * 6)


def test_policy_equal_to_reference_wins_half_of_the_pairs():
    after = pairs([1.0, 2.0, 1.0, 1.0, 0.5, -1.0], [0.0] * 6, [-19.0] * 6)
    accuracy = find(heldout.figures(DPO, BEFORE, after), "rewards/accuracies")
    assert (accuracy.before.value, accuracy.after.value) == (0.5, 5 / 6)
    assert accuracy.after.method.startswith("Wilson")
    assert accuracy.change.n == 6


def test_the_margin_is_paired_by_row():
    after = pairs([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0] * 6, [-20.0] * 6)
    margin = find(heldout.figures(DPO, BEFORE, after), "rewards/margins")
    assert margin.change.value == pytest.approx(2.5)
    assert margin.change.low < 2.5 < margin.change.high


def test_ktos_accuracy_is_the_area_under_the_roc_curve():
    before = [{"loss": 0.5, "rewards/chosen": 0.0}, {"loss": 0.5, "rewards/rejected": 0.0}]
    after = [{"loss": 0.4, "rewards/chosen": 1.0}, {"loss": 0.4, "rewards/rejected": 2.0}]
    more = [{"loss": 0.4, "rewards/rejected": -1.0}, {"loss": 0.4, "rewards/rejected": 1.0}]
    accuracy = find(heldout.figures(KTO, before + more, after + more), "rewards/accuracies")
    assert accuracy.after.value == pytest.approx((0 + 1 + 0.5) / 3)
    assert accuracy.after.n == 1


def test_nothing_held_out_gives_no_figures():
    assert heldout.figures(SFT, [], []) == []
    assert heldout.displacement([]) == ""


def test_chosen_completions_that_all_lose_probability_are_called_displaced():
    falling = pairs([-1.0] * 6, [-3.0] * 6, [-21.0, -22.0, -23.0, -21.5, -22.5, -21.2])
    warning = heldout.displacement(heldout.figures(DPO, BEFORE, falling))
    assert "Likelihood displacement" in warning
    assert "n=6" in warning


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([-19.0, -18.0, -19.5] * 2, id="rise"),
        pytest.param([-25.0, -16.0, -22.1] * 2, id="waver"),
        pytest.param([-20.5, -20.6, -20.4] * 2, id="fall by 2.5 %"),
    ],
)
def test_chosen_completions_that_rise_or_waver_or_hardly_fall_are_not(after):
    figures = heldout.figures(DPO, BEFORE, pairs([1.0] * 6, [0.0] * 6, after))
    assert heldout.displacement(figures) == ""


def test_figures_survive_the_disk(tmp_path):
    figures = heldout.figures(DPO, BEFORE, pairs([1.0, 2.0] * 3, [0.0] * 6, [-19.0, -18.0] * 3))
    heldout.save(tmp_path, figures)
    assert heldout.load(tmp_path) == figures
    assert heldout.load(tmp_path / "none") == []


def test_a_row_that_is_not_a_number_is_left_out():
    rows = [{"loss": 1.0}, {"loss": math.nan}, {"loss": 2.0}]
    assert find(heldout.figures(SFT, rows, rows), "loss").after.n == 2
