"""The texts that diversity is measured of: rows of a set, chosen by content and not by place."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from prefkit.config import AuditConfig, GenerateConfig
from prefkit.generation.languages import told
from prefkit.records import content_id
from prefkit.workspace import Workspace

SAMPLE: Final = 5_000  # rows of a set that are looked into
_TOLD_BY: Final = 200  # questions from which the language of a set is told


class Said(NamedTuple):
    """A question and its answer.

    Attributes:
        question: The last turn of the prompt.
        answer: Empty where there is none yet.
        language: ISO 639-1 code of the question; empty when unknown.
    """

    question: str
    answer: str = ""
    language: str = ""


class Sample:
    """Of any number of rows those with the least hashes: the same whatever their order.

    Attributes:
        rows: How many were added.
    """

    def __init__(self) -> None:
        """Nothing is added yet."""
        self.rows = 0
        self._least: list[tuple[int, Said]] = []

    def add(self, said: Said) -> None:
        """Take a row in."""
        self.rows += 1
        entry = (-int(content_id(said.question, said.answer), 16), said)
        if len(self._least) < SAMPLE:
            heapq.heappush(self._least, entry)
        else:
            heapq.heappushpop(self._least, entry)

    def said(self) -> list[Said]:
        """The rows, in the order of their hashes."""
        return [said for _, said in sorted(self._least, reverse=True)]


class Compared(NamedTuple):
    """A set that people wrote, for comparison.

    Attributes:
        source: What the user typed.
        rows: How many rows it has.
        said: Those that are looked into.
    """

    source: str
    rows: int
    said: tuple[Said, ...]


def sampled(texts: Iterable[str]) -> list[str]:
    """At most `SAMPLE` texts, in an order that only their content decides."""
    return heapq.nsmallest(SAMPLE, texts, key=content_id)


def said_in(
    rows: Iterable[Mapping[str, Any]],  # Examples or Questions as JSON
    languages: Mapping[str, str],
) -> Iterator[tuple[str, Said]]:
    """Yield the generator of each record and what it says.

    Args:
        rows: Records of a run.
        languages: By id of chunk.
    """
    for row in rows:
        language = languages.get(_chunk(row), "")
        question = row["prompt"][-1]["content"]
        yield row["generator"], Said(question, row.get("reference", ""), language)


def _chunk(row: Mapping[str, Any]) -> str:  # an Example or Question as JSON
    quoted = [quote["chunk_id"] for quote in row["quotes"]]
    return next(iter((*row.get("chunk_ids", ()), *quoted)), row["metadata"].get("chunk", ""))


def read_compared(config: GenerateConfig, workspace: Workspace) -> Compared | None:
    """The set of `--compare-with`, in any form that `prefkit audit` reads; None without one.

    Raises:
        PrefkitError: It does not exist, is empty, or a row of it is no record: names the line.
    """
    if config.compare_with is None:
        return None
    from prefkit.audit.take_in import find_rows
    from prefkit.cleaning.rows import row_of
    from prefkit.cleaning.steps.take_in import record_of
    from prefkit.slices import read

    found = find_rows(config.compare_with, AuditConfig(), workspace)
    sample = Sample()
    for piece in found.slices:
        for where, value in read(piece):
            row = row_of(record_of(where, value, found.kind))
            sample.add(Said(row.question, row.good[0].text if row.good else ""))
    said = sample.said()
    language = told("\n".join(one.question for one in said[:_TOLD_BY]))
    return Compared(
        config.compare_with, sample.rows, tuple(one._replace(language=language) for one in said)
    )
