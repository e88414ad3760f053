"""What to look at, in words, held to one error rate over all tests of the report."""

import dataclasses
from collections.abc import Sequence

from prefkit.annotation.agreement.habits import Habit
from prefkit.annotation.agreement.results import Flag
from prefkit.config import AgreementConfig
from prefkit.evaluation.statistics import holm

ERROR_RATE = 0.05
SLOTS = {"first_shown": "first", "last_shown": "last"}
USUAL = 0.8  # the same answer in fewer records is no straight line


@dataclasses.dataclass(frozen=True)
class Case:
    """One annotator's habit that is put to the test.

    Attributes:
        annotator: Who.
        kind: first_shown, last_shown, longer, hasty, usual_answer, differs or attention.
        habit: What was counted.
    """

    annotator: str
    kind: str
    habit: Habit


def raise_flags(cases: Sequence[Case], config: AgreementConfig) -> tuple[list[Flag], int]:
    """Flags for cases that are neither chance nor too small to matter.

    A case is tested when it has `least_records`, an attention check always; p-values are adjusted
    over all tests, so that of reports on annotators without habits at most 5 % have a flag.

    Returns:
        The flags, and how many tests were made.
    """
    tested = [case for case in cases if case.habit.test.n >= _least(case, config)]
    adjusted = holm([case.habit.test.p_value for case in tested])
    flags = [
        Flag(
            annotator=case.annotator,
            kind=case.kind,
            text=_words(case),
            p_value=case.habit.test.p_value,
            p_holm=p_holm,
        )
        for case, p_holm in zip(tested, adjusted, strict=True)
        if p_holm <= ERROR_RATE and _matters(case, config.least_excess)
    ]
    return sorted(flags, key=lambda flag: (flag.p_holm, flag.annotator, flag.kind)), len(tested)


def _least(case: Case, config: AgreementConfig) -> int:
    return 1 if case.kind == "attention" else config.least_records  # checks are few and exact


def _matters(case: Case, least: float) -> bool:
    test = case.habit.test
    if case.kind == "usual_answer" and case.habit.share.value < USUAL:
        return False
    return abs(test.share - test.expected) >= least


def _words(case: Case) -> str:
    who, habit, test = case.annotator, case.habit, case.habit.test
    share = habit.share
    interval = f"{share.low:.0%} to {share.high:.0%}" if share.low is not None else "no interval"
    counted = f"n = {test.n}, {test.expected:.0%} expected if annotators were alike"
    if case.kind in SLOTS:
        return (
            f"{who} ranks the candidate shown {SLOTS[case.kind]} best in {share.value:.0%} of "
            f"rankings (n = {share.n}, {interval}; {test.expected:.0%} expected if the slot did "
            "not matter). Look at whether all candidates are read to the end."
        )
    if case.kind == "attention":
        return (
            f"{who} passed {test.hits} of {test.n} attention checks ({interval}; "
            f"{test.expected:.0%} expected). Look at these answers together."
        )
    if case.kind == "differs":
        return (
            f"{who} agrees least with the others in {test.share:.0%} of the records where "
            f"annotators differ ({counted}). Look at a few of them together: the guideline may be "
            "read in two ways, and the one who differs may be right."
        )
    if case.kind == "longer":
        return (
            f"{who} prefers longer answers more than the others do in {test.share:.0%} of the "
            f"records where they differ in this ({counted}); the preferred one is longer in "
            f"{share.value:.0%}. Look at whether length is taken for quality."
        )
    if case.kind == "hasty":
        return (
            f"{who} takes less than a third of the others' median time in {share.value:.0%} of "
            f"shared records (n = {share.n}, {interval}; out of line in {test.share:.0%} of those "
            f"where someone is, {test.expected:.0%} expected). Look at the answers given fastest."
        )
    return (
        f"{who} gave the same answer ({habit.note}) in {share.value:.0%} of records "
        f"(n = {share.n}, {interval}; {test.expected:.0%} expected from what others say of them). "
        "Look at a few of them."
    )
