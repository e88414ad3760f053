"""The plan of a corpus: chunk by kind by persona by difficulty, balanced and drawn from one seed.

Kinds are given out in turns that keep to their weights from the first chunk on, so that a run which
stops at its total is balanced too. A chunk is given only kinds that it allows.
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prefkit.config import GenerateConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.generation.examples import Method, Passage, quota
from prefkit.generation.kinds import BY_RULE, ONE_PASSAGE, OVER_TWO, allows
from prefkit.generation.personas import Persona
from prefkit.generation.retrieval import Index
from prefkit.generation.stepwise import kinds_by_rule
from prefkit.records import content_id

ANY = "any"  # the drafter chooses the kind
_SCARCE = 0.8  # of its share: a kind that got less is named


@dataclasses.dataclass(frozen=True)
class Cell:
    """One question to be written.

    Attributes:
        name: Stable: made from the seed, the chunks and what is asked for.
        kind: Of `kinds`, or `any`.
        persona: Who asks; empty when nobody in particular.
        difficulty: easy, medium or hard; empty when not asked for.
    """

    name: str
    kind: str = ANY
    persona: str = ""
    difficulty: str = ""


@dataclasses.dataclass(frozen=True)
class Task:
    """Questions that are drafted together from the same text.

    Attributes:
        passages: One chunk, or the two of a question over two.
        cells: What is to be written.
    """

    passages: tuple[Passage, ...]
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Grid:
    """The whole plan.

    Attributes:
        tasks: In the order in which they are drafted.
        planned: Whether kinds were asked for; else the drafter chooses them.
        notices: What was asked for and cannot be had, and why.
    """

    tasks: tuple[Task, ...]
    planned: bool
    notices: tuple[str, ...] = ()

    def cells(self) -> Iterator[Cell]:
        """All cells in order."""
        return (cell for task in self.tasks for cell in task.cells)

    def counts(self, first: int | None = None) -> dict[str, dict[str, int]]:
        """Cells by kind, persona and difficulty, of the first so many or of all."""
        cells = list(itertools.islice(self.cells(), first))
        of = {
            "kinds": (cell.kind for cell in cells),
            "personas": (cell.persona for cell in cells),
            "difficulty": (cell.difficulty for cell in cells),
        }
        counted = {name: Counter(filter(None, values)) for name, values in of.items()}
        return {name: dict(sorted(counter.items())) for name, counter in counted.items() if counter}

    def as_json(self) -> dict[str, Any]:  # JSON values
        """What `plan.json` holds."""
        return {
            "planned": self.planned,
            "counts": self.counts(),
            "notices": list(self.notices),
            "tasks": [
                {
                    "chunks": [passage.chunk.id for passage in task.passages],
                    "cells": [dataclasses.asdict(cell) for cell in task.cells],
                }
                for task in self.tasks
            ],
        }


def plan_grid(
    passages: Sequence[Passage],
    config: GenerateConfig,
    personas: Sequence[Persona],
    method: Method,
    index: Callable[[], Index],
) -> Grid:
    """Give every chunk its questions.

    Args:
        passages: In the order in which they are drafted.
        config: Mix, difficulty, quota and seed.
        personas: Who asks; nobody in particular when empty.
        method: How it is drafted: rules know some kinds only.
        index: Makes the corpus' index; called only when the mix needs it.

    Raises:
        PrefkitError: No kind of the mix can be had.
    """
    mix = dict(config.mix)
    if not mix and (personas or config.difficulty or config.questions_only):
        mix = dict.fromkeys(ONE_PASSAGE, 1.0)
    notices: list[str] = []
    if method == "stepwise" and (mix or personas or config.difficulty):
        mix, notices = _by_rule(mix, config, personas)
        personas = ()
    if not mix:
        return Grid(tuple(_unplanned(passages, config)), planned=False, notices=tuple(notices))
    difficulty = config.difficulty if method == "structured" else {}
    filling = _Filling(mix, difficulty, personas, config.seed)
    partners = index().partners if OVER_TWO in mix else {}
    by_id = {passage.chunk.id: passage for passage in passages}
    tasks: list[Task] = []
    for passage in passages:
        near = [by_id[other] for other in partners.get(passage.chunk.id, ()) if other in by_id]
        slots = quota(passage.chunk, config.per_chunk)
        tasks += filling.tasks_of(passage, slots, near, method)
    notices += filling.scarce()
    return Grid(tuple(tasks), planned=True, notices=tuple(notices))


def _by_rule(
    mix: Mapping[str, float], config: GenerateConfig, personas: Sequence[Persona]
) -> tuple[dict[str, float], list[str]]:
    """What is left of a mix when rules write the questions, and what is not to be had."""
    left = {kind: weight for kind, weight in mix.items() if kind in BY_RULE}
    gone = [kind for kind in mix if kind not in BY_RULE]
    why = "the stepwise way writes questions by rule"
    notices = [f"{', '.join(gone)}: left out, {why}"] if gone and config.mix else []
    if personas or config.difficulty:
        notices.append(f"personas and difficulty: not asked for, {why}")
    if not left:
        raise PrefkitError(
            f"[generate] mix: rules write none of: {', '.join(gone)}.",
            hint=f"They write: {', '.join(BY_RULE)}. A stronger model writes all: "
            "`--model openai:NAME`, or `--method structured`.",
            exit_code=EXIT_USAGE,
        )
    return left, notices


def _unplanned(passages: Sequence[Passage], config: GenerateConfig) -> Iterator[Task]:
    for passage in passages:
        chunk = passage.chunk
        names = range(quota(chunk, config.per_chunk))
        cells = (Cell(content_id("cell", config.seed, chunk.id, number)) for number in names)
        yield Task((passage,), tuple(cells))


class _Filling:
    """Gives out kinds, personas and difficulties by their weights."""

    def __init__(
        self,
        mix: Mapping[str, float],
        difficulty: Mapping[str, float],
        personas: Sequence[Persona],
        seed: int,
    ) -> None:
        self._mix = mix
        self._difficulty = difficulty
        self._personas = {persona.name: persona.weight for persona in personas}
        self._seed = seed
        self._given: Counter[str] = Counter()
        self._together: Counter[tuple[str, str]] = Counter()
        self._pairs: set[frozenset[str]] = set()
        self._slots = 0

    def tasks_of(
        self, passage: Passage, slots: int, near: Sequence[Passage], method: Method
    ) -> list[Task]:
        """The tasks of one chunk."""
        able = self._able(passage, method)
        cells: list[Cell] = []
        tasks: list[Task] = []
        had: Counter[str] = Counter()
        for _ in range(slots):
            self._slots += 1
            partner = self._partner(passage, near)
            kinds = {kind for kind, room in able.items() if had[kind] < room}
            if partner is None:
                kinds.discard(OVER_TWO)
            if not kinds:
                continue
            kind = self._turn(kinds, had)
            had[kind] += 1
            if kind == OVER_TWO and partner is not None:
                self._pairs.add(frozenset((passage.chunk.id, partner.chunk.id)))
                both = (passage, partner)
                tasks.append(Task(both, (self._cell(kind, both, had[kind]),)))
            else:
                cells.append(self._cell(kind, (passage,), had[kind]))
        return ([Task((passage,), tuple(cells))] if cells else []) + tasks

    def scarce(self) -> list[str]:
        """Kinds that got clearly less than their share."""
        whole, weights = sum(self._given.values()), sum(self._mix.values())
        told = []
        for kind, weight in self._mix.items():
            share = weight / weights * whole
            if self._given[kind] < _SCARCE * share:
                told.append(
                    f"{kind}: {self._given[kind]} of {round(share)} wanted, "
                    "too few chunks allow them"
                )
        return told

    def _able(self, passage: Passage, method: Method) -> dict[str, float]:
        """Kinds that a chunk allows, and how many of each."""
        if method == "stepwise":
            found = kinds_by_rule(passage)
            return {kind: found[kind] for kind in self._mix if found[kind]}
        text, language = passage.chunk.text, passage.language
        return {kind: float("inf") for kind in self._mix if allows(kind, text, language)}

    def _partner(self, passage: Passage, near: Sequence[Passage]) -> Passage | None:
        """The best chunk to ask about together that it was not asked about with yet."""
        for other in near:
            pair = frozenset((passage.chunk.id, other.chunk.id))
            if pair not in self._pairs and other.language == passage.language:
                return other
        return None

    def _turn(self, kinds: set[str], had: Counter[str]) -> str:
        """The kind that is most behind its share; of those behind, one new to the chunk first."""
        weights = sum(self._mix.values())

        def behind(kind: str) -> float:
            return round(self._mix[kind] / weights * self._slots - self._given[kind], 9)

        fresh = [kind for kind in self._mix if kind in kinds and not had[kind] and behind(kind) > 0]
        kind = max(fresh or [kind for kind in self._mix if kind in kinds], key=behind)
        self._given[kind] += 1
        return kind

    def _cell(self, kind: str, passages: tuple[Passage, ...], number: int) -> Cell:
        persona = self._least("persona", kind, self._personas)
        difficulty = self._least("difficulty", kind, self._difficulty)
        chunks = [passage.chunk.id for passage in passages]
        name = content_id("cell", self._seed, chunks, kind, persona, difficulty, number)
        return Cell(name, kind, persona, difficulty)

    def _least(self, what: str, kind: str, weights: Mapping[str, float]) -> str:
        """The value that a kind has had least of, by weight; empty when there are none."""
        if not weights:
            return ""
        names = list(weights)

        def had(name: str) -> tuple[float, float, int]:
            turn = (names.index(name) - self._seed) % len(names)
            in_kind = self._together[(kind, f"{what}:{name}")] / weights[name]
            return in_kind, self._together[("", f"{what}:{name}")] / weights[name], turn

        name = min(names, key=had)
        self._together[(kind, f"{what}:{name}")] += 1
        self._together[("", f"{what}:{name}")] += 1
        return name
