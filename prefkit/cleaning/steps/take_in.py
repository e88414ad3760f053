"""First step: read a slice, give each row its one spelling, and let the rules see it."""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from prefkit import slices
from prefkit.cleaning.near_duplicates import word_hashes
from prefkit.cleaning.normalise import conversation_key, matching_key, normalised
from prefkit.cleaning.rows import KINDS, Cleanable, Row, row_of
from prefkit.cleaning.rules import Rules, load_rules
from prefkit.cleaning.standing import standing
from prefkit.cleaning.steps.chunks import Passages, passages_of
from prefkit.cleaning.steps.contaminated import CONTAMINATED, contaminated
from prefkit.cleaning.steps.table import SCHEMA, SHIFT
from prefkit.config import CleanConfig
from prefkit.engine import Part
from prefkit.errors import PrefkitError
from prefkit.leakage.index import Index
from prefkit.memory import records_stay
from prefkit.reading import adopt
from prefkit.records import Example, UnpairedPreference, text_of
from prefkit.storage import validated
from prefkit.workspace import Workspace

CUT_OFF = "difference-cut-off"
TELLING = 8  # words from which two similar answers are no chance


@dataclasses.dataclass(frozen=True)
class Job:
    """What every worker is told.

    Attributes:
        kind: examples, pairs or unpaired.
        config: The `[clean]` table.
        workspace: Where custom rules lie.
    """

    kind: str
    config: CleanConfig
    workspace: Workspace


def take_in(piece: slices.Slice, job: Job, chunks: Part, index: Index | None = None) -> pa.Table:
    """A slice as a table of `SCHEMA`; its metadata counts the pairs that are `cut_off`.

    Args:
        piece: The rows.
        job: What to do with them.
        chunks: What they may quote, a table of `CHUNKS`.
        index: Of the evaluation sets that nothing may be trained on.

    Raises:
        PrefkitError: A row is malformed and `bad_rows` says stop, or a rule failed and
            `on_rule_error` says stop.
    """
    with records_stay():
        return _taken_in(piece, job, chunks, index)


def _taken_in(piece: slices.Slice, job: Job, chunks: Part, index: Index | None) -> pa.Table:
    rules = _rules(job.config.model_dump_json(), job.workspace)
    passages = _passages(chunks)
    rows: list[dict[str, Any]] = []
    accepted: dict[int, Row] = {}
    for place, (where, value) in enumerate(slices.read(piece)):
        found, row = _seen(where, value, job, rules, passages)
        found |= {"row": piece.number << SHIFT | place, "line": int(where.rpartition(":")[2])}
        if row is not None:
            found |= _of_row(row)
            if index is not None:
                accepted[place] = row
        rows.append(found)
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in SCHEMA.names}
    if index is not None:
        for place, detail in contaminated(accepted, index):
            if job.config.flag_only:
                columns["flags"][place].append(f"{CONTAMINATED}: {detail}")
            else:
                columns["rule"][place], columns["detail"][place] = CONTAMINATED, detail
    answers = pa.array(columns["answer"], pa.large_string()).fill_null("")
    columns["telling"] = (word_hashes(answers).sizes >= TELLING).tolist()
    cut_off = sum(row.get("cut_off", False) for row in rows)
    return pa.table(columns, schema=SCHEMA.with_metadata({"cut_off": str(cut_off)}))


def record_of(
    where: str,
    value: Mapping[str, Any] | PrefkitError,  # a JSON object
    kind: str,
) -> Cleanable:
    """A row that was read as a record of a kind.

    Raises:
        PrefkitError: It could not be read, or is no such record: names the line and field.
    """
    if isinstance(value, PrefkitError):
        raise value
    model = KINDS[kind]
    return validated(adopt(dict(value), model, where), model, where)


@functools.lru_cache(maxsize=1)
def _passages(chunks: Part) -> Passages:
    return passages_of(chunks.table())


@functools.lru_cache(maxsize=1)
def _rules(config: str, workspace: Workspace) -> Rules:
    return load_rules(CleanConfig.model_validate_json(config), workspace)


def _seen(
    where: str,
    value: Mapping[str, Any] | PrefkitError,  # a JSON object
    job: Job,
    rules: Rules,
    passages: Passages,
) -> tuple[dict[str, Any], Row | None]:
    """Values of SCHEMA; and the row, where it is one that the rules accept."""
    try:
        record = record_of(where, value, job.kind)
    except PrefkitError as error:
        if job.config.bad_rows == "stop":
            raise
        bad = str(error).removeprefix(f"{where}: ")
        return {"came": where, "rule": "malformed", "detail": bad}, None
    name = _hash64(record.id)
    came = {"came": record.id, "came_name": name, "text": _hash64(*_texts(record)), "name": name}
    plain, changed = normalised(record)
    if plain is None:
        nothing = f"no visible character is left of {changed[0]}"
        return came | {"rule": "empty", "detail": nothing}, None
    row = row_of(plain)
    quotes = plain.quotes if isinstance(plain, Example) else ()
    quoted = list(dict.fromkeys(quote.chunk_id for quote in quotes))
    passage = passages.text_of(quoted)
    findings = rules.findings(row, not job.config.flag_only, passage, where)
    came["cut_off"] = any(finding.rule == CUT_OFF for finding in findings)
    drops = [] if job.config.flag_only else [f for f in findings if not rules.marks(f.rule)]
    if drops:
        return came | {"rule": drops[0].rule, "detail": drops[0].detail}, None
    flags = [f"{finding.rule}: {finding.detail}" for finding in findings]
    if plain.id != record.id:
        came["name"] = _hash64(plain.id)
    return came | {"quoted": quoted, "changed": ",".join(changed), "flags": flags}, row


def _of_row(row: Row) -> dict[str, Any]:  # values of SCHEMA
    record, answer = row.record, row.completions[0].text
    line = record.json_line()
    keys = [matching_key(completion.text) for completion in row.completions]
    side = record.label if isinstance(record, UnpairedPreference) else keys[0] > keys[-1]
    prompt_key = _digest(*itertools.chain.from_iterable(conversation_key(row.prompt)))
    return standing(record) | {
        "id": record.id,
        "record": line,
        "prompt": text_of(row.prompt),
        "answer": answer,
        "rejected": row.completions[1].text if len(row.completions) > 1 else None,
        "tie": _hash64(line),
        "prompt_key": prompt_key,
        "whole_key": _digest(prompt_key.hex(), *sorted(keys)),
        "side": side,
        "split": record.split,
        "document": record.metadata.get("document_id"),
    }


def _texts(record: Cleanable) -> list[str]:
    return [f"{field}\0{text}" for field, text in row_of(record).texts()]


def _digest(*texts: str) -> bytes:
    return hashlib.blake2b("\x1f".join(texts).encode(), digest_size=16).digest()


def _hash64(*texts: str) -> int:
    digest = hashlib.blake2b("\x1f".join(texts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
