"""What the findings say, in sentences and rows: for the page, the card and the terminal."""

import math
from collections.abc import Sequence

from prefkit.config import SimilarConfig
from prefkit.evaluation.statistics import Estimate
from prefkit.semantic.embedders import TFIDF
from prefkit.semantic.found import Similar
from prefkit.semantic.outliers import FAR, NEIGHBOURS

FIELDS = {
    "prompt": "prompts",
    "completion": "completions",
    "both": "prompts and completions",
}
SOURCE_HEADERS = ("source", "texts", "nearest elsewhere", "95 % interval")


def headline(found: Similar, config: SimilarConfig) -> str:
    """The result in one sentence."""
    n = found.counts()
    asked = "the cosine asked for" if config.threshold else "the suggested cosine"
    return (
        f"At {asked} of {found.threshold:g}, {n['pairs']:,} pairs of {n['distinct']:,} distinct "
        f"{FIELDS[config.field]} mean the same, in {n['clusters']:,} clusters; {n['would_go']:,} "
        f"of {n['records']:,} records would yield to another."
    )


def next_step(found: Similar, config: SimilarConfig, source: str) -> str:
    """What to type once the sample is read."""
    more = f" --semantic-field {config.field}" if config.field != "prompt" else ""
    more += f" --embedder {config.embedder}" if config.embedder != "minilm" else ""
    more += f" --embedder-url {config.base_url}" if config.base_url else ""
    return f"prefkit clean {source} --semantic {found.threshold:g}{more}"


def calibration_rows(found: Similar) -> list[list[str]]:
    """What was measured to suggest a threshold."""
    known = found.calibration
    return [
        ["random pairs, median", *_cells(known.median)],
        ["random pairs, 99.9 % quantile", *_cells(known.high)],
        ["random pairs, 99.99 % quantile", *_cells(known.highest)],
        ["where random pairs end (see the reason)", number(known.floor), "–", ""],
        ["pairs in nearly the same words, 5 % quantile", *_cells(known.lexical_low)],
    ]


def source_rows(found: Similar) -> list[list[str]]:
    """How near each source is to the others."""
    return [
        [one.source, f"{one.texts:,}", f"{one.nearness.value:.3f}", _interval(one.nearness)]
        for one in found.sources
    ]


def methods(found: Similar, config: SimilarConfig, cut: int, empty: int, limit: int) -> list[str]:
    """How it was found, and what it does not say."""
    n = found.counts()
    lines = [
        f"{n['records']:,} records with {n['distinct']:,} distinct {FIELDS[config.field]}, each "
        f"embedded once by `{config.embedder}`; cosine of vectors of length 1.",
        f"{n['pairs_of_other_facts']:,} pairs over the threshold state a number, name or turning "
        "word (not, before, three) that the other lacks; they are no duplicates.",
        _search(found),
        f"Outliers: robust z (0.6745 (mean - median) / MAD) of the mean cosine with the "
        f"{NEIGHBOURS} nearest others of at most {FAR:g}: {n['outliers']:,}.",
    ]
    if config.embedder == TFIDF:
        lines.append("`tfidf` knows shared words only: a paraphrase in other words is not found.")
    if cut:
        lines.append(f"{cut:,} texts are longer than {limit} tokens; their end was not read.")
    if empty:
        lines.append(f"{empty:,} records without a visible character were left out.")
    return lines


def card(found: Similar, config: SimilarConfig, source: str, lines: Sequence[str]) -> str:
    """The text of the run's README."""
    parts = [f"**{headline(found, config)}**", "", found.calibration.suggestion.reason, ""]
    parts += ["| cosine | value | 95 % interval | n |", "|---|---:|---:|---:|"]
    parts += [f"| {' | '.join(row)} |" for row in calibration_rows(found)]
    parts += [
        "",
        "Read the pairs in `report.html`, take the lowest cosine at which all pairs mean ",
    ]
    parts += ["the same, and pass it on:", "", f"`{next_step(found, config, source)}`", ""]
    parts += [f"- {line}" for line in lines]
    if found.sources:
        parts += ["", f"| {' | '.join(SOURCE_HEADERS)} |", "|---|---:|---:|---:|"]
        parts += [f"| {' | '.join(row)} |" for row in source_rows(found)]
    return "\n".join(parts)


def number(value: float) -> str:
    """Three digits, or a dash for what could not be measured."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def _search(found: Similar) -> str:
    if not found.near.blocks:
        return "Every pair was compared."
    recall = found.recall
    start = f"Compared in {found.near.blocks} k-means blocks, 2 probed for each text"
    if not recall.n:
        return f"{start}; none of the texts of a sample has a pair."
    return (
        f"{start}: of the {recall.n} pairs that a sample of texts has with all others, it finds "
        f"{recall.value:.1%} ({_interval(recall)}, {recall.method})."
    )


def _cells(estimate: Estimate) -> list[str]:
    if not estimate.n:
        return ["–", "too few", "0"]
    return [f"{estimate.value:.3f}", _interval(estimate), f"{estimate.n:,}"]


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{estimate.low:.3f} to {estimate.high:.3f}"
