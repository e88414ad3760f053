"""How long prompts and completions are, and which are strangely long or short."""

import math

import numpy as np

from prefkit.audit import plots
from prefkit.audit.audited import Audited
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.audit.telling import figure, table
from prefkit.evaluation.statistics import wilson

FAR = 3.5  # robust z beyond which Iglewicz and Hoaglin (1993) call a value an outlier
OFTEN = 0.02  # of a normal distribution 0.05 % lie that far
_SAYS = "Shares of the texts of each side, a quarter of a doubling of words."
NAMED = 10  # outliers of a side that are named
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def section(audited: Audited) -> Section | None:
    """Distributions of words, and outliers by robust z of log length."""
    if not len(audited.measured):
        return None
    sides = {name: words for name, words in _sides(audited).items() if len(words)}
    figures, far = [], []
    for name, words in sides.items():
        z = robust_z(words)
        figures += _figures(name, words, z)
        far += _outliers(audited, name, words, z)
    chart = plots.lengths("Words", "words, doubling at each step", sides)
    return Section(
        "lengths",
        "Length",
        "Training cuts what is longer than `max_length`, and a few very long or very short texts "
        "are often something else than the rest: pasted documents, logs, cut answers.",
        figures=tuple(figures),
        tables=(_quantiles(sides), *_named(far)),
        charts=(Chart("Words a text", _SAYS, chart),) if chart else (),
    )


def robust_z(words: np.ndarray) -> np.ndarray:
    """How far each length lies from the median, on a logarithm, in robust standard deviations.

    0.6745 (x - median) / MAD; where more than half are alike the mean absolute deviation stands
    in for the MAD, and where all are alike every z is 0.
    """
    logs = np.log1p(words)
    off = logs - np.median(logs)
    deviation = float(np.median(np.abs(off))) / 0.6745
    deviation = deviation or float(np.abs(off).mean()) * 1.253314
    return off / deviation if deviation else np.zeros(len(logs))


def _sides(audited: Audited) -> dict[str, np.ndarray]:
    measured = audited.measured
    first = {"examples": "reference", "pairs": "chosen", "unpaired": "completion"}[audited.kind]
    sides = {"prompt": measured.of("prompt", "words"), first: measured.of("first", "words")}
    return sides | ({"rejected": measured.of("second", "words")} if audited.kind == "pairs" else {})


def _figures(name: str, words: np.ndarray, z: np.ndarray) -> list[Figure]:
    far = int((np.abs(z) > FAR).sum())
    share = wilson(far, len(z))
    middle = float(np.median(words))
    low, high = _median_interval(words)
    return [
        Figure(
            f"lengths.{name}.median",
            f"{name}: median",
            middle,
            len(words),
            "words",
            low,
            high,
            "median; interval from order statistics 95%",
        ),
        figure(
            f"lengths.{name}.outliers",
            f"{name}: outliers",
            share,
            method=f"share with robust z of log length beyond {FAR}",
            note=f"{far:,} texts.",
            alarm=f"{share.value:.1%} of the {name} texts are of a strange length."
            if share.above(OFTEN)
            else "",
        ),
    ]


def _median_interval(words: np.ndarray) -> tuple[float, float]:
    """The order statistics between which the median lies with 95 % (normal approximation)."""
    n, ordered = len(words), np.sort(words)
    half = 1.959964 * math.sqrt(n) / 2
    low, high = math.floor(n / 2 - half), math.ceil(n / 2 + half)
    return float(ordered[max(0, low)]), float(ordered[min(n - 1, high)])


def _quantiles(sides: dict[str, np.ndarray]) -> Table:
    rows = [
        [name, *(f"{value:,.0f}" for value in np.quantile(words, QUANTILES))]
        for name, words in sides.items()
    ]
    return table("Words", ["", "least", "5 %", "25 %", "median", "75 %", "95 %", "most"], rows)


def _outliers(audited: Audited, name: str, words: np.ndarray, z: np.ndarray) -> list[list[str]]:
    """The farthest texts of a side, each with its record and where it stands."""
    ids, lines = audited.measured.table["id"], audited.measured.table["line"]
    far = np.flatnonzero(np.abs(z) > FAR)
    named = sorted(far, key=lambda at: (-abs(z[at]), ids[int(at)].as_py()))[:NAMED]
    return [
        [name, f"{words[at]:,.0f}", f"{z[at]:+.1f}", ids[int(at)].as_py(), str(lines[int(at)])]
        for at in named
    ]


def _named(far: list[list[str]]) -> list[Table]:
    if not far:
        return []
    note = f"At most {NAMED} a side, the farthest first."
    return [table("Outliers", ["text", "words", "robust z", "record", "line"], far, note)]
