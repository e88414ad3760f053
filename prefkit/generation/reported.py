"""What is known of a run that is about to finish: what cards and reports are made from."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

from prefkit import runs
from prefkit.generation.coverage import Coverage
from prefkit.generation.diversity_found import Diversity
from prefkit.generation.diversity_run import diversity_of_run
from prefkit.generation.plan import GeneratePlan
from prefkit.records import Example, Question


@dataclasses.dataclass(frozen=True)
class Reported:
    """A run with all its units recorded.

    Attributes:
        run: The run.
        plan: What it did.
        units: Units that hold drafts, in the planned order.
    """

    run: runs.Run
    plan: GeneratePlan
    units: tuple[str, ...]

    def rows(self, stream: str) -> Iterator[dict[str, Any]]:  # JSON records
        """The records of a stream, one unit in memory at a time."""
        for unit in self.units:
            yield from self.run.records_of(unit, stream)

    def examples(self) -> Iterator[Example]:
        """Every example, in order."""
        return map(Example.model_validate, self.rows("examples"))

    def questions(self) -> Iterator[Question]:
        """Every question that waits for review, in order."""
        return map(Question.model_validate, self.rows("questions"))

    @functools.cached_property
    def coverage(self) -> Coverage:
        """Which chunks they reach."""
        coverage = Coverage(self.plan.passages)
        for unit in self.units:
            values = self.run.values_of(unit)
            coverage.count_drafts(values.get("tried", ()), values.get("dropped_by_chunk", {}))
        coverage.count(self.rows("examples"))
        coverage.count(self.rows("questions"))
        return coverage

    @functools.cached_property
    def diversity(self) -> Diversity:
        """Whether they say many things."""
        return diversity_of_run(self.run, self.plan, self.units)
