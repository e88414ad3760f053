"""How often each annotator is right, without knowing what is right: one-coin Dawid-Skene."""

import dataclasses

import numpy as np

from prefkit.annotation.agreement.tables import Floats, Ints, Table

RIGHT, WRONG = 4.0, 2.0  # Beta prior of an annotator's accuracy: mean 2/3
ROUNDS = 500
TOLERANCE = 1e-7
LEAST_VOTERS = 3  # two annotators who disagree do not tell who is wrong


@dataclasses.dataclass(frozen=True)
class Reliability:
    """What the model says.

    Attributes:
        accuracy: Chance that an annotator gives the true answer; nan for those who share no unit
            with two others. Shape (annotators,).
        records: Records it rests on, an annotator. Shape (annotators,).
        rounds: EM steps until it settled.
    """

    accuracy: Floats
    records: Ints
    rounds: int


def one_coin(table: Table, times: Floats | None = None) -> Reliability:
    """Estimate each annotator's accuracy by EM (Dawid and Skene 1979, with one rate an annotator).

    A wrong answer is equally often each of the other values. Every value is equally likely
    before, and an annotator starts with the Beta(4, 2) prior, which also tells right from wrong
    when all answers are mirrored. The annotators' own majority starts the search.

    Args:
        table: Nominal answers; leave ties out of comparisons first.
        times: How many units of the same answers each row stands for; one when unset.
    """
    enough = table.answers[table.unit] >= LEAST_VOTERS
    kept = table.where(enough) if len(table.unit) else table
    times = np.ones(len(kept.unit)) if times is None else times[enough]
    annotators, classes = len(table.annotators), max(len(np.unique(kept.value)), 2)
    records = _records(kept, annotators)
    if not len(kept.unit):
        return Reliability(np.full(annotators, np.nan), records, 0)
    _, label = np.unique(kept.value, return_inverse=True)
    cell = kept.unit * classes + label
    truth = np.bincount(cell, minlength=kept.units * classes).reshape(-1, classes)
    truth = truth / truth.sum(axis=1, keepdims=True)
    votes = np.bincount(kept.annotator, times, minlength=annotators)
    accuracy, rounds = np.full(annotators, np.nan), 0
    for rounds in range(1, ROUNDS + 1):
        right = np.bincount(kept.annotator, times * truth.ravel()[cell], annotators)
        new = (right + RIGHT - 1) / (votes + RIGHT + WRONG - 2)
        if np.nanmax(np.abs(new - accuracy), initial=0) < TOLERANCE and rounds > 1:
            break
        accuracy = new
        gain = np.log(accuracy) - np.log1p(-accuracy) + np.log(classes - 1)
        belief = np.bincount(cell, gain[kept.annotator], kept.units * classes).reshape(-1, classes)
        truth = np.exp(belief - belief.max(axis=1, keepdims=True))
        truth /= truth.sum(axis=1, keepdims=True)
    return Reliability(np.where(votes > 0, accuracy, np.nan), records, rounds)


def _records(table: Table, annotators: int) -> Ints:
    """How many records each annotator has in the table."""
    seen = np.unique(table.annotator * (len(table.records) + 1) + table.record)
    return np.bincount(seen // (len(table.records) + 1), minlength=annotators)
