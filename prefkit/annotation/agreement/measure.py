"""The whole report as one pure function of judgments."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping

from prefkit.annotation.agreement.answers import Answers, gather
from prefkit.annotation.agreement.checks import Key, attention, outcome
from prefkit.annotation.agreement.conflicts import conflicts
from prefkit.annotation.agreement.flags import raise_flags
from prefkit.annotation.agreement.peers import main_question, matrix
from prefkit.annotation.agreement.people import cases, measured, reports
from prefkit.annotation.agreement.questions import question_tables, report_questions
from prefkit.annotation.agreement.results import Agreement, rounded
from prefkit.annotation.agreement.tables import Table
from prefkit.config import AgreementConfig
from prefkit.records import Conflict, Judgment

MOST_IN_MATRIX = 60  # annotators; a larger matrix nobody reads
FEW = 30  # shared prompts under which intervals are wide and tests blind


@dataclasses.dataclass(frozen=True)
class Measured:
    """How alike annotators answer, and where they do not.

    Attributes:
        agreement: Every figure.
        conflicts: Prompts for an adjudicator, the greatest conflict first.
    """

    agreement: Agreement
    conflicts: tuple[Conflict, ...]


def measure(
    judgments: Iterable[Judgment],
    config: AgreementConfig,
    lengths: Mapping[str, int] | None = None,
    key: Key | None = None,
) -> Measured:
    """Measure agreement, annotators and conflicts.

    Answers to attention checks test annotators and count for nothing else. None of this depends
    on the order of the judgments or on the annotators' names.

    Args:
        judgments: Of any status; only submitted ones are compared.
        config: The `[agreement]` table.
        lengths: Characters of each candidate, as far as known.
        key: Expected answers of attention checks, by task or prompt id.
    """
    real, checks = _apart(judgments, key or {})
    answers = gather(real, config.sources)
    votes = answers.judgments
    tables = question_tables(votes, config.scale)
    main = main_question(tables)
    found = measured(answers, tables.get(main), tables.get("ranks"), lengths or {})
    checked = gather(checks, config.sources)
    seen = (*checked.judgments, *(later for _, later in checked.repeats))
    found["attention"] = attention(seen, answers.annotators, key or {})
    flags, tests = raise_flags(cases(answers.annotators, found), config)
    settled = {judgment.prompt_id for judgment in answers.adjudicated}
    unsettled = conflicts((v for v in votes if v.prompt_id not in settled), config.conflict)
    voters = Counter(vote.prompt_id for vote in votes)
    shares, met = _matrix(tables.get(main), answers)
    return Measured(
        Agreement(
            judgments=len(votes),
            prompts=len(voters),
            shared_prompts=sum(count > 1 for count in voters.values()),
            adjudicated=len(answers.adjudicated),
            main=main,
            tests=tests,
            questions=tuple(report_questions(votes, tables, config.seed)),
            annotators=tuple(reports(answers, found)),
            matrix=shares,
            matrix_n=met,
            flags=tuple(flags),
            conflicts=len(unsettled),
            threshold=config.conflict,
            notes=tuple(_notes(answers, voters, lengths or {})),
        ),
        tuple(unsettled),
    )


def _apart(judgments: Iterable[Judgment], key: Key) -> tuple[list[Judgment], list[Judgment]]:
    """Real judgments, and answers to attention checks."""
    real, checks = [], []
    for judgment in judgments:
        (real if outcome(judgment, key) is None else checks).append(judgment)
    return real, checks


def _matrix(
    table: Table | None, answers: Answers
) -> tuple[tuple[tuple[float | None, ...], ...], tuple[tuple[int, ...], ...]]:
    """Agreement of each two annotators, in the order of the report's annotators."""
    names = answers.annotators
    if table is None or len(names) > MOST_IN_MATRIX:
        return (), ()
    shares, met = matrix(table)
    place = {name: number for number, name in enumerate(table.annotators)}

    def cell(one: str, other: str) -> tuple[float | None, int]:
        if one not in place or other not in place:
            return None, 0
        at = place[one], place[other]
        return rounded(shares[at]), int(met[at])

    cells = [[cell(one, other) for other in names] for one in names]
    return (
        tuple(tuple(share for share, _ in row) for row in cells),
        tuple(tuple(n for _, n in row) for row in cells),
    )


def _notes(answers: Answers, voters: Mapping[str, int], lengths: Mapping[str, int]) -> list[str]:
    """What the reader must know before believing a figure."""
    notes = []
    shared = sum(count > 1 for count in voters.values())
    if not shared:
        notes.append(
            "No prompt has two annotators, so nothing can be said about agreement. "
            "Push with an overlap of two or more."
        )
    elif shared < FEW:
        notes.append(f"Only {shared} prompts have two annotators: intervals are wide.")
    if shared and max(voters.values()) < 3:
        notes.append(
            "No prompt has three annotators, so reliability cannot be told from agreement: when "
            "two differ, nothing says who is right."
        )
    ranked = [vote for vote in answers.judgments if vote.ranks]
    if ranked and not any(vote.shown_order for vote in ranked):
        notes.append("The order in which candidates were shown is not known: no position bias.")
    if ranked and not lengths:
        notes.append("The candidates' texts were not found upstream: no length bias.")
    return notes
