"""What changed between two pulls."""

import dataclasses
from collections.abc import Iterable

from prefkit.annotation.tasks import PULL_STAGE
from prefkit.records import Dropped, Judgment


@dataclasses.dataclass(frozen=True)
class Change:
    """Responses by what happened to them since the pull before.

    Attributes:
        new: Not there before.
        changed: Answered otherwise, or with another status.
        unchanged: The same.
        gone: There before and no longer on the server, each as a drop.
    """

    new: int
    changed: int
    unchanged: int
    gone: tuple[Dropped, ...]


def compare(before: Iterable[Judgment], now: Iterable[Judgment]) -> Change:
    """Bring the responses of two pulls together by record and annotator."""
    earlier = {_place(judgment): judgment for judgment in before}
    later = {_place(judgment): judgment for judgment in now}
    same = [place for place in later.keys() & earlier.keys() if _same(earlier[place], later[place])]
    both = len(later.keys() & earlier.keys())
    gone = [
        Dropped(
            record_id=judgment.id,
            stage=PULL_STAGE,
            rule="gone-from-server",
            detail=f"{judgment.status} by {judgment.annotator}, record {place[0]}",
        )
        for place, judgment in earlier.items()
        if place not in later
    ]
    return Change(len(later) - both, both - len(same), len(same), tuple(gone))


def _place(judgment: Judgment) -> tuple[str, str]:
    return judgment.metadata.get("record", judgment.prompt_id), judgment.annotator


def _same(one: Judgment, other: Judgment) -> bool:
    return (one.id, one.status, one.comment) == (other.id, other.status, other.comment)
