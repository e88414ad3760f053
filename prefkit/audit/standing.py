"""Sources beside each other: what each gave, and whether it differs from the others."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.audit.audited import Audited
from prefkit.audit.measured import RESPELLED
from prefkit.audit.origins import Origin
from prefkit.audit.win_rates import Writer
from prefkit.cleaning.normalise import words as words_of
from prefkit.evaluation.statistics import Estimate, holm, wilson

LEVEL = 0.05  # of all comparisons together, by Holm
LEAST_SHARE = 0.05  # difference of shares that is worth a word
LEAST_RATIO = 1.25  # ratio of mean words that is worth a word
MOST_COMPARED = 200  # sources of an origin that are compared, the largest
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What is known of every row.

    Attributes:
        words: Of the chosen or only completion. Shape (rows,), like the others.
        checked: Whether the rules of cleaning looked at it.
        flagged: Whether one of them held something against it.
        good: The chosen side is the longer one; or the completion is liked. None for examples.
        told: Where `good` says something: sides of one length do not.
        margin: Of a pair; nan without.
        what: What `good` is.
    """

    words: Floats
    checked: Bools
    flagged: Bools
    good: Bools | None
    told: Bools
    margin: Floats
    what: str = ""


@dataclasses.dataclass(frozen=True)
class Group:
    """One source among the others of its origin.

    Attributes:
        origin: The kind of source.
        name: The source.
        rows: How many rows it gave.
        words: Mean words of its good answers, those of the others, and the p-value of a t-test
            of the logarithms.
        shares: By what they count: its share, that of the others, and the p-value of the test of
            two shares.
        margin: Mean margin of its pairs; nan without.
    """

    origin: str
    name: str
    rows: int
    words: tuple[float, float, float]
    shares: dict[str, tuple[Estimate, float, float]]
    margin: float


def numbers_of(audited: Audited) -> Numbers:
    """What is known of every row that is held."""
    rows = audited.records
    flags = _flags(audited)
    seen = [flags.get(row.record.id) for row in rows]
    words = np.array([[len(words_of(c.text)) for c in row.completions] for row in rows])
    good, told, what = None, np.ones(len(rows), bool), ""
    if audited.kind == "pairs":
        good, told, what = words[:, 0] > words[:, 1], words[:, 0] != words[:, 1], "chosen is longer"
    elif audited.kind == "unpaired":
        good, what = np.array([row.completions[0].good for row in rows], bool), "liked"
    margins = [getattr(row.record, "margin", None) for row in rows]
    return Numbers(
        words[:, 0].astype(np.float64),
        np.array([flag is not None for flag in seen], bool),
        np.array([bool(flag) for flag in seen], bool),
        good,
        told,
        np.array([math.nan if margin is None else margin for margin in margins], np.float64),
        what,
    )


def _flags(audited: Audited) -> dict[str, bool]:
    """By id, whether a rule of cleaning holds something against a row that was looked at."""
    columns = audited.measured.table.select(["id", "checked", "flags"])
    checked = columns.filter(columns["checked"].fill_null(False)).to_pylist()
    return {
        row["id"]: any(not flag.startswith(RESPELLED) for flag in row["flags"] or ())
        for row in checked
    }


def compared(origin: Origin, numbers: Numbers) -> list[Group]:
    """Each of the largest sources of an origin against all rows of its other sources."""
    count = len(origin.values)
    known = origin.of >= 0
    of = origin.of[known]
    logs = np.log1p(numbers.words[known])
    n = np.bincount(of, minlength=count).astype(np.float64)
    sums = np.bincount(of, logs, minlength=count), np.bincount(of, logs**2, minlength=count)
    words = np.bincount(of, numbers.words[known], minlength=count)
    shares = {"flagged by rules of cleaning": (numbers.flagged, numbers.checked)}
    if numbers.good is not None:
        shares[numbers.what] = (numbers.good, numbers.told)
    counted = {
        name: tuple(
            np.bincount(of, (part & told)[known], minlength=count)
            for part in (yes, np.ones_like(told))
        )
        for name, (yes, told) in shares.items()
    }
    margins = np.nan_to_num(numbers.margin[known])
    with_margin = np.bincount(of, ~np.isnan(numbers.margin[known]), minlength=count)
    margin = np.bincount(of, margins, minlength=count) / np.maximum(with_margin, 1)
    return [
        Group(
            origin.name,
            name,
            int(n[at]),
            (
                float(words[at] / n[at]),
                float((words.sum() - words[at]) / max(n.sum() - n[at], 1)),
                _welch(at, n, *sums),
            ),
            {
                what: _share(int(yes[at]), int(all_[at]), int(yes.sum()), int(all_.sum()))
                for what, (yes, all_) in counted.items()
            },
            float(margin[at]) if with_margin[at] else math.nan,
        )
        for at, name in enumerate(origin.values[:MOST_COMPARED])
    ]


def _welch(at: int, n: Floats, first: NDArray, second: NDArray) -> float:
    """p-value of Welch's t-test of one group against the rest, of sums and sums of squares."""
    from scipy import stats

    sizes = n[at], n.sum() - n[at]
    if min(sizes) < 2:
        return 1.0
    means = first[at] / sizes[0], (first.sum() - first[at]) / sizes[1]
    squares = second[at] / sizes[0], (second.sum() - second[at]) / sizes[1]
    spread = [
        math.sqrt(max(square - mean**2, 0.0) * size / (size - 1))
        for mean, square, size in zip(means, squares, sizes, strict=True)
    ]
    if not any(spread):
        return 1.0 if abs(means[0] - means[1]) < 1e-9 else 0.0
    return float(
        stats.ttest_ind_from_stats(
            means[0], spread[0], sizes[0], means[1], spread[1], sizes[1], equal_var=False
        ).pvalue
    )


def _share(yes: int, n: int, all_yes: int, all_: int) -> tuple[Estimate, float, float]:
    """A group's share, that of the rest, and the p-value of their difference."""
    from scipy import stats

    rest, rest_n = all_yes - yes, all_ - n
    estimate = wilson(yes, n)
    if not n or not rest_n:
        return estimate, math.nan, 1.0
    p_value = 1.0
    if 0 < all_yes < all_:
        counts = [[yes, n - yes], [rest, rest_n - rest]]
        least = min(n, rest_n) * min(all_yes, all_ - all_yes) / all_
        test = stats.fisher_exact if least < 5 else stats.chi2_contingency
        p_value = float(test(counts)[1])
    return estimate, rest / rest_n, p_value


def apart(groups: Sequence[Group], writers: Sequence[Writer]) -> dict[tuple[str, str], str]:
    """How each source differs that stands apart, by its origin and name."""
    from scipy import stats

    tests: list[tuple[tuple[str, str], str, float]] = []
    for group in groups:
        own = (group.origin, group.name)
        mine, rest, p_value = group.words
        ratio = (mine + 1) / (rest + 1)
        words = f"answers of {mine:.0f} words, elsewhere {rest:.0f}"
        large = max(ratio, 1 / ratio) >= LEAST_RATIO
        tests.append((own, words if large else "", p_value))
        for what, (estimate, others, p) in group.shares.items():
            if math.isnan(estimate.value) or math.isnan(others):
                continue
            large = abs(estimate.value - others) >= LEAST_SHARE
            says = f"{what} in {estimate.value:.0%}, elsewhere in {others:.0%}"
            tests.append((own, says if large else "", p))
    for writer in writers:
        if writer.win.n:
            large = abs(writer.win.value - 0.5) >= LEAST_SHARE
            says = f"wins {writer.win.value:.0%} against other models"
            p = stats.binomtest(round(writer.win.value * writer.win.n), writer.win.n).pvalue
            tests.append((("model", writer.name), says if large else "", float(p)))
    found: dict[tuple[str, str], str] = {}
    adjusted = holm([p_value for _, _, p_value in tests])
    for (own, says, _), p_value in zip(tests, adjusted, strict=True):
        if says and p_value < LEVEL:
            found[own] = "; ".join(filter(None, (found.get(own, ""), says)))
    return found
