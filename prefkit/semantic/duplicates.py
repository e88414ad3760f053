"""Which rows say the same in other words, and to which of them the others yield.

Two units are duplicates when every text of theirs that is compared has at least the cosine asked
for, their system turns are equal, and neither states a number, name or turning word that the
other lacks. A unit yields only to one that stays and that it is itself that near to.
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.facts import PRONOUN, same_facts
from prefkit.cleaning.kernels import graph
from prefkit.semantic.search import Blocks, Indices, Near, Rows, near
from prefkit.semantic.store import matrix
from prefkit.semantic.texts import Field, Units, compared_texts, units_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class Compared:
    """Rows ready to be compared.

    Attributes:
        table: The rows, of `TEXTS`.
        field: What is compared.
        units: What the rows are of.
        rows: The vector of each unit, its texts' one after the other.
        parts: Texts of a unit.
    """

    table: "pa.Table"
    field: Field
    units: Units
    rows: Rows
    parts: int

    @classmethod
    def of(
        cls, table: "pa.Table", distinct: "pa.Table", vectors: "pa.Table", field: Field
    ) -> "Compared":
        """The units of some rows with their vectors.

        Args:
            table: Of `TEXTS`.
            distinct: The distinct texts, of `DISTINCT`.
            vectors: A vector each.
            field: What is compared.
        """
        units = units_of(table, distinct["key"], field)
        parts = units.texts.shape[1]
        known = matrix(vectors)
        if parts == 1 and np.array_equal(units.texts[:, 0], np.arange(len(known))):
            return cls(table, field, units, known, 1)  # a million vectors need no second copy
        rows = known[units.texts].reshape(len(units), parts * known.shape[1])
        if parts > 1:
            rows /= np.sqrt(np.float32(parts))
        return cls(table, field, units, rows, parts)

    @property
    def ids(self) -> list[str]:
        """The id of the preferred row of each unit."""
        return self.table["id"].take(self.units.first).to_pylist()

    @property
    def texts(self) -> list[str]:
        """What is compared of each unit, as one text."""
        return compared_texts(self.table, self.field, self.units.first.tolist())


@dataclasses.dataclass(frozen=True)
class Yielding:
    """Units that go, and to which.

    Attributes:
        unit: What goes, shape (gone,).
        keeper: What it yields to, which stays, shape (gone,).
        cosine: Of the two, shape (gone,).
    """

    unit: Indices
    keeper: Indices
    cosine: NDArray[np.float64]


def alike(compared: Compared, threshold: float, blocks: Blocks | None = None) -> Near:
    """Pairs of units that are near, under equal system turns; their facts may differ.

    Raises:
        TooManyPairs: The threshold is too low for these texts.
    """
    found = near(compared.rows, threshold, compared.parts, blocks)
    system = compared.units.system
    return found.where(system[found.left] == system[found.right])


def agreeing(compared: Compared, pairs: Near) -> NDArray[np.bool_]:
    """Which pairs state the same facts, shape (pairs,)."""
    used, places = np.unique(np.concatenate((pairs.left, pairs.right)), return_inverse=True)
    texts = compared_texts(compared.table, compared.field, compared.units.first[used].tolist())
    left, right = places[: len(pairs)].tolist(), places[len(pairs) :].tolist()
    return np.array(
        [
            same_facts(texts[one], texts[other], ignoring=PRONOUN)
            for one, other in zip(left, right, strict=True)
        ],
        np.bool_,
    )


def yielding(compared: Compared, duplicates: Near) -> Yielding:
    """What goes, of pairs that are duplicates, so that no two that stay are."""
    order = np.argsort(compared.units.rank)
    found = graph.stars(order, duplicates.left, duplicates.right, duplicates.cosine)
    return Yielding(found.item, found.keeper, found.similarity)


def clusters(duplicates: Near) -> tuple[Indices, Indices]:
    """`(units, the smallest unit of each one's cluster)`, units rising."""
    nodes, labels, _ = graph.joined(duplicates.left, duplicates.right)
    return nodes, labels
