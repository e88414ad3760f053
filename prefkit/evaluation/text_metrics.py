"""Numbers about completions that need no model: ROUGE-L, BLEU, repetition."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from prefkit.evaluation.statistics import LEVEL, Estimate

BLEU_DRAWS = 2_000
REPEATED_SHARE = 0.5  # of word 4-grams seen before; prose of this length stays under 0.1
_WORDS = re.compile(r"[^\W_]+")


class _AnyScript:
    """rouge_score's own tokenizer drops every letter outside a-z; for ASCII this is the same."""

    def tokenize(self, text: str) -> list[str]:
        return _WORDS.findall(text.lower())


@functools.cache
def _rouge() -> Any:  # rouge_score is untyped
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer(["rougeL"], tokenizer=_AnyScript())


def rouge_l(reference: str, completion: str) -> float:
    """ROUGE-L F1 of one completion, 0 to 1 (Lin 2004), words of any script."""
    return float(_rouge().score(reference, completion)["rougeL"].fmeasure)


@dataclasses.dataclass(frozen=True)
class BleuComparison:
    """Corpus BLEU of two systems on the same references, 0 to 100, and their difference."""

    base: Estimate
    tuned: Estimate
    delta: Estimate
    signature: str


def bleu(
    references: Sequence[str], base: Sequence[str], tuned: Sequence[str], seed: int = 0
) -> BleuComparison:
    """Corpus BLEU by sacrebleu, with percentile bootstrap intervals over items.

    Corpus BLEU is not a mean over items, so each resample sums the items' n-gram counts anew.
    """
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU()
    counts = [_bleu_counts(metric, references, side) for side in (base, tuned)]
    n = len(references)
    draws = np.random.default_rng(seed).integers(0, n, size=(BLEU_DRAWS, n))
    scores = np.array(
        [[_bleu_score(metric, table[rows].sum(axis=0)) for table in counts] for rows in draws]
    )
    points = [_bleu_score(metric, table.sum(axis=0)) for table in counts]
    return BleuComparison(
        base=_percentile(points[0], scores[:, 0], n),
        tuned=_percentile(points[1], scores[:, 1], n),
        delta=_percentile(points[1] - points[0], scores[:, 1] - scores[:, 0], n),
        signature=str(metric.get_signature()) if metric.get_signature() else "",
    )


def _bleu_counts(metric: Any, references: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    rows = []  # one row an item: 4 matches, 4 totals, system length, reference length
    for reference, text in zip(references, texts, strict=True):
        score = metric.corpus_score([text], [[reference]])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.int64)


def _bleu_score(metric: Any, sums: np.ndarray) -> float:
    score = metric.compute_bleu(
        correct=sums[:4].tolist(),
        total=sums[4:8].tolist(),
        sys_len=int(sums[8]),
        ref_len=int(sums[9]),
        smooth_method=metric.smooth_method,
    )
    return float(score.score)


def _percentile(value: float, draws: np.ndarray, n: int) -> Estimate:
    if n < 2 or np.ptp(draws) == 0:
        return Estimate(value, n, method="no interval: the items do not differ")
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    method = f"percentile bootstrap over items, {BLEU_DRAWS} draws, {LEVEL:.0%}"
    return Estimate(value, n, float(low), float(high), method)


def repeated_share(text: str, size: int = 4) -> float:
    """Share of word `size`-grams that occurred before in the text; 0 for short texts."""
    words = _WORDS.findall(text.lower())
    grams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def repeats_itself(text: str) -> bool:
    """Whether a completion has fallen into a loop."""
    return repeated_share(text) > REPEATED_SHARE
