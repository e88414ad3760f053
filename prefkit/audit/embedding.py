"""Diversity, relevance and drift by meaning, on the vectors of an embedder; off without one."""

from collections.abc import Sequence

import numpy as np

from prefkit.audit.auc import paired_auc
from prefkit.audit.audited import Audited
from prefkit.audit.quality.measures import vendi
from prefkit.audit.quality.part import asked, good_rows
from prefkit.audit.sections import Figure, Section
from prefkit.audit.telling import figure

TEXTS = 1_000  # of a set: the Vendi score is compared at equal n, and encoders are slow
RESHUFFLES = 999
APART = 0.6  # see relevance by words
MOVED = 0.9  # cosine of the mean vectors of two sets; halves of one set have nearly 1


def section(audited: Audited) -> Section | None:
    """What an embedder says; None without one."""
    rows = good_rows(audited)[:TEXTS]
    if audited.config.embedder is None or not rows:
        return None
    from prefkit.semantic.embedders import ENDPOINT, load_embedder

    name = audited.config.embedder
    base_url = audited.config.base_url if name.startswith(ENDPOINT) else None
    embedder = load_embedder(name, audited.workspace, base_url=base_url)
    reference = good_rows(audited.reference)[:TEXTS] if audited.reference else []
    groups = [
        [asked(row) for row, _ in rows],
        [text for _, text in rows],
        [text for _, text in reference],
    ]
    vectors = embedder.encode([text for group in groups for text in group])
    prompts, answers, old = np.split(vectors, np.cumsum([len(group) for group in groups])[:-1])
    figures = [
        _vendi("prompts", prompts),
        _vendi("answers", answers),
        _own_prompt(prompts, answers, groups[0]),
        *([_moved(answers, old, audited.config.seed)] if len(old) else []),
    ]
    return Section(
        "embedding",
        "By meaning",
        f"By the embedder `{embedder.name}`, on {len(rows):,} of {audited.rows:,} rows.",
        figures=tuple(figures),
        data={"embedder": embedder.name, "digest": embedder.digest},
    )


def _vendi(name: str, vectors: np.ndarray) -> Figure:
    said = vectors[np.linalg.norm(vectors, axis=1) > 0]
    return Figure(
        f"embedding.vendi.{name}",
        f"Vendi score of {name}",
        vendi(said) if len(said) else None,
        len(said),
        "score",
        method="exp of the entropy of the eigenvalues of the cosines over n",
        note="Effective number of different texts; compare at equal n and with one embedder only.",
    )


def _own_prompt(prompts: np.ndarray, answers: np.ndarray, texts: Sequence[str]) -> Figure:
    other = np.roll(np.arange(len(texts)), -1)
    kept = np.array([texts[i] != texts[j] for i, j in enumerate(other)], bool)
    own = (answers * prompts).sum(axis=1)[kept]
    others = (answers * prompts[other]).sum(axis=1)[kept]
    estimate = paired_auc(np.round(own, 5), np.round(others, 5), np.arange(len(own)))
    return figure(
        "embedding.own_prompt",
        "answers fit their own prompt",
        estimate,
        "auc",
        method="AUC: cosine with the own prompt against that of the next row",
        alarm=f"Answers are hardly nearer in meaning to their own prompts: AUC "
        f"{estimate.value:.2f}."
        if estimate.below(APART)
        else "",
    )


def _moved(new: np.ndarray, old: np.ndarray, seed: int) -> Figure:
    """Cosine of the mean vectors of both sets, beside what reshuffled sets give."""
    value = _cosine(new, old)
    both = np.concatenate([new, old])
    draws = np.random.default_rng(seed)
    chance = [_split(both, draws.permutation(len(both)), len(new)) for _ in range(RESHUFFLES)]
    least = float(np.quantile(chance, 0.01))
    moved = value < least and value < MOVED
    return Figure(
        "embedding.drift",
        "cosine of the mean answers of the set and the reference",
        value,
        len(both),
        "score",
        method=f"{RESHUFFLES} reshuffles of the answers of both",
        note=f"Reshuffled sets have {least:.3f} or more in 99 of 100 cases.",
        alarm=f"Answers mean something else than those of the reference: cosine {value:.2f}."
        if moved
        else "",
    )


def _split(both: np.ndarray, order: np.ndarray, size: int) -> float:
    return _cosine(both[order[:size]], both[order[size:]])


def _cosine(new: np.ndarray, old: np.ndarray) -> float:
    a, b = new.mean(axis=0, dtype=np.float64), old.mean(axis=0, dtype=np.float64)
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
