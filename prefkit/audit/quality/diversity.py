"""Diversity: whether a set says many things, by measures that need no model."""

import math
from collections.abc import Sequence

import numpy as np

from prefkit.audit.audited import Audited
from prefkit.audit.measured import source_of
from prefkit.audit.quality import measures
from prefkit.audit.quality.part import Part, asked, good_rows
from prefkit.audit.sections import Figure, Table, Unit
from prefkit.audit.surface import WORD
from prefkit.audit.telling import figure, percent, shown, table
from prefkit.evaluation.statistics import Estimate, bootstrap, wilson

BUDGET = 20_000  # words at which all sets are compared
GROUP_BUDGET = 3_000  # words at which sources are compared
BLEU_TEXTS = 500
BLEU_WORDS = 200
VENDI_TEXTS = 1_000
VENDI_SIZE = 1_024  # dimensions that word counts are hashed into
MOST_SOURCES = 12

# Alarms. Prose of 2,000 records measured .86 distinct-3, 2.6 zlib and .3 % for the most frequent
# opening; a set collapsed to forty bodies under one opening .08, 23 and 100 %. Against the
# passages that a set was made from, half as diverse or a third more compressible is too much.
OPENING_SHARE = 0.05
OPENING_COUNT = 5
COPIES = 0.01  # a model sees them as often, and so learns them by heart
DISTINCT_LEAST = 0.4
ZLIB_MOST = 5.0
OF_SOURCE = 0.5
ZLIB_OF_SOURCE = 1.3


def found(audited: Audited) -> Part:
    """Measures of answers and prompts, of the passages behind them, and of each source."""
    rows = good_rows(audited)
    answers, prompts = [text for _, text in rows], [asked(row) for row, _ in rows]
    passages = [chunk.text for _, chunk in sorted(audited.chunks.items())]
    figures = [
        _copies(audited),
        _prompts(audited),
        *_figures("answers", answers, passages),
        *_figures("prompts", prompts, []),
    ]
    by_source: dict[str, list[str]] = {}
    for row, text in rows:
        by_source.setdefault(source_of(row), []).append(text)
    tables = [*_frequent_openings(answers), *_by_source(by_source)]
    return Part(tuple(figures), tuple(tables))


def _copies(audited: Audited) -> Figure:
    measured = audited.measured
    estimate = wilson(measured.copies, len(measured))
    return figure(
        "quality.diversity.copies",
        "diversity: copies of another row",
        estimate,
        method="share of all rows whose texts are those of an earlier one, to the letter",
        alarm=f"{percent(estimate.value)} of the rows are copies of another."
        if estimate.above(COPIES)
        else "",
    )


def _prompts(audited: Audited) -> Figure:
    measured = audited.measured
    estimate = wilson(len(np.unique(measured.prompts)), len(measured))
    method = "different prompts over all rows"
    return figure(
        "quality.diversity.different_prompts",
        "diversity: different prompts",
        estimate,
        method=method,
    )


def _figures(name: str, texts: Sequence[str], passages: Sequence[str]) -> list[Figure]:
    """The measures of some texts; beside their passages where these are as long."""
    cut = measures.within(texts, BUDGET)
    size = sum(map(len, cut))
    beside = measures.within(passages, size)
    beside = beside if sum(map(len, beside)) >= 0.8 * size > 0 else []
    return [
        *(_distinct(name, cut, beside, size, order) for order in (1, 2, 3)),
        _zlib(name, cut, beside, size),
        _repeated(name, cut, size),
        _self_bleu(name, texts),
        _opening(name, texts),
        _vendi(name, texts, passages),
    ]


def _distinct(
    name: str, cut: list[measures.Text], beside: list[measures.Text], size: int, order: int
) -> Figure:
    value = measures.distinct(cut, order)
    passages = measures.distinct(beside, order) if beside else math.nan
    alarm = ""
    if order == 3 and size >= BUDGET / 4 and value < DISTINCT_LEAST:
        alarm = f"The {name} say the same again and again: distinct-3 is {value:.2f}."
    elif order == 3 and beside and value < OF_SOURCE * passages:
        alarm = f"The {name} are less than half as diverse as their passages (distinct-3 "
        alarm += f"{value:.2f} against {passages:.2f})."
    return _measure(
        f"{name}.distinct_{order}",
        f"{name}, distinct-{order}",
        value,
        size,
        "ratio",
        f"different {order}-grams over all, in {size:,} words",
        _beside(passages),
        alarm,
    )


def _zlib(name: str, cut: list[measures.Text], beside: list[measures.Text], size: int) -> Figure:
    value = measures.zlib_ratio(cut)
    passages = measures.zlib_ratio(beside) if beside else math.nan
    alarm = ""
    if value > ZLIB_MOST and size >= BUDGET / 4:
        alarm = f"The {name} are mostly repetition: they compress {value:.1f} times."
    elif beside and value > ZLIB_OF_SOURCE * passages:
        alarm = f"The {name} repeat themselves more than their passages: they compress {value:.1f} "
        alarm += f"times, the passages {passages:.1f}."
    return _measure(
        f"{name}.zlib",
        f"{name}, compression",
        value,
        size,
        "ratio",
        f"bytes over zlib bytes, in {size:,} words",
        _beside(passages),
        alarm,
    )


def _repeated(name: str, cut: list[measures.Text], size: int) -> Figure:
    value = measures.repeated(cut)
    return _measure(
        f"{name}.repeated_4",
        f"{name}, shared 4-grams",
        value,
        size,
        "share",
        f"share of 4-grams that another text has too, in {size:,} words",
        "",
        "",
    )


def _self_bleu(name: str, texts: Sequence[str]) -> Figure:
    cut = [measures.within([text], BLEU_WORDS) for text in texts[:BLEU_TEXTS]]
    scores = measures.self_bleu([text[0] for text in cut if text])
    estimate = bootstrap(scores) if scores else Estimate(math.nan, 0, method="no two texts")
    method = f"mean BLEU-4 of {len(scores)} texts, each against the others"
    key, label = f"quality.diversity.{name}.self_bleu", f"diversity: {name}, self-BLEU"
    return figure(key, label, estimate, "score", method=method, note="1: all texts are copies.")


def _opening(name: str, texts: Sequence[str]) -> Figure:
    counts = measures.openings(texts)
    opening, count = max(counts.items(), key=lambda kv: (kv[1], kv[0]), default=((), 0))
    estimate = wilson(count, len(texts))
    words = " ".join(opening)
    loud = estimate.above(OPENING_SHARE) and count >= OPENING_COUNT
    return figure(
        f"quality.diversity.{name}.opening",
        f"diversity: {name}, most frequent opening",
        estimate,
        method="share of texts with the most frequent first four words",
        note=f"“{shown(words)}”" if words else "",
        alarm=f"{percent(estimate.value)} of the {name} open with “{shown(words)}”."
        if loud
        else "",
    )


def _vendi(name: str, texts: Sequence[str], passages: Sequence[str]) -> Figure:
    n = min(len(texts), VENDI_TEXTS)
    value = measures.vendi(hashed(texts[:n])) if n else math.nan
    enough = n == VENDI_TEXTS and len(passages) >= n
    beside = measures.vendi(hashed(passages[:n])) if enough else math.nan
    alarm = ""
    if enough and value < OF_SOURCE * beside:
        alarm = f"The {name} are half as diverse as their passages or less (Vendi score "
        alarm += f"{value:.0f} against {beside:.0f})."
    return _measure(
        f"{name}.vendi",
        f"{name}, Vendi score",
        value,
        n,
        "score",
        f"effective number of different texts among {n:,}, by words",
        _beside(beside),
        alarm,
    )


def hashed(texts: Sequence[str]) -> np.ndarray:
    """Words of texts, hashed, square roots of counts, rows of length 1; empty texts left out."""
    from sklearn.feature_extraction.text import HashingVectorizer

    counts = HashingVectorizer(
        n_features=VENDI_SIZE, alternate_sign=False, norm=None, token_pattern=WORD.pattern
    )
    rows = np.sqrt(counts.transform(texts).toarray())
    sizes = np.linalg.norm(rows, axis=1)
    return rows[sizes > 0] / sizes[sizes > 0, None]


def _measure(
    key: str, label: str, value: float, n: int, unit: Unit, method: str, note: str, alarm: str
) -> Figure:
    known = value if math.isfinite(value) else None
    return Figure(
        f"quality.diversity.{key}",
        f"diversity: {label}",
        known,
        n,
        unit,
        method=method if known is not None else "",
        note=note if known is not None else "Not measured: no text is long enough.",
        alarm=alarm,
    )


def _beside(value: float) -> str:
    return f"The passages: {value:.3g}." if math.isfinite(value) else ""


def _frequent_openings(texts: Sequence[str]) -> list[Table]:
    counts = measures.openings(texts)
    ordered = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    rows = [
        [shown(" ".join(opening)), f"{count:,}", percent(count / len(texts))]
        for opening, count in ordered[:5]
        if count > 1
    ]
    return (
        [table("Most frequent openings of answers", ["opening", "n", "share"], rows)]
        if rows
        else []
    )


def _by_source(texts: dict[str, list[str]]) -> list[Table]:
    """The measures of each source at one number of words; sources with less are left out."""
    rows = []
    for name in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        cut = measures.within(texts[name], GROUP_BUDGET)
        if sum(map(len, cut)) < GROUP_BUDGET:
            continue
        opening = max(measures.openings(texts[name]).values(), default=0) / len(texts[name])
        distinct = [f"{measures.distinct(cut, order):.2f}" for order in (1, 2, 3)]
        zlib = f"{measures.zlib_ratio(cut):.1f}"
        repeated = percent(measures.repeated(cut))
        n = f"{len(texts[name]):,}"
        rows.append([shown(name) or "(none)", n, *distinct, zlib, repeated, percent(opening)])
    if len(rows) < 2:
        return []
    headers = [
        "source",
        "n",
        "distinct-1",
        "-2",
        "-3",
        "compression",
        "4-grams of others",
        "opening",
    ]
    note = f"Each at its first {GROUP_BUDGET:,} words; sources with fewer are left out."
    return [table("Diversity of answers by source", headers, rows[:MOST_SOURCES], note)]
