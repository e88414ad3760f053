"""Vectors on disk: each distinct text is embedded once, block after block, and never again.

A block is named by its place among the distinct texts in the order of their hashes, so the same
rows in another order, or cut otherwise, make the same blocks. A killed run finds its blocks.
"""

import dataclasses
import functools
import logging
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prefkit import console
from prefkit.engine import Flow, Part, open_engine
from prefkit.semantic.embedders import Embedder, Spec
from prefkit.semantic.texts import Field, by_text, distinct

log = logging.getLogger(__name__)

BLOCK: Final = 1024  # texts embedded and written at a time
BUCKET: Final = 250_000  # texts sorted together


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Where the distinct texts and their vectors lie.

    Attributes:
        texts: The distinct texts, a table of `DISTINCT`.
        rows: A vector each, in the same order.
        cut: Texts longer than the embedder reads.
    """

    texts: Part
    rows: Part
    cut: int

    @property
    def count(self) -> int:
        """How many distinct texts."""
        return self.texts.rows()


def embedded(flow: Flow, step: str, tables: Sequence[Part], field: Field, spec: Spec) -> Vectors:
    """The vectors of the texts that are compared.

    Args:
        flow: Where the steps run and leave their files.
        step: What the steps' names begin with.
        tables: The rows, tables of `TEXTS`.
        field: What is compared.
        spec: What embeds.

    Raises:
        PrefkitError: The embedder cannot be loaded, or fails.
    """
    buckets = 1 + sum(table.rows() for table in tables) // BUCKET
    found = flow.shuffle(f"{step}-by-text", by_text, tables, buckets, field)
    texts = as_one(flow.map(f"{step}-texts", distinct, found))
    count = texts.rows()
    begun = time.monotonic()

    def note(blocks: int) -> str:
        done = min(blocks * size, count)
        return f"{done / max(time.monotonic() - begun, 1e-9):,.0f} texts/s"

    size = count if opened(spec).whole else BLOCK
    blocks = [(texts, at, at + size) for at in range(0, max(count, 1), max(size, 1))]
    where = flow
    if flow.engine.name == "local":  # a model uses all cores by itself; an endpoint has one line
        where = Flow(open_engine("local", 1), flow.folder, quiet=flow.quiet)
    made = bool(flow.made(f"{step}-embedded", len(blocks)))
    parts = where.map(f"{step}-embedded", _block, blocks, spec, note=note)
    if not made and not flow.quiet:
        spent = time.monotonic() - begun
        console.say(f"embedded {count:,} texts with {spec.name} in {spent:.0f} s")
    cut = sum(int(part.notes()["cut"]) for part in parts)
    if cut:
        limit = opened(spec).limit
        console.say(
            f"note: {spec.name} reads {limit} tokens; of {cut:,} longer texts it saw the beginning."
        )
    return Vectors(texts, as_one(parts), cut)


@functools.lru_cache(maxsize=2)
def opened(spec: Spec) -> Embedder:
    """The embedder, loaded once a process."""
    return spec.load()


def matrix(table: pa.Table) -> NDArray[np.float32]:
    """The vectors of a table as rows of an array."""
    chunks = [_rows(chunk) for chunk in table["vector"].chunks]
    filled = [chunk for chunk in chunks if len(chunk)]
    return np.concatenate(filled) if filled else np.zeros((0, 1), np.float32)


def as_one(parts: Sequence[Part]) -> Part:
    """The rows of several parts, one after the other."""
    return Part(tuple(name for part in parts for name in part.files))


def _block(table: pa.Table, begin: int, end: int, spec: Spec) -> pa.Table:
    embedder = opened(spec)
    before = getattr(embedder, "cut", 0)
    texts = table["text"].slice(begin, end - begin).to_pylist()
    rows = embedder.encode(texts) if texts else np.zeros((0, 1), np.float32)
    flat = pa.array(np.ascontiguousarray(rows, np.float32).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    cut = getattr(embedder, "cut", 0) - before
    return pa.table({"vector": vectors}).replace_schema_metadata({"cut": str(cut)})


def _rows(chunk: pa.FixedSizeListArray) -> NDArray[np.float32]:
    return chunk.flatten().to_numpy().reshape(-1, chunk.type.list_size)
