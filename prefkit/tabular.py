"""Rows of CSV and JSON files, each with its number; in place of an unreadable row its error.

A CSV file is read from any row on, so that workers can share it. Its quotes are taken at their
word: one that is never closed would swallow the rest of the file into one cell.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError
from prefkit.storage import refuse_half_characters

TABULAR = (".json", ".csv", ".parquet")
Row = dict[str, Any]  # one JSON object of unknown make
BOM = b"\xef\xbb\xbf"

csv.field_size_limit(sys.maxsize)  # a text may have megabytes; csv stops at 128 KiB


class CsvRows:
    """The rows of a CSV file, or of a stretch of it.

    Attributes:
        place: Byte at which the next row begins.
        line: Line at which the next row begins, from 1.
    """

    def __init__(self, path: Path, begin: int = 0, end: int | None = None, first: int = 1) -> None:
        """Read the rows between two bytes.

        Args:
            path: The file.
            begin: Byte at which a row begins; 0 for the first under the header.
            end: Byte at which a row ends; None for the file's end.
            first: Line of the row at `begin`.
        """
        self.path = path
        self.place = 0
        self.line = 1
        self._begin, self._end, self._first = begin, end, first

    def __iter__(self) -> Iterator[tuple[int, Row | PrefkitError]]:
        """Yield `(line at which it begins, row)`; empty cells are left out.

        Raises:
            PrefkitError: The file cannot be opened, or its header is none.
        """
        try:
            with self.path.open("rb") as file:
                self._lines = file
                header = self._header()
                if self._begin:
                    file.seek(self._begin)
                    self.place, self.line = self._begin, self._first
                yield from self._rows(header)
        except OSError as error:
            raise PrefkitError(f"{self.path}: cannot be read: {error.strerror}.") from error

    def _header(self) -> list[str]:
        for _, cells in self._cells():
            if isinstance(cells, PrefkitError):
                raise cells
            _refuse_header(self.path, cells)
            return cells
        return []

    def _rows(self, header: Sequence[str]) -> Iterator[tuple[int, Row | PrefkitError]]:
        for number, cells in self._cells():
            if isinstance(cells, PrefkitError):
                yield number, cells
            elif len(cells) > len(header):
                yield (
                    number,
                    PrefkitError(
                        f"{self.path}:{number}: {len(cells)} cells, but the header names "
                        f"{len(header)} columns.",
                        hint='Put a text with commas in it between quotes ("…").',
                    ),
                )
            else:
                named = zip(header, cells, strict=False)
                yield number, {name: cell for name, cell in named if cell}

    def _cells(self) -> Iterator[tuple[int, list[str] | PrefkitError]]:
        reader = csv.reader(self._decoded(), strict=True)
        while True:
            begin = self.line
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                begin = self.line - 1
                yield begin, _not_utf8(f"{self.path}:{begin}", error)
                reader = csv.reader(self._decoded(), strict=True)
            except csv.Error as error:
                yield begin, _not_csv(f"{self.path}:{begin}", error)
                reader = csv.reader(self._decoded(), strict=True)
            else:
                if cells:
                    yield begin, cells

    def _decoded(self) -> Iterator[str]:
        while self._end is None or self.place < self._end:
            line = self._lines.readline()
            if not line:
                return
            self.place += len(line)
            self.line += 1
            plain = line.removeprefix(BOM) if self.line == 2 else line
            yield plain.decode("utf-8")


def _not_utf8(where: str, error: UnicodeDecodeError) -> PrefkitError:
    return PrefkitError(
        f"{where}: not UTF-8 (byte {error.start} of the line).",
        hint="Convert the file: `iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW`.",
    )


def _not_csv(where: str, error: csv.Error) -> PrefkitError:
    return PrefkitError(
        f"{where}: not valid CSV: {error}.", hint='A quote inside a text is written twice ("").'
    )


def _refuse_header(path: Path, header: Sequence[str]) -> None:
    name, times = Counter(header).most_common(1)[0]
    if times > 1 and name:
        raise PrefkitError(
            f"{path}:1: {times} columns are called `{name}`.", hint="Give each its own name."
        )


def json_rows(path: Path) -> Iterator[tuple[int, Row | PrefkitError]]:
    """Yield `(row number, row)` of a JSON file: an array of objects.

    Raises:
        PrefkitError: It is no JSON array.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PrefkitError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PrefkitError(
            f"{path}: not UTF-8 (byte {error.start}).",
            hint=f"Convert it first: `iconv -f WINDOWS-1252 -t UTF-8 {path} > fixed.json`.",
        ) from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise PrefkitError(f"{path}: cannot be read as json: {reason}.") from error
    if not isinstance(rows, list):
        raise PrefkitError(
            f"{path}: expected a JSON array of objects, found {type(rows).__name__}.",
            hint='A file looks like [{"prompt": …}, …]; one object a line is a .jsonl file.',
        )
    for number, row in enumerate(rows, start=1):
        yield number, _object(row, f"{path}:{number}")


def _object(row: Any, where: str) -> Row | PrefkitError:  # whatever JSON can say
    if not isinstance(row, dict):
        return PrefkitError(f"{where}: expected a JSON object, found {type(row).__name__}.")
    try:
        refuse_half_characters(row, where)
    except PrefkitError as error:
        return error
    return row
