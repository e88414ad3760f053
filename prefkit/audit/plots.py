"""Plots of an audit: AUCs about one half, distributions of lengths, differences between sets."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from prefkit.audit.sections import Figure
from prefkit.evaluation.drawing import WIDTH, Axis, dot, line, svg, text

ROW = 30.0
_LETTER = 6.25  # pixels of a label, about
TONES = ("tuned", "unclear", "bad")


def around(title: str, figures: Sequence[Figure], middle: float, words: tuple[str, str]) -> str:
    """Figures with their intervals on one axis, about a line that means nothing is there.

    Args:
        title: What the axis is.
        figures: The rows; those without a value are left out.
        middle: Where nothing is there: 0.5 of an AUC, 0 of a difference.
        words: What the left and the right of the middle mean.
    """
    shown = [figure for figure in figures if figure.value is not None]
    if not shown:
        return ""
    left, right, top = 232.0, 150.0, 26.0
    bottom = top + ROW * len(shown)
    ends = [x for f in shown for x in (f.value, f.low, f.high) if x is not None]
    reach = max(abs(x - middle) for x in ends) * 1.08 or 0.1
    axis = Axis(middle - reach, middle + reach, left, WIDTH - right)
    parts = [
        text(axis(middle) - 8, 12, f"← {words[0]}", "faint", "end"),
        text(axis(middle) + 8, 12, f"{words[1]} →", "faint"),
    ]
    for tick in axis.ticks(6):
        parts.append(line(axis(tick), top, axis(tick), bottom, "grid"))
        parts.append(text(axis(tick), bottom + 16, f"{tick:.3g}", "faint", "middle"))
    parts.append(line(axis(middle), top, axis(middle), bottom, "zero"))
    for number, figure in enumerate(shown):
        parts.append(_row(figure, axis, top + ROW * (number + 0.5)))
    return svg(title, bottom + 24, parts)


def _row(figure: Figure, axis: Axis, y: float) -> str:
    assert figure.value is not None
    tone = "bad" if figure.alarm else "unclear"
    parts = [text(0, y + 4, figure.label[:40], "label")]
    said = f"{figure.value:.2f}"
    if figure.low is not None and figure.high is not None:
        parts.append(line(axis(figure.low), y, axis(figure.high), y, f"whisker {tone}"))
        said += f"  ({figure.low:.2f} to {figure.high:.2f})"
    parts.append(dot(axis(figure.value), y, 4.5, tone))
    parts.append(text(WIDTH, y + 4, said, f"value {tone}", "end"))
    return "".join(parts)


def lengths(title: str, unit: str, sides: Mapping[str, np.ndarray]) -> str:
    """Distributions of positive counts on a logarithmic axis; areas are shares of each side.

    Args:
        title: What is counted.
        unit: Under the axis.
        sides: Counts by name, at most three of them; drawn filled, and as lines over it.
    """
    sides = {name: values[values > 0] for name, values in sides.items()}
    sides = {name: values for name, values in sides.items() if len(values)}
    if not sides:
        return ""
    left, top, tall = 44.0, 30.0, 190.0
    most = max(float(values.max()) for values in sides.values())
    least = min(float(values.min()) for values in sides.values())
    edges = _edges(least, most)
    wide = np.diff(np.log2(edges)) * 4  # quarters of a doubling
    shares = {n: np.histogram(v, edges)[0] / len(v) / wide for n, v in sides.items()}
    edges = np.log2(edges)
    across = Axis(edges[0], edges[-1], left, WIDTH - 8)
    up = Axis(0, max(float(s.max()) for s in shares.values()) * 1.08, top + tall, top)
    parts = []
    for tick in up.ticks(4):
        parts.append(line(left, up(tick), WIDTH - 8, up(tick), "grid"))
        parts.append(text(left - 6, up(tick) + 4, f"{tick:.0%}", "faint", "end"))
    parts += [
        text(across(power), top + tall + 15, f"{2**power:,}", "faint", "middle")
        for power in range(max(0, math.ceil(edges[0])), math.floor(edges[-1]) + 1)
        if across(power) < WIDTH - 16
    ]
    for number, (name, share) in enumerate(shares.items()):
        steps = [f"V {up(value):.1f} H {across(edges[i + 1]):.1f}" for i, value in enumerate(share)]
        path = f"M {left:.1f} {up(0):.1f} {' '.join(steps)} V {up(0):.1f}"
        parts.append(f'<path class="curve curve-{number}" d="{path}"/>')
        parts.append(_legend(8 + left + 150 * number, number, f"{name} (n = {len(sides[name]):,})"))
    parts.append(text((left + WIDTH) / 2, top + tall + 33, unit, "label", "middle"))
    return svg(title, top + tall + 40, parts)


def _edges(least: float, most: float) -> np.ndarray:
    """Half way between whole numbers: every number up to eight, then four bins a doubling."""
    powers = range(max(0, math.floor(math.log2(least)) - 1), math.ceil(math.log2(most)) + 2)
    wholes = np.unique([2**power * part // 4 for power in powers for part in (4, 5, 6, 7)])
    first, last = np.searchsorted(wholes, [least, most], "right")
    return wholes[max(0, first - 2) : last + 2] - 0.5


def shares(
    title: str, names: Sequence[str], sides: Mapping[str, Sequence[float]], left: float = 150.0
) -> str:
    """Shares of categories in one or two sets, as bars beside each other.

    Args:
        title: What a screen reader says.
        names: Of the categories; what does not fit is cut off.
        sides: A share a category, by name of the set.
        left: Where the bars begin: the room for names.
    """
    if not names:
        return ""
    top = 26.0
    most = max(max(values) for values in sides.values()) or 1.0
    axis = Axis(0, most * 1.05, left, WIDTH - 60)
    parts = []
    for number, side in enumerate(sides):
        parts.append(_legend(left + 200 * number, number, side))
    for row, name in enumerate(names):
        y = top + ROW * row
        fits = int(left // _LETTER)
        said = name if len(name) <= fits else f"{name[: fits - 1]}…"
        parts.append(text(left - 8, y + 19, said, "label", "end"))
        for number, values in enumerate(sides.values()):
            wide = max(axis(values[row]) - left, 0.5)
            parts.append(
                f'<rect class="curve curve-{number}" x="{left}" y="{y + 4 + 13 * number:.1f}" '
                f'width="{wide:.1f}" height="9"/>'
            )
            said = f"{values[row]:.1%}"
            parts.append(text(left + wide + 5, y + 12 + 13 * number, said, "faint"))
    return svg(title, top + ROW * len(names) + 6, parts)


def _legend(x: float, number: int, words: str) -> str:
    mark = f'<rect class="curve curve-{number}" x="{x:.1f}" y="5" width="10" height="10"/>'
    return mark + text(x + 15, 14, words, "label")
