"""Small inline SVG charts: no script, no network, colours from the page's CSS variables.

Every chart carries a `<title>` for screen readers and its numbers as text, so that it can be read
in print, in the dark, and without colour.
"""

import dataclasses
import math
from collections.abc import Sequence
from html import escape

from prefkit.evaluation.drawing import WIDTH, Axis, dot, line, nice, svg, text

ROW = 36.0


@dataclasses.dataclass(frozen=True)
class Change:
    """One row of a forest plot.

    Attributes:
        label: What changed.
        value: The change, in the axis' unit.
        low: Lower end of its interval, None without one.
        high: Upper end.
        better: higher, lower, or empty when neither is good.
        n: Items.
        margin: Loss that is tolerated, drawn as a mark when given.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    better: str
    n: int
    margin: float | None = None

    @property
    def tone(self) -> str:
        """good, bad, or unclear when the interval holds 0 or no direction is good."""
        if self.low is None or self.high is None or not self.better or self.low <= 0 <= self.high:
            return "unclear"
        return "good" if (self.low > 0) == (self.better == "higher") else "bad"


def forest(title: str, unit: str, changes: Sequence[Change], digits: int = 1) -> str:
    """Paired changes with their intervals on one axis; the line at 0 is no change.

    Args:
        title: Says what the axis is.
        unit: Behind the numbers, such as `pts` or `nats`.
        changes: The rows; empty gives an empty string.
        digits: Decimals of the printed numbers.
    """
    if not changes:
        return ""
    left, right, top = 232.0, 196.0, 8.0
    height = top + ROW * len(changes) + 34
    ends = [x for c in changes for x in (c.value, c.low, c.high) if x is not None]
    axis = Axis(min(0.0, *ends), max(0.0, *ends), left, WIDTH - right)
    parts = [_grid(axis, top, top + ROW * len(changes), unit)]
    for number, change in enumerate(changes):
        parts.append(_forest_row(change, axis, top + ROW * (number + 0.5), unit, digits))
    return svg(title, height, parts)


def _forest_row(change: Change, axis: Axis, y: float, unit: str, digits: int) -> str:
    hint = {"higher": "more is better", "lower": "less is better"}.get(change.better, "")
    said = f"{change.value:+.{digits}f} {unit}"
    parts = [
        text(0, y - 2, change.label, "label"),
        text(0, y + 10, " · ".join(filter(None, (hint, f"n = {change.n}"))), "faint"),
    ]
    if change.low is not None and change.high is not None:
        parts.append(line(axis(change.low), y, axis(change.high), y, f"whisker {change.tone}"))
        parts += [
            line(axis(end), y - 4, axis(end), y + 4, f"whisker {change.tone}")
            for end in (change.low, change.high)
        ]
        between = f"{change.low:+.{digits}f} to {change.high:+.{digits}f}"
    else:
        between = "no interval"
    if change.margin is not None:
        x = axis(-change.margin)
        if axis.start <= x <= axis.end:
            parts.append(line(x, y - 9, x, y + 9, "margin"))
    parts.append(dot(axis(change.value), y, 4.5, change.tone))
    parts.append(text(WIDTH, y - 2, said, f"value {change.tone}", "end"))
    parts.append(text(WIDTH, y + 10, between, "faint", "end"))
    return "".join(parts)


def win_bar(title: str, shares: Sequence[tuple[str, int, str]]) -> str:
    """One stacked bar of counts, such as wins, ties and losses.

    Args:
        title: What was counted.
        shares: (label, count, tone) with tone good, unclear, flip, bad or missing.
    """
    total = sum(count for _, count, _ in shares)
    if not total:
        return ""
    parts, x = [], 0.0
    for label, count, tone in shares:
        width = WIDTH * count / total
        if not count:
            continue
        parts.append(
            f'<rect class="bar {tone}" x="{x:.1f}" y="4" width="{max(width - 2, 1):.1f}" '
            f'height="34" rx="3"><title>{escape(f"{label}: {count} of {total}")}</title></rect>'
        )
        if width > 22 + 7 * len(str(count)):
            parts.append(text(x + width / 2, 26, str(count), f"on-bar {tone}", "middle"))
        x += width
    legend, x = [], 0.0
    for label, count, tone in (share for share in shares if share[1]):
        legend.append(
            f'<rect class="bar {tone}" x="{x:.1f}" y="51" width="10" height="10" rx="2"/>'
        )
        words = f"{label} {count} ({count / total:.0%})"
        legend.append(text(x + 15, 60, words, "label"))
        x += 36 + 6.6 * len(words)
    return svg(title, 68, parts + legend)


def scatter(title: str, x_label: str, y_label: str, points: Sequence[tuple[float, float]]) -> str:
    """Base against tuned, one dot an item, with the diagonal of no change."""
    if not points:
        return ""
    size, left, top = 300.0, 52.0, 10.0
    values = [v for point in points for v in point]
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or 0.5
    across = Axis(low - pad, high + pad, left, left + size)
    up = Axis(low - pad, high + pad, top + size, top)
    parts = [f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>']
    for tick in across.ticks(5):
        parts.append(line(across(tick), top, across(tick), top + size, "grid"))
        parts.append(line(left, up(tick), left + size, up(tick), "grid"))
        parts.append(text(across(tick), top + size + 15, f"{tick:g}", "faint", "middle"))
        parts.append(text(left - 6, up(tick) + 4, f"{tick:g}", "faint", "end"))
    first, last = across.low, across.high
    parts.append(line(across(first), up(first), across(last), up(last), "diagonal"))
    for x, y in points:
        tone = "good" if y < x else "bad" if y > x else "unclear"
        parts.append(dot(across(x), up(y), 4, f"{tone} soft"))
    parts.append(text(left + size / 2, top + size + 33, x_label, "label", "middle"))
    parts.append(
        f'<text class="label" text-anchor="middle" transform="translate(13 {top + size / 2:.0f}) '
        f'rotate(-90)">{escape(y_label)}</text>'
    )
    return svg(title, top + size + 40, parts, width=left + size + 12)


def histogram(title: str, x_label: str, base: Sequence[float], tuned: Sequence[float]) -> str:
    """Two distributions on one axis, base as an outline over the filled tuned bars."""
    if not base or not tuned:
        return ""
    size, left, top, tall = 300.0, 34.0, 26.0, 284.0
    high = max(*base, *tuned, 1.0)
    step = nice(high / 10)
    bins = max(1, math.ceil((high + 1e-9) / step))
    across = Axis(0, bins * step, left, left + size)
    counts = [
        [_count(side, i * step, step, i == bins - 1) for i in range(bins)] for side in (base, tuned)
    ]
    most = max(max(side) for side in counts)
    up = Axis(0, most * 1.05, top + tall, top)
    parts = []
    for tick in up.ticks(4):
        if tick == int(tick):
            parts.append(line(left, up(tick), left + size, up(tick), "grid"))
            parts.append(text(left - 6, up(tick) + 4, f"{tick:g}", "faint", "end"))
    width = size / bins
    for i, count in enumerate(counts[1]):
        parts.append(
            f'<rect class="bar tuned" x="{left + i * width + 1:.1f}" y="{up(count):.1f}" '
            f'width="{max(width - 2, 1):.1f}" height="{up(0) - up(count):.1f}"/>'
        )
    path = [f"M {left:.1f} {up(0):.1f}"]
    for i, count in enumerate(counts[0]):
        path.append(f"V {up(count):.1f} H {left + (i + 1) * width:.1f}")
    parts.append(f'<path class="outline" d="{" ".join(path)} V {up(0):.1f}"/>')
    parts += [
        text(across(tick), top + tall + 15, f"{tick:g}", "faint", "middle")
        for tick in across.ticks(5)
    ]
    parts.append('<rect class="bar tuned" x="34" y="4" width="10" height="10" rx="2"/>')
    parts.append(text(49, 13, "tuned", "label"))
    parts.append('<rect class="outline" x="100" y="4" width="10" height="10" rx="2"/>')
    parts.append(text(115, 13, "base", "label"))
    parts.append(text(left + size / 2, top + tall + 33, x_label, "label", "middle"))
    return svg(title, top + tall + 40, parts, width=left + size + 12)


def waterfall(title: str, label: str, values: Sequence[float]) -> str:
    """Signed values from best to worst, one bar an item: how many lie above zero, and how far."""
    if not values:
        return ""
    left, top, tall = 46.0, 10.0, 150.0
    ordered = sorted(values, reverse=True)
    axis = Axis(min(0.0, *ordered), max(0.0, *ordered), top + tall, top)
    width = (WIDTH - left) / len(ordered)
    parts = []
    for tick in axis.ticks(5):
        parts.append(line(left, axis(tick), WIDTH, axis(tick), "grid"))
        parts.append(text(left - 6, axis(tick) + 4, f"{tick:g}", "faint", "end"))
    for i, value in enumerate(ordered):
        y = min(axis(value), axis(0))
        tall_bar = max(abs(axis(value) - axis(0)), 0.8)
        tone = "good" if value > 0 else "bad" if value < 0 else "unclear"
        parts.append(
            f'<rect class="bar {tone}" x="{left + i * width + 0.5:.1f}" y="{y:.1f}" '
            f'width="{max(min(width - 1, 44), 0.6):.1f}" height="{tall_bar:.1f}">'
            f"<title>{value:+.3f}</title></rect>"
        )
    parts.append(line(left, axis(0), WIDTH, axis(0), "zero"))
    parts.append(text(left, top + tall + 22, label, "label"))
    return svg(title, top + tall + 30, parts)


def _count(values: Sequence[float], start: float, step: float, last: bool) -> int:
    return sum(start <= v < start + step or (last and v >= start + step) for v in values)


def _grid(axis: Axis, top: float, bottom: float, unit: str) -> str:
    parts = []
    for tick in axis.ticks(5):
        style = "zero" if tick == 0 else "grid"
        parts.append(line(axis(tick), top, axis(tick), bottom, style))
        parts.append(
            text(axis(tick), bottom + 16, f"{tick:+g}" if tick else "0", "faint", "middle")
        )
    parts.append(text(axis.end + 10, bottom + 16, unit, "faint"))
    return "".join(parts)
