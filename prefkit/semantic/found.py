"""All that `prefkit similar` finds, from vectors to what a person reads."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefkit.config import SimilarConfig
from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.records import SimilarPair
from prefkit.semantic.calibrate import BANDS, LOWEST, Band, Calibration, bands, calibrate
from prefkit.semantic.duplicates import Compared, Yielding, agreeing, alike, clusters, yielding
from prefkit.semantic.outliers import Nearness, SourceNearness, by_source, nearness
from prefkit.semantic.search import Blocks, Indices, Near, TooManyPairs


@dataclasses.dataclass(frozen=True)
class Shown:
    """A pair of the sample.

    Attributes:
        left_id: The one record.
        right_id: The other.
        left: Its text that is compared.
        right: The other's.
        cosine: Of the two.
        same_facts: Whether they state the same numbers, names and turning words.
    """

    left_id: str
    right_id: str
    left: str
    right: str
    cosine: float
    same_facts: bool


@dataclasses.dataclass(frozen=True)
class Far:
    """A text far from all others.

    Attributes:
        id: The preferred record with it.
        text: What is compared.
        source: Where the record is from.
        mean: Mean cosine with the nearest others.
        z: Robust z of that mean.
        outlier: Whether z is low enough to be marked by `clean`.
    """

    id: str
    text: str
    source: str
    mean: float
    z: float
    outlier: bool


@dataclasses.dataclass(frozen=True)
class Similar:
    """What was found.

    Attributes:
        compared: The records.
        calibration: What cosines mean here.
        threshold: The cosine asked for, else the one suggested.
        near: Pairs at or above it; their facts may differ.
        same: Which of these are duplicates because their facts do not, shape (pairs,).
        cluster: The smallest id of each unit's cluster; only units that have one.
        yielding: What would go.
        sample: Bands of pairs around the threshold.
        shown: The pairs of each band.
        nearness: How near each unit is to the others.
        far: The farthest.
        sources: How near each source is to the others.
    """

    compared: Compared
    calibration: Calibration
    threshold: float
    near: Near
    same: NDArray[np.bool_]
    cluster: dict[int, str]
    yielding: Yielding
    sample: list[Band]
    shown: list[list[Shown]]
    nearness: Nearness
    far: list[Far]
    sources: list[SourceNearness]

    @property
    def recall(self) -> Estimate:
        """Share of the pairs that the search finds; without a value when it finds all."""
        return wilson(self.near.found, self.near.sampled)

    def records(self) -> Iterator[SimilarPair]:
        """The pairs at or above the threshold, by the ids of their records."""
        ids, rows = self.compared.ids, self.compared.units.rows
        for at in range(len(self.near)):
            left, right = int(self.near.left[at]), int(self.near.right[at])
            if ids[right] < ids[left]:
                left, right = right, left
            yield SimilarPair(
                left_id=ids[left],
                right_id=ids[right],
                left_records=int(rows[left]),
                right_records=int(rows[right]),
                cosine=float(self.near.cosine[at]),
                same_facts=bool(self.same[at]),
                cluster=self.cluster.get(left, "") if self.same[at] else "",
            )

    def counts(self) -> dict[str, int]:
        """The figures of it."""
        rows = self.compared.units.rows
        sizes = np.unique(list(self.cluster.values()), return_counts=True)[1]
        return {
            "records": len(self.compared.table),
            "distinct": len(rows),
            "pairs": int(self.same.sum()),
            "pairs_of_other_facts": int((~self.same).sum()),
            "clusters": len(sizes),
            "largest_cluster": int(sizes.max(initial=0)),
            "would_go": int(rows[self.yielding.unit].sum()),
            "outliers": len(self.nearness.outliers()),
        }

    def as_json(self) -> dict[str, Any]:  # JSON values
        """What `similar.json` holds."""
        known = self.calibration
        return {
            "threshold": self.threshold,
            "suggested": dataclasses.asdict(known.suggestion),
            "counts": self.counts(),
            "random_pairs": {
                "median": _figure(known.median),
                "q99.9": _figure(known.high),
                "q99.99": _figure(known.highest),
                "end": _number(known.floor),
            },
            "nearly_the_same_words": {
                "pairs": len(known.lexical),
                "q5": _figure(known.lexical_low),
            },
            "search": {
                "method": f"{self.near.blocks} k-means blocks" if self.near.blocks else "exact",
                "recall": _figure(self.recall) if self.near.blocks else None,
            },
            "sample": [
                {
                    "low": band.low,
                    "high": band.high,
                    "pairs": band.count,
                    "shown": [dataclasses.asdict(pair) for pair in pairs],
                }
                for band, pairs in zip(self.sample, self.shown, strict=True)
            ],
            "nearest_others": {
                "median_mean_cosine": _number(self.nearness.median),
                "median_absolute_deviation": _number(self.nearness.spread),
            },
            "farthest": [dataclasses.asdict(one) for one in self.far],
            "sources": [
                {
                    "source": one.source,
                    "texts": one.texts,
                    "nearest_elsewhere": _figure(one.nearness),
                }
                for one in self.sources
            ],
        }


def find_similar(compared: Compared, config: SimilarConfig) -> Similar:
    """Everything about some records and their vectors.

    Raises:
        TooManyPairs: The threshold is too low for these texts.
    """
    blocks = Blocks.of(compared.rows, config.seed)
    texts = compared.texts
    known = calibrate(compared.rows, texts, compared.parts, config.seed)
    threshold = config.threshold or known.suggestion.threshold
    around = _around(compared, threshold, blocks)
    ids = compared.ids
    sample = bands(around, threshold, ids, config.sample, config.seed)
    near = around.where(around.cosine >= threshold)
    same = agreeing(compared, near)
    duplicates = near.where(same)
    far = nearness(compared.rows, blocks=blocks)
    sources = compared.table["source"].take(compared.units.first).to_pylist()
    return Similar(
        compared=compared,
        calibration=known,
        threshold=threshold,
        near=near,
        same=same,
        cluster=_clusters(duplicates, ids),
        yielding=yielding(compared, duplicates),
        sample=sample,
        shown=[_shown(compared, around, band, ids) for band in sample],
        nearness=far,
        far=_farthest(far, config.outliers, ids, texts, sources),
        sources=by_source(compared.rows, sources, config.seed),
    )


def _around(compared: Compared, threshold: float, blocks: Blocks) -> Near:
    """Pairs from as far under the threshold as can be held."""
    for step in BANDS:
        if step < 0:
            try:
                floor = min(threshold, max(LOWEST, threshold + step))
                return alike(compared, floor, blocks)
            except TooManyPairs:
                continue
    return alike(compared, threshold, blocks)


def _clusters(duplicates: Near, ids: list[str]) -> dict[int, str]:
    units, labels = clusters(duplicates)
    names: dict[int, str] = {}
    for unit, label in zip(units.tolist(), labels.tolist(), strict=True):
        names[label] = min(names.get(label, ids[unit]), ids[unit])
    return {unit: names[label] for unit, label in zip(units.tolist(), labels.tolist(), strict=True)}


def _shown(compared: Compared, pairs: Near, band: Band, ids: list[str]) -> list[Shown]:
    chosen = np.array(band.pairs, np.int64)
    some = dataclasses.replace(
        pairs, left=pairs.left[chosen], right=pairs.right[chosen], cosine=pairs.cosine[chosen]
    )
    same = agreeing(compared, some)
    left, right = _texts(compared, some.left), _texts(compared, some.right)
    return [
        Shown(
            ids[int(some.left[at])],
            ids[int(some.right[at])],
            left[at],
            right[at],
            float(some.cosine[at]),
            bool(same[at]),
        )
        for at in range(len(some))
    ]


def _texts(compared: Compared, units: Indices) -> list[str]:
    from prefkit.semantic.texts import compared_texts

    first = compared.units.first[units].tolist()
    return compared_texts(compared.table, compared.field, first)


def _farthest(
    far: Nearness, count: int, ids: list[str], texts: list[str], sources: list[str]
) -> list[Far]:
    known = np.flatnonzero(np.isfinite(far.mean))
    order = sorted(known.tolist(), key=lambda at: (far.mean[at], ids[at]))[:count]
    outliers = set(far.outliers().tolist())
    return [
        Far(
            ids[at],
            texts[at],
            sources[at],
            round(float(far.mean[at]), 6),
            round(float(far.z[at]), 3),
            at in outliers,
        )
        for at in order
    ]


def _figure(estimate: Estimate) -> dict[str, Any]:  # JSON values
    found = dataclasses.asdict(estimate)
    return {
        name: _number(value) if isinstance(value, float) else value for name, value in found.items()
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
