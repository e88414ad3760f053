"""The report on each annotator, and what in it is put to the test."""

import dataclasses
import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from prefkit.annotation.agreement import checks, habits
from prefkit.annotation.agreement.answers import Answers
from prefkit.annotation.agreement.flags import Case
from prefkit.annotation.agreement.habits import Habit
from prefkit.annotation.agreement.peers import peers, strict, tie_share
from prefkit.annotation.agreement.reliability import one_coin
from prefkit.annotation.agreement.results import AnnotatorReport, Figure, figure
from prefkit.annotation.agreement.tables import Table
from prefkit.evaluation.statistics import Estimate, wilson

TESTED = ("first_shown", "last_shown", "longer", "hasty", "usual_answer", "differs", "attention")
EXPECTED = ("agreement", "first_shown", "last_shown", "usual_answer", "differs", "attention")
LABELS = {
    "agreement": "Agrees with the others",
    "reliability": "Reliability",
    "first_shown": "First shown is best",
    "last_shown": "Last shown is best",
    "longer": "Longer is better",
    "hasty": "Much faster than the others",
    "usual_answer": "Gives the usual answer",
    "differs": "Agrees least of all",
    "ties": "Calls two equal",
    "attention": "Attention checks passed",
    "repeats": "Says the same again",
}
SLOT = "expected where the order shown is random: m of k when m share the first place"
METHODS = {
    "agreement": "expected: among the others themselves; each record one trial",
    "reliability": "one-coin Dawid-Skene, Beta(4, 2) prior; each record one trial",
    "first_shown": f"{SLOT}; exact Poisson-binomial test",
    "last_shown": f"{SLOT}; exact Poisson-binomial test",
    "longer": "AUC: chance that the preferred one is the longer; each record one trial",
    "hasty": "under a third of the others' median seconds on the record",
    "usual_answer": "expected: how often anyone gives it on the same records",
    "differs": "expected: if annotators of a record were interchangeable",
    "ties": "share of pairs of candidates; each record one trial",
    "attention": "expected of a careful annotator",
    "repeats": "pairs of candidates in the same order; each prompt one trial",
}


def measured(
    answers: Answers,
    main: Table | None,
    compared: Table | None,
    lengths: Mapping[str, int],
) -> dict[str, list[Habit]]:
    """Every habit of every annotator, by its key; annotators as in `answers.annotators`.

    Args:
        answers: The votes.
        main: The question annotators are compared on.
        compared: The comparisons that rankings make.
        lengths: Characters of each candidate, as far as known.
    """
    names, votes = answers.annotators, answers.judgments
    found = {
        "first_shown": habits.best_in_slot(votes, names, 0),
        "last_shown": habits.best_in_slot(votes, names, -1),
        "longer": habits.longer_preferred(votes, names, lengths),
        "hasty": habits.hasty(votes, names),
        "usual_answer": habits.usual_answer(votes, names),
        "repeats": checks.repeated(answers),
    }
    if main is not None:
        found |= {name: _spread(main, names, each) for name, each in _beside(main).items()}
    if compared is not None:
        ties = [Habit(share, checks.UNTESTED) for share in tie_share(compared)]
        found["ties"] = _spread(compared, names, ties)
    return found


def _beside(main: Table) -> dict[str, list[Habit]]:
    """What is measured against the others of the same records; annotators as in the table."""
    beside = peers(main)
    reliable = one_coin(strict(main))
    return {
        "agreement": [
            Habit(share, dataclasses.replace(checks.UNTESTED, expected=others))
            for share, others in zip(beside.agreement, beside.others, strict=True)
        ],
        "differs": [Habit(wilson(test.hits, test.n), test) for test in beside.differs],
        "reliability": [
            Habit(wilson(0, 0) if math.isnan(rate) else wilson(rate * n, n), checks.UNTESTED)
            for rate, n in zip(reliable.accuracy.tolist(), reliable.records.tolist(), strict=True)
        ],
    }


def _spread(table: Table, names: Sequence[str], each: Sequence[Habit]) -> list[Habit]:
    """Habits of the table's annotators for everyone, empty for who is not in it."""
    known = dict(zip(table.annotators, each, strict=True))
    return [known.get(name, Habit(wilson(0, 0), checks.UNTESTED)) for name in names]


def cases(names: Sequence[str], found: Mapping[str, Sequence[Habit]]) -> list[Case]:
    """What is put to the test: every habit that has an expectation."""
    return [
        Case(name, kind, found[kind][place])
        for kind in TESTED
        if kind in found
        for place, name in enumerate(names)
    ]


def reports(answers: Answers, found: Mapping[str, Sequence[Habit]]) -> list[AnnotatorReport]:
    """One report an annotator, with the figures that apply."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for judgment in answers.judgments:
        if judgment.seconds is not None:
            seconds[judgment.annotator].append(judgment.seconds)
    return [
        _report(name, place, answers, seconds[name], found)
        for place, name in enumerate(answers.annotators)
    ]


def _report(
    name: str,
    place: int,
    answers: Answers,
    seconds: Sequence[float],
    found: Mapping[str, Sequence[Habit]],
) -> AnnotatorReport:
    statuses = answers.statuses[name]
    return AnnotatorReport(
        name=name,
        submitted=statuses["submitted"],
        discarded=statuses["discarded"],
        draft=statuses["draft"],
        other=statuses["skipped"] + statuses["unscored"],
        seconds=round(statistics.median(seconds), 3) if seconds else None,
        usual_answer=found["usual_answer"][place].note,
        figures=tuple(
            _figure(key, found[key][place])
            for key in LABELS
            if key in found and found[key][place].share.n
        ),
    )


def _figure(key: str, habit: Habit) -> Figure:
    share = habit.share
    estimate = Estimate(share.value, share.n, share.low, share.high, _method(key, share))
    expected = habit.test.expected if key in EXPECTED else None
    return figure(key, LABELS[key], estimate, expected=expected, percent=True)


def _method(key: str, share: Estimate) -> str:
    return f"{share.method}; {METHODS[key]}"
