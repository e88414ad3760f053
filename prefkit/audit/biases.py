"""What goes with winning besides being better: length, format, wording, origin, place shown."""

import math
from collections.abc import Callable

import numpy as np

from prefkit.audit import plots
from prefkit.audit.auc import paired_auc, two_class_auc
from prefkit.audit.audited import Audited
from prefkit.audit.predict import MOST, label_auc, winner_accuracy
from prefkit.audit.sections import Chart, Figure, Section
from prefkit.audit.surface import FEATURES, LABELS
from prefkit.audit.telling import figure, percent
from prefkit.audit.writers import models_of_origin, places_shown
from prefkit.evaluation.statistics import Estimate

_SAID = {
    "words": ("are longer", "are shorter"),
    "characters": ("have more characters", "have fewer characters"),
    "word_length": ("use longer words", "use shorter words"),
    "refusal": ("more often open with a refusal", "less often open with a refusal"),
    "closed": ("more often end with a sentence mark", "less often end with a sentence mark"),
    "asked": ("repeat more of the prompt's words", "repeat fewer of the prompt's words"),
}
TELLS = 0.60  # what surface alone may reach: half of what reward models add to chance


def section(audited: Audited) -> Section | None:
    """What a model could learn to like without understanding; None without winners."""
    if audited.kind == "examples" or not len(audited.measured):
        return None
    about = _of_pairs(audited) if audited.kind == "pairs" else _of_labels(audited)
    figures = [*_longer(audited), *about, *_elsewhere(audited)]
    if not any(f.value is not None for f in figures):
        return None
    forest = plots.around(
        "AUC of the winner",
        [f for f in figures if f.unit == "auc" and "predict" not in f.key],
        0.5,
        ("the loser has more", "the winner has more"),
    )
    says = (
        "The line at 0.5 means that it does not go with winning. Orange: the whole interval lies "
        f"more than {audited.config.bias_margin} away."
    )
    return Section(
        "biases",
        "What goes with winning",
        "A model that learns from preferences learns whatever tells the winner. Each row asks: how "
        "often has the winner more of it (ties count half)? Some of it may be deserved: longer can "
        "be better. What has no good reason is a bias of the annotators or of how pairs were made.",
        figures=tuple(figures),
        charts=(Chart("AUC of each surface feature", says, forest),) if forest else (),
    )


def _elsewhere(audited: Audited) -> list[Figure]:
    """Model of origin and place shown, which stand beside the texts."""
    margin = audited.config.bias_margin
    figures = []
    for model, estimate, note in models_of_origin(audited):
        says = (f"Winners are more often by {model}", f"Winners are less often by {model}")
        figures.append(
            figure(
                f"biases.origin.{model}",
                f"written by {model}",
                estimate,
                "auc",
                method=f"AUC over {audited.sampled}",
                note=note,
                alarm=alarm_of(estimate, margin, *says),
            )
        )
    for source, estimate, note in places_shown(audited):
        who = {"human": "People", "judge": "Judges", "rule": "Rules"}[source]
        says = (f"{who} prefer what is shown first", f"{who} prefer what is shown last")
        figures.append(
            figure(
                f"biases.shown_first.{source}",
                f"shown earlier ({source})",
                estimate,
                "auc",
                method="AUC over the answers of each judgment, two by two",
                note=note,
                alarm=alarm_of(estimate, margin, *says),
            )
        )
    return figures


def alarm_of(estimate: Estimate, margin: float, above: str, below: str) -> str:
    """The sentence to say when a whole interval lies further than `margin` from one half."""
    said = "" if estimate.low is None else f": AUC {_spoken(estimate)}."
    if estimate.above(0.5 + margin):
        return above + said
    return below + said if estimate.below(0.5 - margin) else ""


def _longer(audited: Audited) -> list[Figure]:
    """How often the chosen side is the longer one."""
    if audited.kind != "pairs":
        return []
    measured = audited.measured
    first, second = (measured.of(side, "words") for side in ("first", "second"))
    differ = first != second
    found = paired_auc(first[differ], second[differ], measured.prompts[differ], _seed(audited))
    ratio = float(np.median(first / np.maximum(second, 1))) if len(first) else math.nan
    share = figure(
        "biases.chosen_longer",
        "chosen is the longer side",
        found,
        method="share of the pairs whose sides differ in words",
        note=f"The chosen side has {ratio:.2f} times the words of the rejected one (median); "
        f"{percent(1 - float(differ.mean()))} of the pairs are equally long.",
    )
    return [share]


def _of_pairs(audited: Audited) -> list[Figure]:
    measured, seed = audited.measured, _seed(audited)
    groups = measured.prompts

    def auc(name: str) -> tuple[Estimate, str]:
        more, less = measured.of("first", name), measured.of("second", name)
        differ = int((more != less).sum())
        if not differ:
            return Estimate(math.nan, len(more)), "The same on both sides of every pair."
        ahead = int((more > less).sum())
        said = f"Differs in {differ:,} pairs; the winner has more in {ahead:,} of them."
        return paired_auc(more, less, groups, seed), said

    rows = measured.least(MOST)
    x = _logs(measured.sides["first"][rows]) - _logs(measured.sides["second"][rows])
    length = [FEATURES.index("words")]
    lone, all_of_them = (winner_accuracy(x[:, c], groups[rows], seed) for c in (length, ...))
    return [
        *_features(audited, auc, "over pairs"),
        _prediction("length", "length alone names the winner", lone, "share"),
        _prediction("surface", "surface features together name it", all_of_them, "share"),
    ]


def _of_labels(audited: Audited) -> list[Figure]:
    measured, seed = audited.measured, _seed(audited)

    def auc(name: str) -> tuple[Estimate, str]:
        values = measured.of("first", name)
        if not np.ptp(values):
            return Estimate(math.nan, len(values)), "The same in every row."
        liked, other = values[measured.labels], values[~measured.labels]
        said = (
            "" if not len(liked) or not len(other) else f"{liked.mean():.3g} and {other.mean():.3g}"
        )
        return two_class_auc(values, measured.labels), f"Mean of liked and others: {said}."

    rows = measured.least(MOST)
    x, labels, groups = _logs(measured.sides["first"][rows]), measured.labels, measured.prompts
    length = [FEATURES.index("words")]
    lone, all_of_them = (
        label_auc(x[:, c], labels[rows], groups[rows], seed) for c in (length, ...)
    )
    return [
        *_features(audited, auc, "liked against others"),
        _prediction("length", "length alone tells liked from others", lone, "auc"),
        _prediction("surface", "surface features together tell them", all_of_them, "auc"),
    ]


def _features(
    audited: Audited, auc: Callable[[str], tuple[Estimate, str]], over: str
) -> list[Figure]:
    figures = []
    for name in FEATURES:
        estimate, note = auc(name)
        more, fewer = _SAID.get(name, (f"have more {LABELS[name]}", f"have fewer {LABELS[name]}"))
        margin = audited.config.bias_margin
        alarm = alarm_of(estimate, margin, f"Winners {more}", f"Winners {fewer}")
        alarm = "" if name == "characters" else alarm  # words say it already
        figures.append(
            figure(
                f"biases.{name}",
                LABELS[name],
                estimate,
                "auc",
                method=f"AUC {over}",
                note=note,
                alarm=alarm,
            )
        )
    return figures


def _prediction(name: str, label: str, estimate: Estimate, unit: str) -> Figure:
    tells = estimate.above(TELLS)
    what = "accuracy" if unit == "share" else "AUC"
    return figure(
        f"biases.predict_{name}",
        label,
        estimate,
        "auc" if unit == "auc" else "share",
        method=f"{what} of a logistic regression, cross-validated by prompt, on a sample of at "
        f"most {MOST:,} rows",
        note="Chance is 0.5; reward models reach 0.65 to 0.8 on such sets.",
        alarm=f"{label[0].upper()}{label[1:]}: {what} {_spoken(estimate)}, without reading a word."
        if tells
        else "",
    )


def _spoken(estimate: Estimate) -> str:
    assert estimate.low is not None
    assert estimate.high is not None
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _logs(features: np.ndarray) -> np.ndarray:
    """Counts as logarithms, so that twice as long is the same step for short and long texts."""
    return np.log1p(np.asarray(features, np.float64))


def _seed(audited: Audited) -> int:
    return audited.config.seed
