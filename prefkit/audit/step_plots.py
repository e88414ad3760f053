"""Plots of cleaning: how rows fell step by step, and how numbers moved from stage to stage."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from prefkit.audit.clean_run import CleanRun
from prefkit.evaluation.drawing import WIDTH, Axis, dot, line, svg, text

ROW = 26.0
MOST = 24  # rules that have a row of their own


def waterfall(run: CleanRun) -> str:
    """Rows that came in, what each rule took, and what stays, one under the other."""
    title = "What each step of cleaning took"
    left, right = 190.0, 120.0
    axis = Axis(0, max(run.rows, 1), left, WIDTH - right)
    parts: list[str] = []
    height = 8.0

    def bar(label: str, begin: float, end: float, tone: str, said: str) -> None:
        nonlocal height
        wide = max(axis(end) - axis(begin), 1.0)
        parts.append(text(left - 10, height + 15, label, "label", "end"))
        parts.append(
            f'<rect class="bar {tone}" x="{axis(begin):.1f}" y="{height + 3:.1f}" '
            f'width="{wide:.1f}" height="{ROW - 8:.0f}" rx="2">'
            f"<title>{escape(f'{label}: {said}')}</title></rect>"
        )
        parts.append(
            text(axis(end) + 7, height + 15, said, "value" if tone == "tuned" else "label")
        )
        height += ROW

    bar("input", 0, run.rows, "tuned", f"{run.rows:,}")
    left_over, stages = run.rows, list(run.stages)
    for stage in stages:
        steps = [step for step in run.steps if step.stage == stage]
        largest = sorted(steps, key=lambda step: -step.dropped)[:MOST]
        for step in (step for step in steps if step in largest):
            share = step.dropped / run.rows
            said = f"−{step.dropped:,} ({share:.1%})"
            bar(step.rule, left_over - step.dropped, left_over, "bad", said)
            left_over -= step.dropped
        rest = sum(step.dropped for step in steps if step not in largest)
        if rest:
            bar(f"{len(steps) - MOST} more rules", left_over - rest, left_over, "bad", f"−{rest:,}")
            left_over -= rest
        if steps and stage != stages[-1]:
            bar(f"after {stage}", 0, left_over, "unclear", f"{left_over:,}")
    bar("output", 0, run.kept, "tuned", f"{run.kept:,} ({run.kept / max(run.rows, 1):.1%})")
    return svg(title, height + 6, parts)


Points = Sequence[tuple[float, float | None, float | None]]  # value and its interval


def stages(title: str, names: Sequence[str], measures: Mapping[str, tuple[Points, str]]) -> str:
    """Small plots beside each other, one a measure, with a point a stage.

    Args:
        title: Of them all.
        names: Of the stages.
        measures: By name: the points, and `%` where they are shares.
    """
    shown = {
        name: (points, unit)
        for name, (points, unit) in measures.items()
        if any(math.isfinite(value) for value, _, _ in points)
    }
    if not shown:
        return ""
    wide, tall, gap = (WIDTH - 30) / 2, 128.0, 30.0
    parts = []
    for number, (name, (points, unit)) in enumerate(shown.items()):
        x, y = (number % 2) * (wide + gap), (number // 2) * (tall + 64)
        parts.append(_panel(name, points, unit, names, x, y, wide, tall))
    return svg(title, math.ceil(len(shown) / 2) * (tall + 64), parts)


def _panel(
    name: str,
    points: Points,
    unit: str,
    names: Sequence[str],
    x: float,
    y: float,
    wide: float,
    tall: float,
) -> str:
    scale = 100 if unit == "%" else 1
    ends = [scale * v for point in points for v in point if v is not None and math.isfinite(v)]
    low, high = min(ends), max(ends)
    pad = max((high - low) * 0.15, abs(high) * 0.05) or 0.5
    floor = max(0.0, low - pad)
    left, top = x + 46, y + 24
    up = Axis(floor, high + pad, top + tall, top)
    step = (wide - 96) / max(len(points) - 1, 1)
    parts = [text(x, y + 13, name, "value")]
    for tick in up.ticks(4):
        parts.append(line(left, up(tick), x + wide, up(tick), "grid"))
        parts.append(text(left - 6, up(tick) + 4, f"{tick:g}{unit}", "faint", "end"))
    places = []
    for number, (value, lower, upper) in enumerate(points):
        at = left + 22 + number * step
        parts.append(text(at, top + tall + 14, names[number], "faint", "middle"))
        if not math.isfinite(value):
            continue
        places.append(f"{at:.1f} {up(scale * value):.1f}")
        if lower is not None and upper is not None:
            parts.append(line(at, up(scale * lower), at, up(scale * upper), "whisker unclear"))
        parts.append(dot(at, up(scale * value), 4, "good"))
        said = f"{scale * value:.3g}{unit}"
        last = number == len(points) - 1
        beside = (at - 5, "end") if last and number else (at + 5, "start")
        parts.append(text(beside[0], up(scale * value) - 5, said, "faint", beside[1]))
    parts.insert(1, f'<path class="outline" d="M {" L ".join(places)}" opacity="0.35"/>')
    return "".join(parts)


TONES = ("good", "flip", "bad", "unclear", "missing")


def languages(title: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    """One stacked bar a stage: the four most frequent languages and the rest.

    Args:
        title: Of the plot.
        rows: By stage: rows a language.
    """
    totals: dict[str, int] = {}
    for counts in rows.values():
        for name, count in counts.items():
            totals[name] = totals.get(name, 0) + count
    if not totals:
        return ""
    named = sorted(totals, key=lambda name: (-totals[name], name))[: len(TONES) - 1]
    rest = ["others"] if len(totals) > len(named) else []
    left, parts, y = 110.0, [], 30.0
    x = left
    for tone, name in zip(TONES, [*named, *rest], strict=False):
        parts.append(f'<rect class="bar {tone}" x="{x:.1f}" y="4" width="10" height="10" rx="2"/>')
        parts.append(text(x + 15, 13, name, "label"))
        x += 40 + 7 * len(name)
    for stage, counts in rows.items():
        parts.append(text(left - 10, y + 15, stage, "label", "end"))
        others = sum(counts.values()) - sum(counts.get(name, 0) for name in named)
        sizes = [counts.get(name, 0) for name in named] + [others] * len(rest)
        parts += _stacked(sizes, [*named, *rest], left, y)
        y += ROW
    return svg(title, y + 4, parts)


def _stacked(sizes: Sequence[int], names: Sequence[str], left: float, y: float) -> Iterator[str]:
    total = sum(sizes)
    at = left
    for tone, size, name in zip(TONES, sizes, names, strict=False):
        wide = (WIDTH - left) * size / max(total, 1)
        if size:
            yield (
                f'<rect class="bar {tone}" x="{at:.1f}" y="{y:.1f}" '
                f'width="{max(wide - 1, 0.5):.1f}" height="18" rx="2">'
                f"<title>{escape(f'{name}: {size:,} of {total:,}')}</title></rect>"
            )
        at += wide
