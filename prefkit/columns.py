"""Records as typed columns of Parquet, and rows of any Parquet file as JSON objects.

A dictionary with free keys is a column of JSON (Arrow's and Parquet's JSON type, which `datasets`
reads as such): no key is lost, and none is made up for the other rows.
"""

import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from prefkit.errors import PrefkitError

if TYPE_CHECKING:
    import pyarrow as pa

Rows = Sequence[Mapping[str, Any]]  # JSON objects


def table_of(rows: Rows, model: type[BaseModel]) -> "pa.Table":
    """Records, as JSON objects, as a table with a column a field."""
    import pyarrow as pa

    columns = []
    for name, field in model.model_fields.items():
        kind = _type(field.annotation)
        values = [row[name] for row in rows]
        if kind == pa.json_():
            texts = pa.array([json.dumps(value, ensure_ascii=False) for value in values])
            columns.append(pa.ExtensionArray.from_storage(kind, texts.cast(pa.string())))
        else:
            columns.append(pa.array(values, kind))
    return pa.table(columns, list(model.model_fields))


def parquet_rows(
    path: Path, groups: Sequence[int] | None = None, first: int = 1
) -> Iterator[tuple[int, dict[str, Any] | PrefkitError]]:
    """Yield `(row number, row)` of a Parquet file; in place of a row that is no text its error.

    A batch of rows is in memory at a time.

    Args:
        path: The file.
        groups: Only these of its row groups.
        first: Number of the first row of these.

    Raises:
        PrefkitError: It cannot be read as Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _refuse_twins(path, file.schema_arrow.names)
            coded = [field.name for field in file.schema_arrow if field.type == pa.json_()]
            for batch in file.iter_batches(row_groups=groups):
                yield from enumerate(_of_batch(batch, coded, f"{path}:", first), start=first)
                first += len(batch)
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: cannot be read as parquet: {error}") from error


def _refuse_twins(path: Path, names: Sequence[str]) -> None:
    twins = {name for name in names if names.count(name) > 1}
    if twins:
        raise PrefkitError(
            f"{path}: several columns are called `{min(twins)}`.", hint="Give each its own name."
        )


def _of_batch(
    batch: "pa.RecordBatch", coded: Sequence[str], path: str, first: int
) -> Iterator[dict[str, Any] | PrefkitError]:
    try:
        rows = batch.to_pylist(maps_as_pydicts="strict")
    except (ValueError, KeyError):  # not UTF-8, or a map with a key twice: which row is it?
        rows = [_of_row(batch.slice(at, 1), f"{path}{first + at}") for at in range(len(batch))]
    for row in rows:
        if isinstance(row, dict) and coded:
            row |= {name: json.loads(row[name]) for name in coded if row[name]}
        yield row


def _of_row(row: "pa.RecordBatch", where: str) -> dict[str, Any] | PrefkitError:
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            column.to_pylist(maps_as_pydicts="strict")
        except UnicodeDecodeError as error:
            return PrefkitError(f"{where}: `{name}`: not UTF-8 (byte {error.start} of the text).")
        except (ValueError, KeyError) as error:
            return PrefkitError(f"{where}: `{name}`: cannot be read: {error}.")
    return row.to_pylist(maps_as_pydicts="strict")[0]


def _type(annotation: Any) -> "pa.DataType":  # a typing construct
    import pyarrow as pa

    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _type(next(a for a in arguments if a is not types.NoneType))
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is dict:
        return pa.json_()
    if origin is tuple:
        return pa.list_(_type(arguments[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return pa.struct([(name, _type(field.annotation)) for name, field in fields])
    simple = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    return simple.get(annotation, pa.string())
