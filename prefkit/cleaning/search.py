"""Near duplicates in passes: keys, pairs, exact comparison, clusters, keepers.

One pass finds them all, except where more texts share a band than can be compared in full. Then
what went makes room, and the next pass compares those that stay.
"""

import dataclasses
from collections.abc import Sequence

from prefkit.cleaning.steps import near
from prefkit.cleaning.steps.take_in import Job
from prefkit.engine import Flow, Part

PASSES = 10


@dataclasses.dataclass(frozen=True)
class Ground:
    """What the steps stand on.

    Attributes:
        flow: Runs them.
        parts: Tables of the slices.
        job: What every worker is told.
        buckets: How many parts a shuffle makes.
    """

    flow: Flow
    parts: tuple[Part, ...]
    job: Job
    buckets: int


@dataclasses.dataclass(frozen=True)
class Found:
    """What near-duplicate search found.

    Attributes:
        keepers: Which rows go and to whom, a table of `KEEPERS`.
        gone: All rows that went so far, exact duplicates too, in order.
        verified: Tables of the pairs that hold.
        compared: Pairs compared in full.
    """

    keepers: Part
    gone: Part
    verified: list[Part]
    compared: int


def near_duplicates(ground: Ground, gone: Part) -> Found:
    """Search until nothing more is found.

    Args:
        ground: The rows.
        gone: Rows that exact duplicates took, in order.
    """
    flow = ground.flow
    found = flow.map("near-0", near.no_keepers, [None])[0]
    verified: list[Part] = []
    lost, compared = gone, 0
    for turn in range(1, PASSES + 1):
        pairs = _verified(ground, lost, turn)
        verified += pairs
        notes = [part.notes() for part in pairs]
        compared += sum(int(note["compared"]) for note in notes)
        fresh = _keepers(ground, pairs, turn)
        found = _rehomed(ground, found, fresh, turn)
        lost = flow.map(f"gone-{turn}", near.lost, [(gone, found)])[0]
        crowded = any(note["crowded"] == "1" for note in notes)
        if not crowded or not len(fresh.table()):
            break
    return Found(found, lost, verified, compared)


def _verified(ground: Ground, gone: Part, turn: int) -> list[Part]:
    flow, job, buckets = ground.flow, ground.job, ground.buckets
    done = flow.made(f"compared-{turn}", buckets)
    if done:
        return done
    inputs = [(part, gone) for part in ground.parts]
    files: list[Part] = []
    decisive = near.COMPARED[job.config.compare][0]
    columns = dict.fromkeys([decisive, *(["prompt", "answer"] if job.config.test_share else [])])
    for column in columns:
        keys = flow.shuffle(f"{column}-keys-{turn}", near.keys, inputs, buckets, column, job)
        step = f"{column}-pairs-{turn}"
        files += flow.shuffle(step, near.pairs, keys, buckets, column == decisive)
        flow.forget(f"{column}-keys-{turn}")
    pairs = [
        Part(tuple(name for part in files[bucket::buckets] for name in part.files), bucket)
        for bucket in range(buckets)
    ]
    return flow.map(f"compared-{turn}", near.verified, pairs, job, ground.parts)


def _keepers(ground: Ground, verified: Sequence[Part], turn: int) -> Part:
    """Clusters by a spanning forest merged over all parts; then each cluster on its own."""
    flow, buckets = ground.flow, ground.buckets
    forests = flow.map(f"forests-{turn}", near.duplicates, verified)
    forest = flow.reduce(f"forest-{turn}", near.merged, forests)
    labels = flow.map(f"clusters-{turn}", near.labelled, [forest])[0]
    inputs = [(part, labels) for part in verified]
    edges = flow.shuffle(f"edges-{turn}", near.by_cluster, inputs, buckets)
    kept = flow.map(f"keepers-{turn}", near.kept_apart, edges, ground.parts)
    return Part(tuple(name for part in kept for name in part.files))


def _rehomed(ground: Ground, found: Part, fresh: Part, turn: int) -> Part:
    """Earlier and new finds together; what lost its keeper gets the keeper's, or comes back."""
    orphans = ground.flow.map(f"orphans-{turn}", near.orphans, [(found, fresh)])
    near_again = ground.flow.map(
        f"rehomed-{turn}", near.verified, orphans, ground.job, ground.parts
    )
    return ground.flow.map(f"near-{turn}", near.joined, [(found, fresh, near_again[0])])[0]
