"""Meaning by MiniLM: speed, what blocks miss, paraphrases found, look-alikes taken for the same.

    python bench_semantic.py [--sentences N]

The paraphrases (semantic/paraphrases.jsonl) were written for this benchmark by who wrote the code:
110 questions of everyday and office life, each with a rewording that shares few words and with
another question of the same form ("other") that a careless threshold would drop. They were written
before anything was measured on them and none was taken out; they are no sample of your data.
Texts that share half their sentences are made of real sentences (docstrings of installed packages).
"""

import argparse
import json
import os
import platform
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_leakage import sentences

from prefkit.cleaning.facts import PRONOUN, same_facts
from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.semantic.calibrate import calibrate
from prefkit.semantic.embedders import load_embedder
from prefkit.semantic.search import Blocks, near
from prefkit.workspace import Workspace

HERE = Path(__file__).parent
PARAPHRASES = HERE / "semantic" / "paraphrases.jsonl"
RESULTS = HERE / "results" / "semantic.json"
THRESHOLDS = (0.7, 0.75, 0.8, 0.85, 0.9)
HALVES = 300  # pairs of texts with half their sentences in common
PLANTED, COPIES = 60_000, 2_000


def share(hits: np.ndarray) -> dict[str, Any]:
    """A share with its interval."""
    return figure(wilson(float(hits.sum()), len(hits)))


def figure(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON."""
    ends = (estimate.low, estimate.high)
    low, high = (None if end is None else round(end, 3) for end in ends)
    return {"value": round(estimate.value, 3), "n": estimate.n, "low": low, "high": high}


def at_thresholds(cosine: np.ndarray, agree: np.ndarray) -> dict[str, Any]:
    """Which pairs count at each threshold, by cosine alone and with the same facts."""
    return {
        f"{threshold:g}": {
            "by cosine": share(cosine >= threshold),
            "and the same facts": share((cosine >= threshold) & agree),
        }
        for threshold in THRESHOLDS
    }


def pairwise(embedder: Any, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Cosines of pairs of texts, and which of them would count as duplicates."""
    rows = embedder.encode([text for pair in pairs for text in pair])
    cosine = (rows[::2] * rows[1::2]).sum(axis=1)
    agree = np.array([same_facts(one, other, PRONOUN) for one, other in pairs])
    quantiles = np.quantile(cosine, [0.05, 0.5, 0.95]).round(3).tolist()
    return {
        "cosine 5 %, 50 %, 95 %": quantiles,
        "state the same facts": share(agree),
        "duplicates": at_thresholds(cosine, agree),
    }


def halves(count: int) -> list[tuple[str, str]]:
    """Texts of four sentences that have every second one in common."""
    known = list(sentences(6 * count))
    random.Random(0).shuffle(known)
    found = []
    for at in range(count):
        a, b, c, d, e, f = known[6 * at : 6 * at + 6]
        found.append((" ".join((a, b, c, d)), " ".join((a, e, c, f))))
    return found


def search_of(rows: np.ndarray, threshold: float) -> dict[str, Any]:
    """Every pair against blocks: seconds, and which share blocks find."""
    began = time.perf_counter()
    exact = near(rows, threshold, blocks=Blocks.of(rows, exact=len(rows)))
    exact_s = time.perf_counter() - began
    began = time.perf_counter()
    blocks = Blocks.of(rows, exact=1000)
    found = near(rows, threshold, blocks=blocks)
    blocks_s = time.perf_counter() - began
    known = set(zip(exact.left.tolist(), exact.right.tolist(), strict=True))
    hits = sum(
        pair in known for pair in zip(found.left.tolist(), found.right.tolist(), strict=True)
    )
    return {
        "vectors": len(rows),
        "threshold": threshold,
        "pairs": len(exact),
        "exact_s": round(exact_s, 2),
        "blocks": blocks.count,
        "blocks_s": round(blocks_s, 2),
        "recall": figure(wilson(hits, len(exact))),
        "recall stated from a sample": figure(wilson(found.found, found.sampled)),
    }


def planted() -> np.ndarray:
    """Vectors of 200 topics, some of them near copies of others."""
    draws = np.random.default_rng(0)
    rows = draws.normal(size=(200, 384))[draws.integers(200, size=PLANTED)]
    rows += draws.normal(size=rows.shape)
    rows[-COPIES:] = rows[:COPIES] + 0.35 * draws.normal(size=(COPIES, 384))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=4000)
    count = parser.parse_args().sentences
    written = [json.loads(line) for line in PARAPHRASES.read_text("utf-8").splitlines()]
    asked = [(row["question"], row["paraphrase"]) for row in written]
    others = [(row["question"], row["other"]) for row in written]
    results: dict[str, Any] = {
        "machine": {
            "cpus": os.cpu_count(),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
        },
    }
    for name in ("minilm", "tfidf"):
        embedder = load_embedder(name, Workspace.find())
        results[name] = {
            "paraphrases": pairwise(embedder, asked),
            "other questions": pairwise(embedder, others),
            "half the sentences": pairwise(embedder, halves(HALVES)),
        }
    texts = list(sentences(count))
    embedder = load_embedder("minilm", Workspace.find())
    for what, some in (("questions", [t for p in asked + others for t in p]), ("sentences", texts)):
        began = time.perf_counter()
        rows = embedder.encode(some)
        rate = len(some) / (time.perf_counter() - began)
        words = sum(len(text.split()) for text in some) / len(some)
        results["minilm"][f"{what} a second"] = {
            "rate": round(rate, 1),
            "n": len(some),
            "words each": round(words, 1),
        }
    found = calibrate(rows, texts)
    results["calibration of sentences"] = {
        "random 50 %": figure(found.median),
        "random 99.9 %": figure(found.high),
        "random 99.99 %": figure(found.highest),
        "nearly the same words, 5 %": len(found.lexical) and figure(found.lexical_low),
        "suggested": found.suggestion.threshold,
    }
    results["search"] = [search_of(rows, 0.7), search_of(planted(), 0.9)]
    results["machine"]["load after"] = os.getloadavg()[0]
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
