"""Clean a set of records in memory: the steps of `prefkit clean` in a scratch folder."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from prefkit.cleaning.pipeline import Figures, clean_slices
from prefkit.cleaning.rows import KINDS, Cleanable
from prefkit.cleaning.steps.take_in import Job
from prefkit.config import CleanConfig
from prefkit.engine import Flow, Part, open_engine
from prefkit.errors import PrefkitError
from prefkit.records import Chunk, Dropped
from prefkit.slices import cut
from prefkit.storage import refuse_half_characters, write_jsonl
from prefkit.workspace import Workspace

AnyRecord = TypeVar("AnyRecord", bound=Cleanable)
Model = TypeVar("Model", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class Cleaned(Generic[AnyRecord]):
    """What cleaning kept, and why the rest went.

    Attributes:
        train: What to train on, in the order given.
        test: What is held out, in the order given.
        dropped: One a record that did not stay, by the id it came with.
        figures: All of it in numbers.
    """

    train: tuple[AnyRecord, ...]
    test: tuple[AnyRecord, ...]
    dropped: tuple[Dropped, ...]
    figures: Figures

    @property
    def kept(self) -> tuple[AnyRecord, ...]:
        """What to train on, then what is held out."""
        return self.train + self.test


def clean(
    records: Sequence[AnyRecord],
    config: CleanConfig,
    chunks: Sequence[Chunk] = (),
    workspace: Workspace | None = None,
) -> Cleaned[AnyRecord]:
    """Keep what every rule accepts, once, and give it a split.

    Cleaning what is clean changes nothing. Which records stay and where they go depends on their
    content and the seed, not on their order.

    Args:
        records: Of one kind, with distinct ids; those that carry a split keep it.
        config: The `[clean]` table.
        chunks: Where quotes point; they say which document an example is from.
        workspace: Where custom rules lie; the current folder's when unset.

    Raises:
        PrefkitError: Two different records have one id, a rule failed, or nothing can be held
            out; says the number of the record, from 1.
    """
    kind = next((k for k, model in KINDS.items() if records and isinstance(records[0], model)), "")
    if not records:
        return Cleaned((), (), (), Figures())
    with tempfile.TemporaryDirectory(prefix="prefkit-clean-") as name:
        folder = Path(name)
        file = folder / "records.jsonl"
        with _by_number(file):
            _write(file, records)
            write_jsonl(folder / "chunks.jsonl", chunks)
            flow = Flow(open_engine("local", 1), folder / "work", quiet=True)
            job = Job(
                kind, config.model_copy(update={"format": "jsonl"}), workspace or Workspace.find()
            )
            rows, quoted = cut([file]), cut([folder / "chunks.jsonl"])
            made = clean_slices(flow, rows, quoted, job)
        return Cleaned(
            tuple(_read(made.train, type(records[0]))),
            tuple(_read(made.test, type(records[0]))),
            tuple(_read(made.dropped, Dropped)),
            made.figures,
        )


@contextlib.contextmanager
def _by_number(file: Path) -> Generator[None]:
    """Have errors say `record 3` for line 3 of a file that nobody knows of."""
    try:
        yield
    except PrefkitError as error:
        raise PrefkitError(
            error.message.replace(f"{file}:", "record "),
            hint=error.hint,
            exit_code=error.exit_code,
        ) from error


def _write(file: Path, records: Sequence[Cleanable]) -> None:
    try:
        write_jsonl(file, records)
    except ValueError:  # as pydantic's serialiser says it: which one is it?
        for number, record in enumerate(records, start=1):
            refuse_half_characters(record.model_dump(), f"{file}:{number}")
        raise


def _read(parts: Sequence[Part], model: type[Model]) -> Iterator[Model]:
    for part in parts:
        for line in part.table()["line"].to_pylist():
            yield model.model_validate_json(line)
