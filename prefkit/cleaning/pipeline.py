"""The steps of cleaning in order, over slices of any number on any engine.

Rows are read, given one spelling and shown to the rules; of what says the same, one stays; what
belongs together is put in one split. What stays, and where it goes, depends on its content and the
seed, not on the order of rows, on how they are cut, or on where the steps run.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from prefkit.cleaning.meaning import Alike, semantic_duplicates
from prefkit.cleaning.search import Found, Ground, near_duplicates
from prefkit.cleaning.steps import chunks as chunk_steps
from prefkit.cleaning.steps import draw, exact, groups, near, write
from prefkit.cleaning.steps.table import SHIFT
from prefkit.cleaning.steps.take_in import Job, take_in
from prefkit.engine import Flow, Part
from prefkit.errors import PrefkitError
from prefkit.leakage.index import Index
from prefkit.slices import Slice

BUCKET = 250_000  # rows of a bucket when rows are shuffled


@dataclasses.dataclass(frozen=True)
class Figures:
    """What cleaning did, in numbers.

    Attributes:
        rows: Rows that came in.
        train: Records to train on.
        test: Records held out.
        dropped: Drops a rule, most frequent first.
        changed: How many records that stay each kind of normalisation changed.
        flagged: How many records that stay each rule only marked.
        cut_off: Pairs that differ only where training does not look, whatever became of them.
        compared: Pairs compared in full to find near duplicates.
        groups: What belongs together lies in one group: how many there are.
        largest: Records of the largest group.
        drawn: Records whose split was drawn; the others came with theirs.
        leaks: Train records whose group has test records too; only where the input came with
            splits, which are never re-drawn.
        unplaced: Examples whose quoted chunks were not found, so that the chunk stood for its
            document.
        semantic: How semantic duplicates were looked for; empty when they were not.
    """

    rows: int = 0
    train: int = 0
    test: int = 0
    dropped: Counter[str] = dataclasses.field(default_factory=Counter)
    changed: Counter[str] = dataclasses.field(default_factory=Counter)
    flagged: Counter[str] = dataclasses.field(default_factory=Counter)
    cut_off: int = 0
    compared: int = 0
    groups: int = 0
    largest: int = 0
    drawn: int = 0
    leaks: int = 0
    unplaced: int = 0
    semantic: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Records that stay."""
        return self.train + self.test


@dataclasses.dataclass(frozen=True)
class Output:
    """What is to be written, part after part.

    Attributes:
        train: Records to train on, as lines of JSON or as columns.
        test: Records held out.
        dropped: What went, as lines of JSON.
        figures: All of it in numbers.
    """

    train: tuple[Part, ...]
    test: tuple[Part, ...]
    dropped: tuple[Part, ...]
    figures: Figures


def clean_slices(
    flow: Flow,
    slices: Sequence[Slice],
    chunk_slices: Sequence[Slice],
    job: Job,
    index: Index | None = None,
) -> Output:
    """Clean the rows of some slices.

    Args:
        flow: Where the steps run and leave their tables.
        slices: The rows; numbered from 0.
        chunk_slices: The chunks that rows may quote.
        job: Kind of records and configuration.
        index: Of the evaluation sets that nothing may be trained on.

    Raises:
        PrefkitError: A row is malformed, two different rows have one id, or nothing can be held
            out.
    """
    if not slices:
        return Output((), (), (), Figures())
    rows = sum(piece.rows for piece in slices)
    chunks = _as_one(flow.map("chunks", chunk_steps.chunk_table, chunk_slices or [None]))
    parts = flow.map("rows", take_in, slices, job, chunks, index)
    ground = Ground(flow, tuple(parts), job, 1 + rows // BUCKET)
    _refuse_shared_ids(ground, slices)
    same = _exact_duplicates(ground)
    found = near_duplicates(ground, flow.map("gone-0", near.rows_of, [_as_one(same)])[0])
    drops = [*same, flow.map("near-drops", write.near_drops, [found.keepers], ground.parts)[0]]
    alike = semantic_duplicates(ground, found.gone)
    if not job.config.flag_only:
        moved = _as_one([*drops[len(same) :], *alike.drops])
        drops = flow.map("at-home", write.rehomed, [(part, moved) for part in drops])
    drops += alike.drops
    splits, unplaced = _splits(ground, found, alike, drops, chunks)
    figures = Figures(
        rows=rows,
        cut_off=sum(int(part.notes()["cut_off"]) for part in parts),
        compared=found.compared,
        unplaced=unplaced,
        semantic=alike.figures,
    )
    return _output(ground, figures, drops, alike.marks, splits)


def _refuse_shared_ids(ground: Ground, slices: Sequence[Slice]) -> None:
    flow = ground.flow
    ids = flow.shuffle("ids", exact.by_id, ground.parts, ground.buckets)
    for part in flow.map("clashes", exact.clashes, ids):
        clash = part.table().to_pylist()
        if clash:
            places = [_place(row["row"], row["line"], slices) for row in clash]
            raise PrefkitError(
                f"Two different {ground.job.kind} have the id `{clash[0]['came']}`: "
                f"{places[0]} and {places[1]}.",
                hint="Give each its own id, or leave the field out: ids are made from content.",
            )


def _place(row: int, line: int, slices: Sequence[Slice]) -> str:
    return f"{slices[row >> SHIFT].path}:{line}"


def _exact_duplicates(ground: Ground) -> list[Part]:
    flow, job = ground.flow, ground.job
    keys = flow.shuffle("keys", exact.by_key, ground.parts, ground.buckets, job)
    return flow.map("same", exact.repeated, keys, job, ground.parts)


def _splits(
    ground: Ground, found: Found, alike: Alike, drops: Sequence[Part], chunks: Part
) -> tuple[Part, int]:
    """The splits, a piece a slice; and how many rows quote chunks that are not at hand."""
    flow, job = ground.flow, ground.job
    marking = job.config.flag_only
    gone = flow.map("none-gone", near.no_rows, [None])[0] if marking else alike.gone
    with_gone = [(part, gone) for part in ground.parts]
    quoted = _as_one(flow.map("quoted", groups.quoted, with_gone))
    placed = flow.map("places", groups.places, [(*pair, chunks) for pair in with_gone], job)
    edges = [*placed, *flow.map("alike-places", groups.alike_places, [(chunks, quoted)], job)]
    asked = flow.shuffle("asked", groups.by_prompt, with_gone, ground.buckets)
    edges += flow.map("asked-again", groups.asked_again, asked)
    edges += flow.map("links", groups.links, [(part, gone) for part in found.verified])
    edges += alike.links
    if marking:
        edges += flow.map("to-keepers", groups.to_keepers, drops)
    forests = flow.map("group-forests", near.merged, edges)
    forest = flow.reduce("group-forest", near.merged, forests)
    labels = flow.map("groups", near.labelled, [forest])[0]
    splits = flow.map("splits", draw.drawn, [(labels, gone)], ground.parts, job)[0]
    return splits, sum(int(part.notes()["unplaced"]) for part in placed)


def _output(
    ground: Ground,
    figures: Figures,
    drops: Sequence[Part],
    marks: Sequence[Part],
    splits: Part,
) -> Output:
    flow, job = ground.flow, ground.job
    by_slice = flow.shuffle("drops", write.by_slice, drops, len(ground.parts))
    marked = by_slice
    if marks:
        marked = flow.shuffle("marks", write.by_slice, [*drops, *marks], len(ground.parts))
    inputs = [
        (part, mine, Part(splits.files, number))
        for number, (part, mine) in enumerate(zip(ground.parts, marked, strict=True))
    ]
    kept = flow.map("records", write.records, inputs, job)
    went = list(zip(ground.parts, by_slice, strict=True))
    dropped = flow.map("dropped", write.dropped, went, job)
    train, test = (tuple(Part(part.files, piece) for part in kept) for piece in (0, 1))
    drawn = {name: int(value) for name, value in splits.notes().items()}
    figures = dataclasses.replace(
        figures,
        train=sum(part.rows() for part in train),
        test=sum(part.rows() for part in test),
        dropped=_counted(dropped, "rules"),
        changed=_counted(kept, "changed"),
        flagged=_counted(kept, "flagged"),
        **drawn,
    )
    return Output(train, test, tuple(dropped), figures)


def _counted(parts: Sequence[Part], note: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(json.loads(part.notes()[note]))
    return Counter(dict(total.most_common()))


def _as_one(parts: Sequence[Part]) -> Part:
    return Part(tuple(name for part in parts for name in part.files))
