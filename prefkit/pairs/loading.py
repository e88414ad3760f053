"""Judgments, candidates and examples off the disk, fast: well-formed lines need one parse."""

import functools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from prefkit.engine import open_engine
from prefkit.memory import records_stay
from prefkit.pairs.opinions import Opinions, joined, opinions_of
from prefkit.reading import Row, adopt
from prefkit.records import Judgment, Record
from prefkit.slices import Slice, cut, read
from prefkit.storage import parsed_line, raw_lines, validated

AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_files(files: Iterable[Path], model: type[AnyRecord]) -> Iterator[AnyRecord]:
    """Yield the records of some files.

    Raises:
        PrefkitError: Names the file, line and field of the first that is no `model`.
    """
    for piece in cut(list(files)):
        yield from read_slice(piece, model)


def read_slice(piece: Slice, model: type[AnyRecord]) -> Iterator[AnyRecord]:
    """Yield the records of a slice; a line that is none as it stands goes the slow way.

    The slow way takes other people's columns and words the error (`reading.adopt`).
    """
    path = Path(piece.path)
    if path.suffix.lower() in (".parquet", ".csv", ".json"):
        for where, row in read(piece):
            if isinstance(row, Exception):
                raise row
            yield validated(_adopted(_without_gaps(row), model, where), model, where)
        return
    parse = model.__pydantic_validator__.validate_json
    for number, line in raw_lines(path, piece.begin, piece.end, piece.first):
        try:
            yield parse(line)
        except ValidationError:
            yield _slowly(piece, number, line, model)


def read_opinions(files: Sequence[Path], workers: int | None = None) -> Opinions:
    """All judgments of some files as columns, large files by several processes.

    Raises:
        PrefkitError: Names the file, line and field of a judgment that is none.
    """
    pieces, where = cut(files), ", ".join(map(str, files))
    if len(pieces) < 2:
        return joined([opinions_of(read_slice(piece, Judgment), where) for piece in pieces], where)
    with tempfile.TemporaryDirectory(prefix="prefkit-pairs-") as folder:
        engine = open_engine("local", workers)
        try:
            calls = [functools.partial(_to_columns, piece, folder) for piece in pieces]
            for _ in engine.run(calls, lambda call: _path(call.args[0], folder).exists()):
                pass
        finally:
            engine.close()
        return joined([Opinions.load(_path(piece, folder)) for piece in pieces], where)


def _path(piece: Slice, folder: str) -> Path:
    return Path(folder) / f"{piece.number:06d}"


def _to_columns(piece: Slice, folder: str) -> None:
    with records_stay():
        opinions_of(read_slice(piece, Judgment), piece.path).save(_path(piece, folder))


def _slowly(piece: Slice, number: int, line: bytes, model: type[AnyRecord]) -> AnyRecord:
    where = f"{piece.path}:{number}"
    row = parsed_line(Path(piece.path), number, line)
    return validated(_adopted(row, model, where), model, where)


def _adopted(row: Row, model: type[Record], where: str) -> Row:
    """A row of anyone's as the fields of `model`, under its own id: the tables go by these."""
    fields = adopt(row, model, where)
    if "metadata" in row or row.get("id") is None:
        return fields
    notes = {key: value for key, value in fields["metadata"].items() if key != "id"}
    return fields | {"id": row["id"], "metadata": notes}


def _without_gaps(value: Any) -> Any:  # anything JSON can say
    """A row of Parquet whose objects hold no nulls: there each row has all rows' keys."""
    if not isinstance(value, dict):
        return value
    return {key: _without_gaps(inner) for key, inner in value.items() if inner is not None}
