"""Tables of a flow as the files of a run."""

from collections.abc import Sequence
from pathlib import Path

from prefkit.engine import Part
from prefkit.storage import writing


def write_records(path: Path, parts: Sequence[Part]) -> None:
    """Write parts one after the other: lines of JSON, or a row group each of Parquet."""
    if path.suffix == ".parquet":
        _write_parquet(path, parts)
    else:
        write_lines(path, parts)


def write_lines(path: Path, parts: Sequence[Part]) -> None:
    """Write parts with a column `line` one after the other, whole or not at all."""
    with writing(path) as file:
        for part in parts:
            for line in part.table()["line"].to_pylist():
                file.write(line.encode() + b"\n")


def _write_parquet(path: Path, parts: Sequence[Part]) -> None:
    import pyarrow.parquet

    schema = parts[0].table().schema
    with (
        writing(path) as file,
        pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for part in parts:
            writer.write_table(part.table())
