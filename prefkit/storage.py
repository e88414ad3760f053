"""Files on disk: atomic writes, JSONL that names its bad lines, hashes."""

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from prefkit.errors import PrefkitError

Model = TypeVar("Model", bound=BaseModel)


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all: a temporary neighbour, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        _name(error, path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    write_bytes(path, text.encode())


def write_secret(path: Path, value: Any) -> None:  # anything JSON can say
    """Write JSON that its owner alone may read, in a folder that its owner alone may open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode(), mode=0o600)


def write_json(path: Path, value: Any) -> None:  # anything JSON can say
    """Write indented JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def writing(path: Path, *, synced: bool = True) -> Generator[Any]:
    """A binary file that appears under its name only when the block ends well.

    Args:
        path: Its name.
        synced: Wait until the disk has it; without, a power cut may leave it torn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file:
            yield file
            if synced:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        _name(error, path)
        raise


def _name(error: BaseException, path: Path) -> None:
    """Have an error of writing, such as a full disk, say which file it was."""
    if isinstance(error, OSError) and error.errno and not error.filename:
        error.filename = str(path)


def write_jsonl(path: Path, records: Iterable[BaseModel]) -> int:
    """Write records as JSONL, whole or not at all; returns how many."""
    rows = 0
    with writing(path) as file:
        for record in records:
            file.write(record.model_dump_json().encode() + b"\n")
            rows += 1
    return rows


def read_json_lines(
    path: Path, begin: int = 0, end: int | None = None, first: int = 1
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield `(line number, object)`; blank lines are skipped.

    Args:
        path: A JSONL file.
        begin: Byte at which to begin: the beginning of a line.
        end: Byte at which to end: the end of a line; None for the file's.
        first: Number of the line at `begin`.

    Raises:
        PrefkitError: The file cannot be read, is not UTF-8, or a line is not a JSON object.
    """
    for number, line in raw_lines(path, begin, end, first):
        yield number, parsed_line(path, number, line)


def parsed_line(path: Path, number: int, raw: bytes) -> dict[str, Any]:  # one JSON object
    """A line of a JSONL file as an object.

    Raises:
        PrefkitError: It is not UTF-8, or not a JSON object.
    """
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PrefkitError(
            f"{path}:{number}: not UTF-8 (byte {error.start} of the line).",
            hint=_how_to_convert(path, raw),
        ) from error
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "") or (
            "nested too deeply" if isinstance(error, RecursionError) else "a number too long"
        )
        raise PrefkitError(
            f"{path}:{number}: not valid JSON: {reason}.",
            hint="Every line must be one whole JSON object; mend or delete this line.",
        ) from error
    if not isinstance(value, dict):
        raise PrefkitError(
            f"{path}:{number}: expected a JSON object, found {type(value).__name__}.",
            hint='A record looks like {"prompt": …}, one a line.',
        )
    if b"\\ud" in raw or b"\\uD" in raw:
        refuse_half_characters(value, f"{path}:{number}")
    return value


def refuse_half_characters(value: Mapping[str, Any], where: str) -> None:  # a JSON object
    """Refuse lone surrogates, halves of a character that no file can hold as UTF-8.

    Raises:
        PrefkitError: Names the place and the field.
    """
    for field, held in value.items():
        text = json.dumps([field, held], ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PrefkitError(
                f"{where}: `{field.encode('ascii', 'backslashreplace').decode()}`: half a "
                f"character (U+{ord(text[error.start]):04X}), which no text can hold.",
                hint="What wrote it cut a character in two; cut by characters, not by UTF-16 "
                "units, or delete the half.",
            ) from error


def _how_to_convert(path: Path, raw: bytes) -> str:
    if raw.startswith(b"\x1f\x8b"):
        return f"It is compressed: `gunzip -c {path} > plain.jsonl`."
    code = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "WINDOWS-1252"
    return f"Convert it: `iconv -f {code} -t UTF-8 {path} > fixed.jsonl`."


def raw_lines(
    path: Path, begin: int = 0, end: int | None = None, first: int = 1
) -> Iterator[tuple[int, bytes]]:
    """Yield `(line number, line)` of every line that is not blank; see `read_json_lines`."""
    try:
        with path.open("rb") as file:
            file.seek(begin)
            place = begin
            for number, raw in enumerate(file, start=first):
                if end is not None and place >= end:
                    break
                place += len(raw)
                line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                if line.strip():
                    yield number, line
    except OSError as error:
        raise PrefkitError(f"{path}: cannot be read: {error.strerror}.") from error


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield `(row number, object)` of a data file of ours: JSON lines, or Parquet.

    Raises:
        PrefkitError: The file cannot be read, or a row is no JSON object.
    """
    if path.suffix != ".parquet":
        yield from read_json_lines(path)
        return
    from prefkit.columns import parquet_rows

    for number, row in parquet_rows(path):
        if isinstance(row, PrefkitError):
            raise row
        yield number, row


def rows_with(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """Rows of a data file of ours that may hold `text`; lines of JSON without it are skipped."""
    if path.suffix == ".parquet":
        yield from (row for _, row in read_rows(path))
        return
    needle = text.encode()
    with path.open("rb") as lines:
        yield from (json.loads(line) for line in lines if needle in line)


def read_records(path: Path, model: type[Model]) -> Iterator[Model]:
    """Yield validated records of a file of JSON lines or Parquet.

    Raises:
        PrefkitError: Names the file, line and field of the first record that is not a `model`.
    """
    for number, value in read_rows(path):
        yield validated(value, model, f"{path}:{number}")


def validated(value: Any, model: type[Model], where: str) -> Model:  # pydantic judges the value
    """`value` as a `model`, or one error that names `where` and the field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise PrefkitError(
            f"{where}: {explain(error, model)}",
            hint=f"{model.__name__} has the fields {', '.join(model.model_fields)}.",
        ) from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem of a pydantic error as `field: what`, with the closest known name."""
    import difflib

    problems = error.errors(include_url=False, include_input=False)
    # A misspelt field also makes the right one missing: the misspelling is what helps.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    field = ".".join(str(part) for part in first["loc"]) or model.__name__
    message = f"`{field}`: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] == "extra_forbidden":
        message = f"`{field}` is not a field of {model.__name__}"
        close = difflib.get_close_matches(str(first["loc"][-1]), list(model.model_fields), 1)
        message += f"; did you mean `{close[0]}`?" if close else ""
    more = error.error_count() - 1
    return message + (f" (and {more} more problem{'s' if more > 1 else ''})" if more else "")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of the sorted (relative name, hash) list of a folder."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count_rows(path: Path) -> int | None:
    """How many rows a file of JSON lines or Parquet has; None for any other file."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_metadata(path).num_rows
    if path.suffix != ".jsonl":
        return None
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
