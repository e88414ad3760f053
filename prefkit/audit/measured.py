"""The numbers of every row in one table, however many rows there are.

A row of a million costs about 250 bytes here: its features, not its texts.
"""

import dataclasses
import functools
import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa  # noqa: TID253 - imported by what computes, never by a command's help

from prefkit.audit.surface import FEATURES, surface, telling_words
from prefkit.cleaning.normalise import normalised
from prefkit.cleaning.rows import Row, row_of
from prefkit.cleaning.rules import Rules, load_rules
from prefkit.cleaning.rules.language import language_of
from prefkit.config import AuditConfig, CleanConfig
from prefkit.records import text_of
from prefkit.workspace import Workspace

SIDES = ("prompt", "first", "second")  # first: chosen, or the only completion; second: rejected
RULE_ROWS = 5_000  # rows shown to the rules of cleaning: a share to within 1.4 points
ONE_SPELLING = "one-spelling"  # what cleaning would change is flagged beside the rules
RESPELLED = f"{ONE_SPELLING}: "
ELSEWHERE = ("difference-cut-off", "over-length", "ungrounded-number")  # need more than the row
NAMED = ("source", "generator", "model", "dataset")  # where a row may say what it is from
SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("id", pa.string()),
        ("line", pa.int64()),
        ("prompt_key", pa.uint64()),
        ("texts_key", pa.uint64()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("label", pa.bool_()),
        ("record", pa.string()),
        ("language", pa.string()),
        ("checked", pa.bool_()),
        ("flags", pa.list_(pa.string())),
        *((side, pa.list_(pa.float32(), len(FEATURES))) for side in SIDES),
    ]
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Features of rows.

    Attributes:
        table: Rows of `SCHEMA`.
    """

    table: pa.Table = dataclasses.field(default_factory=SCHEMA.empty_table)

    def __len__(self) -> int:
        """How many rows."""
        return self.table.num_rows

    @functools.cached_property
    def sides(self) -> dict[str, np.ndarray]:
        """Features of the prompt, the first and the second completion: one row each."""
        return {side: self._matrix(side) for side in SIDES}

    def _matrix(self, side: str) -> np.ndarray:
        column = self.table[side]
        if len(self) and column.null_count == len(self):
            return np.empty((0, len(FEATURES)), np.float32)
        parts = [chunk.flatten().to_numpy() for chunk in column.chunks]
        flat = np.concatenate(parts) if parts else np.empty(0, np.float32)
        return flat.reshape(-1, len(FEATURES))

    def of(self, side: str, feature: str) -> np.ndarray:
        """One feature of one side, a number a row."""
        return self.sides[side][:, FEATURES.index(feature)].astype(np.float64)

    def least(self, most: int) -> np.ndarray:
        """Places of a seeded sample of rows, in an order that is not that of the file."""
        keys = self.table["key"].to_numpy()
        return np.argsort(keys, kind="stable")[:most]

    @functools.cached_property
    def prompts(self) -> np.ndarray:
        """A number a row, the same for the same prompt."""
        return self.table["prompt_key"].to_numpy()

    @functools.cached_property
    def copies(self) -> int:
        """How many rows have all texts of an earlier row."""
        return len(self) - len(np.unique(self.table["texts_key"].to_numpy()))

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """Whether the completion of an unpaired row is liked."""
        return self.table["label"].to_numpy(zero_copy_only=False).astype(bool)

    @functools.cached_property
    def good(self) -> np.ndarray:
        """Which rows' first completion training would make likelier."""
        known = self.table["label"].null_count == len(self)
        return np.ones(len(self), bool) if known else self.labels

    @functools.cached_property
    def sources(self) -> tuple[np.ndarray, list[str]]:
        """A code a row, and what the codes are called, most frequent first."""
        column = self.table["source"].combine_chunks().fill_null("").dictionary_encode()
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        codes, names = column.indices.to_numpy(), column.dictionary.to_pylist()
        counts = np.bincount(codes, minlength=len(names))
        order = sorted(range(len(names)), key=lambda i: (-counts[i], names[i]))
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        return rank[codes] if len(names) else codes, [names[i] for i in order]


@dataclasses.dataclass(frozen=True)
class Job:
    """What every worker is told.

    Attributes:
        kind: examples, pairs or unpaired.
        config: The `[audit]` table.
        rules: The `[clean]` table, whose rules mark rows; None leaves them out.
        workspace: Where custom rules lie.
        rows: How many there are in all.
    """

    kind: str
    config: AuditConfig
    rules: CleanConfig | None
    workspace: Workspace
    rows: int

    def below(self, most: int) -> int:
        """The key under which about `most` rows lie, and hardly ever fewer."""
        wanted = most + 8 * math.sqrt(most) + 8
        return 2**64 if wanted >= self.rows else int(wanted / self.rows * 2**64)


def values_of(row: Row, line: int = 0) -> dict[str, Any]:  # values of SCHEMA
    """The values that every row has."""
    asked = text_of(row.prompt)
    words = telling_words(asked)
    texts = [completion.text for completion in row.completions]
    return {
        "id": row.record.id,
        "line": line,
        "prompt_key": hash64(asked),
        "texts_key": hash64(asked, *texts),
        "split": row.record.split,
        "source": source_of(row),
        "label": getattr(row.record, "label", None),
        "prompt": surface(asked),
        "first": surface(texts[0], words),
        "second": surface(texts[1], words) if len(texts) > 1 else None,
    }


def source_of(row: Row) -> str:
    """Where a row says that it is from: a field of its own, else a note."""
    own = getattr(row.record, "source", "") or getattr(row.record, "generator", "")
    notes = row.record.metadata
    return own or next((notes[name] for name in NAMED if notes.get(name)), "")


def measured_rows(rows: Iterable[tuple[int, Row]], job: Job) -> pa.Table:
    """Rows, each with its line, as a table of `SCHEMA`; of a sample with text, language, flags."""
    rules = _rules(job.rules.model_dump_json(), job.workspace) if job.rules else None
    seen: Counter[int] = Counter()
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for line, row in rows:
        text = row.record.json_line()
        name = hash64(text)
        key = hash64(str(job.config.seed), str(name), str(seen[name]))
        seen[name] += 1
        values = values_of(row, line) | {"key": key}
        if key < job.below(job.config.most_rows):
            values["record"] = text
        if key < job.below(job.config.sample):
            values["language"] = _language(row)
        if rules is not None and key < job.below(min(RULE_ROWS, job.config.sample)):
            values |= {"checked": True, "flags": _flags(row, rules)}
        for name_of_column, column in columns.items():
            column.append(values.get(name_of_column))
    return pa.table(columns, schema=SCHEMA)


def _language(row: Row) -> str:
    """Of the first completion; empty where it cannot be told."""
    found = language_of(row.completions[0].text)
    return found[0] if found else ""


def _flags(row: Row, rules: Rules) -> list[str]:
    """What cleaning would change or refuse; rules see text in its one spelling."""
    plain, changed = normalised(row.record)
    flags = [f"{RESPELLED}{kind}" for kind in changed]
    if plain is None:
        return [f"empty: no visible character is left of {changed[0]}"]
    return flags + [f"{f.rule}: {f.detail}" for f in rules.findings(row_of(plain))]


@functools.lru_cache(maxsize=1)
def _rules(config: str, workspace: Workspace) -> Rules:
    clean = CleanConfig.model_validate_json(config)
    skip = {"skip_rules": (*clean.skip_rules, *ELSEWHERE), "on_rule_error": "count"}
    return load_rules(clean.model_copy(update=skip), workspace)


def hash64(*texts: str) -> int:
    """A number of 64 bits that stands for some texts."""
    data = "\x1f".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
