"""Judgments, candidates and examples off the disk, fast: well-formed lines need one parse."""

import functools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from prefkit.engine import open_engine
from prefkit.pairs.memory import records_stay
from prefkit.pairs.opinions import Opinions, joined, opinions_of
from prefkit.reading import adopt
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
            yield validated(adopt(row, model, where), model, where)
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
    pieces = cut(files)
    if len(pieces) < 2:
        return joined([opinions_of(read_slice(piece, Judgment)) for piece in pieces])
    with tempfile.TemporaryDirectory(prefix="prefkit-pairs-") as folder:
        engine = open_engine("local", workers)
        try:
            calls = [functools.partial(_to_columns, piece, folder) for piece in pieces]
            for _ in engine.run(calls, lambda call: _path(call.args[0], folder).exists()):
                pass
        finally:
            engine.close()
        return joined([Opinions.load(_path(piece, folder)) for piece in pieces])


def _path(piece: Slice, folder: str) -> Path:
    return Path(folder) / f"{piece.number:06d}"


def _to_columns(piece: Slice, folder: str) -> None:
    with records_stay():
        opinions_of(read_slice(piece, Judgment)).save(_path(piece, folder))


def _slowly(piece: Slice, number: int, line: bytes, model: type[AnyRecord]) -> AnyRecord:
    where = f"{piece.path}:{number}"
    return validated(adopt(parsed_line(Path(piece.path), number, line), model, where), model, where)
