"""Relevance: whether an answer speaks of what was asked, and of the passage that it quotes."""

import math

import numpy as np

from prefkit.audit.auc import paired_auc
from prefkit.audit.audited import Audited
from prefkit.audit.quality.part import Part, asked, good_rows
from prefkit.audit.sections import Figure
from prefkit.audit.surface import WORD
from prefkit.audit.telling import figure
from prefkit.cleaning.rows import Row
from prefkit.evaluation.statistics import Estimate, bootstrap
from prefkit.generation.grounding import share_supported

APART = 0.6  # under this, an answer tells little of which prompt it answers
MOST_PASSAGES = 3_000  # answers compared with their passage word by word
LITTLE = 0.5  # of an answer's content words in its passage; a quote has all of them


def found(audited: Audited) -> Part:
    """Own prompt against another's, and overlap with the passage."""
    return Part((_own_prompt(audited), _own_passage(audited)))


def own_and_other(audited: Audited) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of each answer with its own prompt, and with the prompt of another row."""
    rows = good_rows(audited)
    prompts, answers = [asked(row) for row, _ in rows], [text for _, text in rows]
    other = _others(prompts)
    keep = np.flatnonzero(other >= 0)
    if not len(keep):
        return np.empty(0), np.empty(0)
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(
        token_pattern=WORD.pattern, sublinear_tf=True, max_features=200_000, dtype=np.float32
    )
    try:
        vectors.fit(prompts + answers)
    except ValueError:  # no word in any text
        return np.empty(0), np.empty(0)
    p, a = vectors.transform(prompts), vectors.transform(answers)

    def cosines(places: np.ndarray) -> np.ndarray:
        return np.asarray(a[keep].multiply(p[places]).sum(axis=1)).ravel()

    return cosines(keep), cosines(other[keep])


def _own_prompt(audited: Audited) -> Figure:
    own, other = own_and_other(audited)
    rounded = np.round(own, 6), np.round(other, 6)  # equal but for the order of a sum is equal
    estimate = paired_auc(*rounded, np.arange(len(own)))
    low = estimate.below(APART)
    return figure(
        "quality.relevance.own_prompt",
        "relevance: answers fit their own prompt",
        estimate,
        "auc",
        method="AUC: tf-idf cosine with the own prompt against that of another row",
        note="0.5 is an answer that could stand under any prompt. Very short answers, and answers "
        "in other words than the question, lower it without being wrong.",
        alarm=f"Answers are hardly nearer to their own prompts than to others': AUC "
        f"{estimate.value:.2f}."
        if low
        else "",
    )


def _others(prompts: list[str]) -> np.ndarray:
    """For each row a row with another prompt, from the next on; -1 where there is none."""
    n = len(prompts)
    found = np.full(n, -1)
    for place in range(n):
        for step in range(1, min(n, 50)):
            if prompts[(place + step) % n] != prompts[place]:
                found[place] = (place + step) % n
                break
    return found


def _own_passage(audited: Audited) -> Figure:
    rows = [(row, text, passage_of(row, audited)) for row, text in good_rows(audited)]
    with_passage = [(text, passage) for _, text, passage in rows if passage]
    shares = [share_supported(*both) for both in with_passage[:MOST_PASSAGES]]
    estimate = bootstrap(shares, seed=audited.config.seed) if shares else Estimate(math.nan, 0)
    return figure(
        "quality.relevance.passage",
        "relevance: an answer's content words stand in its passage",
        estimate,
        method="mean share of stems" if shares else "",
        note="" if shares else "Not measured: no record quotes a passage that is at hand.",
        alarm=f"Answers share only {estimate.value:.0%} of their content words with what they "
        "quote."
        if estimate.below(LITTLE)
        else "",
    )


def passage_of(row: Row, audited: Audited) -> str:
    """The chunks that a record quotes, or the passage that it carries; empty without."""
    quotes = getattr(row.record, "quotes", ())
    names = dict.fromkeys(quote.chunk_id for quote in quotes)
    texts = [audited.chunks[name].text for name in names if name in audited.chunks]
    return "\n\n".join(texts) or row.record.metadata.get("passage", "")
