"""Read records from wherever a user has them: our runs, or any TRL-format file or dataset.

Rows of ours carry `metadata` and are held to their fields strictly. Other people's rows may have
more columns: these go into `metadata` as text, unless one looks like a misspelt field.
"""

import dataclasses
import difflib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from prefkit.errors import PrefkitError
from prefkit.manifest import Input
from prefkit.records import Example, PreferencePair, Record, Split
from prefkit.storage import read_json_lines, read_rows, validated
from prefkit.tabular import TABULAR, CsvRows, Row, json_rows
from prefkit.workspace import Workspace, stream_files

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclasses.dataclass(frozen=True)
class Loaded(Generic[AnyRecord]):
    """What was read and from where.

    Attributes:
        records: In file order.
        inputs: The files, by hash, for the manifest.
    """

    records: list[AnyRecord]
    inputs: tuple[Input, ...]


def load_records(
    source: str,
    stream: str,
    model: type[AnyRecord],
    workspace: Workspace,
    split: Split | None = None,
    *,
    allow_empty: bool = False,
) -> Loaded[AnyRecord]:
    """Records of one kind from a SOURCE.

    Args:
        source: A run folder or name, `@stage`, `-`, a JSONL, JSON, CSV or Parquet file, or the id
            of a dataset on the hub.
        stream: What the records are called in a run: examples, candidates, pairs, …
        model: Their record class.
        workspace: Where runs are looked for.
        split: Only this split. Records without a split count as train.
        allow_empty: Return no records rather than refuse.

    Raises:
        PrefkitError: The source does not exist, holds no such records, or one is malformed: names
            the file, line and field.
    """
    if _is_hub_id(source, workspace):
        records, inputs = _from_hub(source, model), ()
    else:
        files = workspace.stream(source, stream, split)
        records = [record for file in files for record in _from_file(file, model)]
        inputs = tuple(Input.of(file, workspace) for file in files)
    if split is not None:
        records = [r for r in records if (getattr(r, "split", None) or "train") == split]
    if not records and not allow_empty:
        which = f"{split} {stream}" if split else stream
        raise PrefkitError(
            f"{source}: holds no {which}.",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )
    return Loaded(records, inputs)


def files_of(source: str, stream: str, workspace: Workspace) -> list[Path]:
    """The files of one kind of records of a SOURCE; a dataset of the hub is laid out as one.

    Raises:
        PrefkitError: The source does not exist or holds no such records.
    """
    if not _is_hub_id(source, workspace):
        return workspace.stream(source, stream)
    with tempfile.NamedTemporaryFile("wb", suffix=".jsonl", delete=False) as file:
        for _, row in _hub_rows(source):
            file.write(json.dumps(row, default=str).encode() + b"\n")
    return [Path(file.name)]


def lacks(source: str, stream: str, workspace: Workspace) -> bool:
    """Whether SOURCE is a run, and no run of its lineage holds the stream."""
    if source == "-" or Path(source).is_file():
        return False
    try:
        folder = workspace.run_folder(source)
    except PrefkitError:  # no run of that name: the reader says so in its own words
        return False
    return not any(stream_files(run, stream) for run in workspace.lineage(folder))


def _from_file(path: Path, model: type[AnyRecord]) -> Iterator[AnyRecord]:
    rows = tabular(path) if path.suffix.lower() in TABULAR else read_json_lines(path)
    for number, row in rows:
        where = f"{path}:{number}"
        yield validated(adopt(row, model, where), model, where)


def tabular(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield `(row number, row)` of a JSON, CSV or Parquet file.

    Raises:
        PrefkitError: It cannot be read as what its name says, or a row of it cannot.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from read_rows(path)
        return
    for number, row in CsvRows(path) if suffix == ".csv" else json_rows(path):
        if isinstance(row, PrefkitError):
            raise row
        yield number, row


def _is_hub_id(source: str, workspace: Workspace) -> bool:
    owner, slash, name = source.partition("/")
    return (
        bool(slash and owner and name)
        and "/" not in name
        and not source.startswith((".", "@", "-", "~", "/"))
        and not name.endswith((".jsonl", *TABULAR))
        and not Path(source).exists()
        and not (workspace.root / source).exists()
    )


def _from_hub(source: str, model: type[AnyRecord]) -> list[AnyRecord]:
    records = []
    for where, row in _hub_rows(source):
        if "split" not in model.model_fields:
            row.pop("split")
        records.append(validated(adopt(row, model, where), model, where))
    return records


def _hub_rows(source: str) -> Iterator[tuple[str, Row]]:
    """Yield `(place, row)` of a dataset, each row with its split."""
    import datasets

    try:
        loaded = datasets.load_dataset(source)
    except Exception as error:  # the library raises a dozen kinds for not found and offline
        raise PrefkitError(
            f"{source}: no such file or run, and no dataset of that id could be loaded: "
            f"{type(error).__name__}: {error}",
            hint="Give a file, a run folder, @stage, or a dataset id while online.",
        ) from error
    for name, rows in loaded.items():
        split = "test" if "test" in str(name) else "train"
        for number, row in enumerate(rows, start=1):
            yield f"{source} {name}:{number}", dict(row) | {"split": split}


def adopt(row: Row, model: type[Record], where: str) -> Row:
    """A row of TRL's formats as the fields of `model`; a row of ours is returned as it is.

    Raises:
        PrefkitError: A column looks like a misspelt field.
    """
    if "metadata" in row:
        return row
    row = {key: value for key, value in row.items() if value is not None}
    if model is PreferencePair:
        row = _explicit_prompt(row)
    elif model is Example:
        row = _prompt_and_reference(row)
    known = set(model.model_fields)
    extra = {key: value for key, value in row.items() if key not in known or key == "id"}
    for key in extra:
        missing = [name for name in known - set(row) if model.model_fields[name].is_required()]
        close = difflib.get_close_matches(key, missing, 1, cutoff=0.75)
        if close:
            raise PrefkitError(
                f"{where}: `{key}` is not a field of {model.__name__}; did you mean `{close[0]}`?",
                hint=f"{model.__name__} has the fields {', '.join(model.model_fields)}.",
            )
    kept = {key: value for key, value in row.items() if key not in extra}
    notes = {k: v if isinstance(v, str) else json.dumps(v, default=str) for k, v in extra.items()}
    return kept | {"metadata": notes}


def _explicit_prompt(row: Row) -> Row:
    """TRL's implicit-prompt form: the shared beginning of chosen and rejected is the prompt."""
    chosen, rejected, prompt = row.get("chosen"), row.get("rejected"), row.get("prompt")
    if not (isinstance(chosen, list) and isinstance(rejected, list)):
        return row
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
        shared += 1
    if prompt is None and shared:
        prompt = chosen[:shared]
    elif shared and _says(chosen[:shared]) != _says(prompt):
        return row
    return row | {"prompt": prompt, "chosen": chosen[shared:], "rejected": rejected[shared:]}


def _says(prompt: Any) -> list[Any]:  # messages or a string, as someone else wrote them
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [(turn.get("role"), turn.get("content")) for turn in turns or ()]


def _prompt_and_reference(row: Row) -> Row:
    """TRL's `messages` or `prompt` + `completion` as prompt and reference."""
    row = dict(row)
    if "messages" in row and "prompt" not in row:
        turns = row.pop("messages")
        if isinstance(turns, list) and len(turns) > 1 and isinstance(turns[-1], dict):
            row |= {"prompt": turns[:-1], "reference": turns[-1].get("content")}
    elif "completion" in row and "reference" not in row:
        completion = row.pop("completion")
        last = completion[-1] if isinstance(completion, list) and completion else completion
        row["reference"] = last.get("content") if isinstance(last, dict) else last
    return row
