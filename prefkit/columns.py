"""Records as typed columns of Parquet, and rows of any Parquet file as JSON objects.

A dictionary with free keys is a column of JSON (Arrow's and Parquet's JSON type, which `datasets`
reads as such): no key is lost, and none is made up for the other rows.
"""

import itertools
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


def parquet_rows(path: Path, groups: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file, a batch of them in memory at a time.

    Args:
        path: The file.
        groups: Only these of its row groups.

    Raises:
        PrefkitError: It cannot be read as Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            coded = [field.name for field in file.schema_arrow if field.type == pa.json_()]
            batches = (
                batch.to_pylist(maps_as_pydicts="strict")
                for batch in file.iter_batches(row_groups=groups)
            )
            for row in itertools.chain.from_iterable(batches):
                yield row | {name: json.loads(row[name]) for name in coded if row[name]}
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: cannot be read as parquet: {error}") from error


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
