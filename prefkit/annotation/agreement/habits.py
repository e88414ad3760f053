"""What an annotator does whatever the record says: first slot, length, same answer, haste."""

import dataclasses
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from prefkit.annotation.agreement.extremes import Extreme, counted, stand_outs
from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.records import Judgment

HASTE = 3  # an answer is hasty when the others took more than this many times as long


@dataclasses.dataclass(frozen=True)
class Habit:
    """One habit of one annotator.

    Attributes:
        share: How often it shows, with its interval.
        test: How often it would show if it were no habit of this annotator.
        note: What the habit is in this case, such as the answer that is always given.
    """

    share: Estimate
    test: Extreme
    note: str = ""


def best_in_slot(
    judgments: Iterable[Judgment], annotators: Sequence[str], slot: int
) -> list[Habit]:
    """How often the candidate shown first (slot 0) or last (-1) is ranked best, alone or tied.

    Where the order is drawn at random, it is one of the m best of k in m / k of rankings, whatever
    the annotator prefers. All-tied rankings, half rankings and unknown orders say nothing.
    """
    hits: Counter[str] = Counter()
    chances: dict[str, list[float]] = defaultdict(list)
    for judgment in judgments:
        ranks = judgment.ranks or {}
        if len(ranks) < 2 or set(judgment.shown_order) != set(ranks):
            continue
        best = min(ranks.values())
        top = sum(rank == best for rank in ranks.values())
        if top < len(ranks):
            hits[judgment.annotator] += ranks[judgment.shown_order[slot]] == best
            chances[judgment.annotator].append(top / len(ranks))
    tests = [counted(hits[who], np.array(chances[who])) for who in annotators]
    return [Habit(wilson(test.hits, test.n), test) for test in tests]


def longer_preferred(
    judgments: Iterable[Judgment], annotators: Sequence[str], lengths: Mapping[str, int]
) -> list[Habit]:
    """How often the longer of two candidates is preferred; who does so most in a record.

    The share is an AUC: the chance that a preferred candidate is longer than the one it beats.
    Longer may well be better, so an annotator is only held against the others of the record.

    Args:
        judgments: The votes.
        annotators: One result each.
        lengths: Characters of each candidate; the others are left out.
    """
    number = {who: place for place, who in enumerate(annotators)}
    record, annotator, score = [], [], []
    for judgment in judgments:
        ranks = [
            (lengths[one], rank) for one, rank in (judgment.ranks or {}).items() if one in lengths
        ]
        longer = sum(a > b and x < y for a, x in ranks for b, y in ranks)
        shorter = sum(a < b and x < y for a, x in ranks for b, y in ranks)
        if longer + shorter:
            record.append(judgment.prompt_id)
            annotator.append(number[judgment.annotator])
            score.append(longer / (longer + shorter))
    return _compared(record, annotator, score, annotators)


def hasty(judgments: Iterable[Judgment], annotators: Sequence[str]) -> list[Habit]:
    """How often an annotator takes less than a third of the others' median time on a record."""
    by_record: dict[str, list[Judgment]] = defaultdict(list)
    for judgment in judgments:
        if judgment.seconds is not None:
            by_record[judgment.prompt_id].append(judgment)
    number = {who: place for place, who in enumerate(annotators)}
    record, annotator, score = [], [], []
    for prompt, group in by_record.items():
        for judgment in group if len(group) > 1 else ():
            others = [other.seconds or 0 for other in group if other is not judgment]
            record.append(prompt)
            annotator.append(number[judgment.annotator])
            score.append(float(HASTE * (judgment.seconds or 0) < statistics.median(others)))
    return _compared(record, annotator, score, annotators)


def _compared(
    record: Sequence[str],
    annotator: Sequence[int],
    score: Sequence[float],
    annotators: Sequence[str],
) -> list[Habit]:
    """The mean score of each annotator over records, held against the others' of each record."""
    who, values = np.array(annotator, np.int64), np.array(score, np.float64)
    _, place = np.unique(np.array(record, dtype=str), return_inverse=True)
    tests = stand_outs(place, who, values, len(annotators))
    sums = np.bincount(who, values, len(annotators))
    counts = np.bincount(who, minlength=len(annotators))
    return [
        Habit(wilson(total, int(n)), test)
        for total, n, test in zip(sums.tolist(), counts, tests, strict=True)
    ]


def usual_answer(judgments: Iterable[Judgment], annotators: Sequence[str]) -> list[Habit]:
    """How often an annotator gives the answer that is most usual for them.

    The test asks whether the others of the same records give that answer as often; it is exact
    for one answer, so its chance is multiplied by how many answers the annotator has given.
    """
    by_record: dict[str, list[str]] = defaultdict(list)
    given: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for judgment in judgments:
        said = _as_shown(judgment)
        by_record[judgment.prompt_id].append(said)
        given[judgment.annotator].append((judgment.prompt_id, said))
    return [_usual(given[who], by_record) for who in annotators]


def _usual(given: Sequence[tuple[str, str]], by_record: Mapping[str, list[str]]) -> Habit:
    if not given:
        return Habit(wilson(0, 0), counted(0, np.empty(0)))
    answers = Counter(said for _, said in given)
    usual, count = answers.most_common(1)[0]
    hits, chances = 0, []
    for record, said in given:
        all_said = by_record[record]
        if len(all_said) > 1:
            hits += said == usual
            chances.append(all_said.count(usual) / len(all_said))
    test = counted(hits, np.array(chances))
    test = dataclasses.replace(test, p_value=min(1.0, test.p_value * len(answers)))
    return Habit(wilson(count, len(given)), test, usual)


def _as_shown(judgment: Judgment) -> str:
    """The answer in the order of the slots, so that always the same clicks are the same text."""
    ranks, parts = judgment.ranks or {}, []
    order = {candidate: slot for slot, candidate in enumerate(judgment.shown_order)}

    def slots(scores: Mapping[str, float]) -> str:
        names = sorted(scores, key=lambda name: (order.get(name, len(order)), name))
        return ", ".join(f"{scores[name]:g}" for name in names)

    if judgment.decision:
        parts.append(judgment.decision)
    if ranks:
        parts.append(f"ranks {slots(ranks)} in the order shown")
    if judgment.ratings:
        parts.append(f"ratings {slots(judgment.ratings)}")
    parts += [f"{name} {slots(s)}" for name, s in sorted((judgment.aspects or {}).items())]
    return "; ".join(parts)
