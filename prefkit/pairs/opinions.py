"""Judgments as columns: a million of them take little memory and are counted by numpy."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefkit.errors import PrefkitError
from prefkit.pairs.columns import codes, equals, places, sorting
from prefkit.records import Judgment

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 50_000  # judgments turned to columns at a time


@dataclasses.dataclass(frozen=True)
class Opinions:
    """Judgments of any status.

    Attributes:
        said: A row a judgment: id, prompt, annotator, source, status, answered_at, adjudicated,
            edit, and seen (the candidates as shown, where there is an edit).
        scores: A row a rank or rating: judgment (its row in `said`), candidate, value, and whether
            it is a rating. Higher is better, so a rank stands with its sign turned.
    """

    said: "pa.Table"
    scores: "pa.Table"

    def __len__(self) -> int:
        """How many judgments."""
        return self.said.num_rows

    def where(self, keep: NDArray[np.bool_]) -> "Opinions":
        """Only some of the judgments, in their order."""
        import pyarrow as pa

        if keep.all():
            return self
        place = np.cumsum(keep) - 1
        judgment = self.scores["judgment"].to_numpy()
        mine = keep[judgment]
        scores = self.scores.filter(pa.array(mine))
        column = pa.array(place[judgment[mine]])
        return Opinions(self.said.filter(pa.array(keep)), scores.set_column(0, "judgment", column))

    def without_prompts(self, prompts: Iterable[str]) -> "Opinions":
        """Only judgments of other prompts."""
        left_out = sorted(prompts)
        if not left_out:
            return self
        return self.where(places(self.said["prompt"], left_out) < 0)

    def save(self, folder: Path) -> None:
        """Write the columns into a new folder that is there only when whole."""
        import pyarrow.feather

        part = folder.with_name(f"{folder.name}.part")
        part.mkdir(exist_ok=True)
        pyarrow.feather.write_feather(self.said, part / "said", compression="lz4")
        pyarrow.feather.write_feather(self.scores, part / "scores", compression="lz4")
        part.rename(folder)

    @classmethod
    def load(cls, folder: Path) -> "Opinions":
        """Read what `save` wrote."""
        import pyarrow.feather

        said, scores = (
            pyarrow.feather.read_table(folder / name, memory_map=False)
            for name in ("said", "scores")
        )
        return cls(said, scores)


def opinions_of(judgments: Iterable[Judgment], where: str = "") -> Opinions:
    """Judgments as columns, in an order that does not depend on theirs; see `joined`."""
    return joined(list(_blocks(judgments)), where)


def joined(parts: Sequence[Opinions], where: str = "") -> Opinions:
    """Several tables as one: by the time of the answer, then by id; each id once, its last.

    Args:
        parts: In any order.
        where: The files they are from.

    Raises:
        PrefkitError: Judgments of several raters or prompts have one id.
    """
    import pyarrow as pa

    parts = parts or [_columns(())]
    counts = np.cumsum([0, *(len(part) for part in parts)])
    said = pa.concat_tables([part.said for part in parts])
    judgment = np.concatenate(
        [p.scores["judgment"].to_numpy() + n for p, n in zip(parts, counts, strict=False)]
    ).astype(np.int64)
    scores = pa.concat_tables([part.scores for part in parts])
    said = said.combine_chunks()
    order = sorting(said["id"].combine_chunks())
    twice = _twice(said, order, where)
    time = said["answered_at"].combine_chunks().dictionary_encode()
    if len(time.dictionary) > 1:
        rank = np.empty(len(time.dictionary), np.int64)
        rank[sorting(time.dictionary)] = np.arange(len(rank))
        when = rank[time.indices.to_numpy(zero_copy_only=False)]
        order = order[np.argsort(when[order], kind="stable")]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    moved = place[judgment]
    by_judgment = np.argsort(moved, kind="stable")
    scores = scores.take(pa.array(by_judgment)).set_column(
        0, "judgment", pa.array(moved[by_judgment])
    )
    whole = Opinions(said.take(pa.array(order)), scores)
    return whole.where(_last_of_each(whole.said["id"])) if twice else whole


def _twice(said: "pa.Table", order: NDArray[np.int64], where: str) -> bool:
    """Whether an id comes again, as that of a revised judgment does."""
    import pyarrow as pa

    ids = said["id"].take(pa.array(order))
    same = np.flatnonzero(equals(ids.slice(0, max(len(ids) - 1, 0)), ids.slice(1)))
    one, other = pa.array(order[same]), pa.array(order[same + 1])
    for column in ("prompt", "annotator", "source") if len(same) else ():
        words, others = said[column].take(one), said[column].take(other)
        differs = np.flatnonzero(~equals(words, others))
        if len(differs):
            at = int(differs[0])
            raise PrefkitError(
                f"{where}{': ' if where else ''}judgment {ids[int(same[at])]} is there twice, with "
                f"the {column} {words[at]} and {others[at]} ({len(differs)} such ids).",
                hint="Leave the ids of judgments out: they are then made from the content.",
            )
    return len(same) > 0


def _last_of_each(ids: "pa.ChunkedArray") -> NDArray[np.bool_]:
    _, number = codes(ids)
    keep = np.zeros(len(number), bool)
    _, first = np.unique(number[::-1], return_index=True)
    keep[len(number) - 1 - first] = True
    return keep


def _blocks(judgments: Iterable[Judgment]) -> Iterator[Opinions]:
    block: list[Judgment] = []
    for judgment in judgments:
        block.append(judgment)
        if len(block) == ROWS:
            yield _columns(block)
            block = []
    yield _columns(block)


def _columns(judgments: Sequence[Judgment]) -> Opinions:
    import pyarrow as pa

    number: list[int] = []
    candidate: list[str] = []
    value: list[float] = []
    rated: list[bool] = []
    for row, judgment in enumerate(judgments):
        for scores, sign in ((judgment.ranks, -1.0), (judgment.ratings, 1.0)):
            if scores:
                number += [row] * len(scores)
                candidate += scores
                value += [sign * score for score in scores.values()]
                rated += [sign > 0] * len(scores)
    words = pa.string()
    said = {
        "id": pa.array([j.id for j in judgments], words),
        "prompt": pa.array([j.prompt_id for j in judgments], words),
        "annotator": pa.array([j.annotator for j in judgments], words),
        "source": pa.array([j.source for j in judgments], words),
        "status": pa.array([j.status for j in judgments], words),
        "answered_at": pa.array([j.answered_at for j in judgments], words),
        "adjudicated": pa.array([j.adjudicated for j in judgments], pa.bool_()),
        "edit": pa.array([j.edit for j in judgments], pa.large_string()),  # may pass 2 GiB in all
        "seen": pa.array([j.shown_order if j.edit else () for j in judgments], pa.list_(words)),
    }
    scores = {
        "judgment": pa.array(number, pa.int64()),
        "candidate": pa.array(candidate, words),
        "value": pa.array(value, pa.float64()),
        "rated": pa.array(rated, pa.bool_()),
    }
    return Opinions(pa.table(said), pa.table(scores))
