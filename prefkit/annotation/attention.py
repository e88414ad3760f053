"""Attention checks: records with a known answer that look like any other.

One answer of a real record is replaced by an answer to another question. Who reads puts it last,
or rejects it. Which records are checks stands only in a file that the annotation lead keeps.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefkit.pairs.check import text_key
from prefkit.records import AnnotationTask, content_id

if TYPE_CHECKING:  # tasks read pairs, whose raters read the agreement that reads these checks
    from prefkit.annotation.tasks import Shown

Expected = dict[str, int] | str  # ranks of which only the order counts, or a decision
KEY_FILE = "key/attention.json"  # in the push run
_RANGE = 16**16


@dataclasses.dataclass(frozen=True)
class Checks:
    """Records with a known answer, and the key to them by task id."""

    shown: "tuple[Shown, ...]"
    key: dict[str, Expected]


def make_checks(shown: "Sequence[Shown]", share: float, seed: int) -> Checks:
    """A check beside about `share` of the records; which, is drawn by a hash of each prompt.

    At least one, if any is wanted and possible: a check takes an answer from another prompt.
    """

    def draw(one: "Shown") -> str:
        return content_id("check", seed, one.task.prompt_id)

    drawn = sorted(shown, key=draw)
    wanted = [one for one in drawn if int(draw(one), 16) / _RANGE < share]
    checks, key = [], {}
    for one in wanted or (drawn[:1] if share else []):
        foreign = _foreign(one, shown, seed)
        if foreign is not None:
            check, expected = _check(one, *foreign, seed)
            checks.append(check)
            key[check.task.id] = expected
    return Checks(tuple(checks), key)


def _foreign(one: "Shown", shown: "Sequence[Shown]", seed: int) -> tuple[str, str] | None:
    """Id and text of an answer to another prompt that says something else."""
    texts = {text_key(answer) for answer in (*one.answers, one.reference)}
    first = int(content_id("foreign", seed, one.task.prompt_id), 16) % len(shown)
    for other in (*shown[first:], *shown[:first]):
        if other.task.prompt_id == one.task.prompt_id:
            continue
        for name, answer in zip(other.task.shown_order, other.answers, strict=True):
            if text_key(answer) and text_key(answer) not in texts:
                return name, answer
    return None


def _check(one: "Shown", name: str, answer: str, seed: int) -> "tuple[Shown, Expected]":
    place = int(content_id("place", seed, one.task.prompt_id), 16) % len(one.answers)
    names, answers = list(one.task.shown_order), list(one.answers)
    names[place], answers[place] = name, answer
    task = AnnotationTask(
        kind=one.task.kind,
        prompt_id=one.task.prompt_id,
        shown_order=tuple(names),
        layout=one.task.layout,
        guideline_sha256=one.task.guideline_sha256,
    )
    expected: Expected = {other: 1 + (other == name) for other in names}
    if one.task.kind == "review":
        expected = "reject"
    return dataclasses.replace(one, task=task, answers=tuple(answers)), expected
