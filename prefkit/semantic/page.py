"""`report.html`: pairs on both sides of the threshold, to be read; every text is escaped."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from prefkit.config import SimilarConfig
from prefkit.evaluation.drawing import WIDTH, Axis, line, svg, text
from prefkit.evaluation.page import document
from prefkit.semantic import words
from prefkit.semantic.calibrate import Band
from prefkit.semantic.found import Far, Shown, Similar

LONGEST = 700  # characters of a text that are shown
BINS = 40


def render(
    found: Similar, config: SimilarConfig, run: str, source: str, lines: Sequence[str]
) -> str:
    """The whole page."""
    suggestion = found.calibration.suggestion
    body = (
        f"<h1>What means the same</h1><p class='kicker'>{escape(run)}</p>"
        f"<p>{escape(words.headline(found, config))}</p>"
        f"<p class='lede'>Suggested: <b>{suggestion.threshold:g}</b>. {escape(suggestion.reason)} "
        "It is a place to begin reading, not a verdict.</p>"
        + _figure(found)
        + _table(
            ("cosine", "value", "95 % interval (order statistics)", "n"),
            words.calibration_rows(found),
        )
        + "<h2>Pairs around the threshold</h2><p class='lede'>Read from the top. Where pairs stop "
        "meaning the same lies your threshold; pass it on with <code>"
        f"{escape(words.next_step(found, config, source))}</code></p>"
        + "".join(
            _band(band, pairs, found.threshold)
            for band, pairs in zip(found.sample, found.shown, strict=True)
        )
        + "<h2>Farthest from all others</h2><p class='lede'>By the mean cosine with their nearest "
        f"others; the median is {words.number(found.nearness.median)}. Odd ones out, broken texts "
        "and rare topics look alike here: read before you drop.</p>"
        + _table(
            ("record", "text", "source", "mean cosine", "z", "outlier"),
            [_far(one) for one in found.far],
        )
        + _sources(found)
        + f"<h2>How it was found</h2>{_items(lines)}"
    )
    return document(f"Similar: {run}", body)


def distribution(
    random: NDArray[np.float64], nearest: NDArray[np.float64], threshold: float, floor: float
) -> str:
    """Shares of random pairs (outline) and of texts by their nearest other (bars), by cosine."""
    left, top, tall = 46.0, 30.0, 190.0
    low = float(np.floor(min(0.0, *random[:1], *np.sort(nearest)[:1]) * 10) / 10)
    edges = np.linspace(low, 1.0, BINS + 1)
    shares = [
        np.histogram(np.clip(values, low, 1.0), edges)[0] / max(1, len(values))
        for values in (random, nearest)
    ]
    across = Axis(low, 1.0, left, WIDTH - 12)
    up = Axis(0, max(0.01, *(float(side.max()) for side in shares)) * 1.05, top + tall, top)
    parts = []
    for tick in up.ticks(4):
        parts.append(line(left, up(tick), WIDTH - 12, up(tick), "grid"))
        parts.append(text(left - 6, up(tick) + 4, f"{tick:.0%}", "faint", "end"))
    for begin, end, share in zip(edges, edges[1:], shares[1], strict=False):
        parts.append(
            f'<rect class="bar tuned" x="{across(begin) + 1:.1f}" y="{up(share):.1f}" '
            f'width="{across(end) - across(begin) - 2:.1f}" height="{up(0) - up(share):.1f}"/>'
        )
    path = [f"M {across(low):.1f} {up(0):.1f}"]
    for end, share in zip(edges[1:], shares[0], strict=True):
        path.append(f"V {up(float(share)):.1f} H {across(float(end)):.1f}")
    parts.append(f'<path class="outline" d="{" ".join(path)} V {up(0):.1f}"/>')
    parts += [
        text(across(tick), top + tall + 15, f"{tick:g}", "faint", "middle")
        for tick in across.ticks(10)
    ]
    marks = [("random pairs end", floor), ("threshold", threshold)]
    for name, value in marks:
        if np.isfinite(value):
            parts.append(line(across(value), top - 8, across(value), top + tall, "margin"))
            parts.append(text(across(value) - 4, top - 12, name, "label", "end"))
    parts.append(text((left + WIDTH) / 2, top + tall + 33, "cosine", "label", "middle"))
    title = "Cosines of random pairs, and of each text with its nearest other"
    return svg(title, top + tall + 40, parts)


def _figure(found: Similar) -> str:
    nearest = found.nearness.nearest[np.isfinite(found.nearness.nearest)]
    if not len(nearest):
        return ""
    chart = distribution(
        found.calibration.random,
        nearest,
        found.threshold,
        found.calibration.floor,
    )
    return (
        "<figure><figcaption><b>Cosines here</b><span>Bars: each text with its nearest other, "
        f"n = {len(nearest):,}. Outline: random pairs, n = {len(found.calibration.random):,}. Both "
        f"as shares of their own.</span></figcaption>{chart}</figure>"
    )


def _band(band: Band, pairs: Sequence[Shown], threshold: float) -> str:
    side = "over" if band.low >= threshold else "under"
    title = f"{band.low:.3f} to {band.high:.3f}: {side} the threshold"
    count = f"{band.count:,} pairs lie here" + (f", {len(pairs)} shown" if pairs else "")
    return f"<h3>{title}</h3><p class='lede'>{count}.</p>" + "".join(map(_pair, pairs))


def _pair(pair: Shown) -> str:
    facts = "" if pair.same_facts else "<span class='chip'>other facts: no duplicate</span>"
    sides = "".join(
        f"<div class='side'><small>{escape(name)}</small><p>{escape(_clipped(words_))}</p></div>"
        for name, words_ in ((pair.left_id, pair.left), (pair.right_id, pair.right))
    )
    return (
        f"<article><small>cosine {pair.cosine:.3f}</small>{facts}<div class='sides'>{sides}</div>"
        "</article>"
    )


def _far(one: Far) -> list[str]:
    outlier = "yes" if one.outlier else "no"
    return [
        one.id,
        _clipped(one.text),
        one.source,
        f"{one.mean:.3f}",
        f"{one.z:.1f}",
        outlier,
    ]


def _sources(found: Similar) -> str:
    if not found.sources:
        return ""
    return (
        "<h2>Sources</h2><p class='lede'>Mean cosine of a source's texts with their nearest text "
        "of another source: a low one lies apart. BCa bootstrap over texts.</p>"
        + _table(words.SOURCE_HEADERS, words.source_rows(found))
    )


def _clipped(words_: str) -> str:
    return words_ if len(words_) <= LONGEST else f"{words_[:LONGEST]} …"


def _items(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line_)}</li>" for line_ in lines) + "</ul>"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "</div>"
    )
