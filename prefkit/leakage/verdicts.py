"""How contaminated each evaluation set is, in numbers and in words."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from prefkit.leakage.index import Index
from prefkit.records import Contamination, SplitLeak

Verdict = Literal["clean", "contaminated", "unknown"]


@dataclasses.dataclass(frozen=True)
class SetVerdict:
    """How much of one evaluation set stands in the training data.

    Attributes:
        name: Of the evaluation set.
        items: Its distinct items.
        unchecked: Items without a text that can be looked for: no question, and no answer of
            n-gram length.
        contaminated: Items found.
        rows: Training records they were found in.
        by_field: Findings by field of the training record.
        by_rule: Findings by rule.
        verdict: contaminated when an item was found, else unknown when none could be looked for.
    """

    name: str
    items: int
    unchecked: int
    contaminated: int
    rows: int
    by_field: dict[str, int]
    by_rule: dict[str, int]
    verdict: Verdict

    @property
    def share(self) -> float:
        """Share of the items that could be looked for and were found."""
        return self.contaminated / max(self.items - self.unchecked, 1)


def verdicts(index: Index, hits: Iterable[Contamination]) -> list[SetVerdict]:
    """One verdict an evaluation set, in their order."""
    items: dict[str, set[str]] = defaultdict(set)
    rows: dict[str, set[str]] = defaultdict(set)
    fields: dict[str, Counter[str]] = defaultdict(Counter)
    rules: dict[str, Counter[str]] = defaultdict(Counter)
    for hit in hits:
        items[hit.evaluation].add(hit.item_id)
        rows[hit.evaluation].add(hit.record_id)
        fields[hit.evaluation][hit.field] += 1
        rules[hit.evaluation][hit.rule] += 1
    total = Counter(number for number, _ in index.items)
    found = []
    for number, name in enumerate(index.sets):
        bad, unchecked = len(items[name]), index.unchecked[number]
        verdict: Verdict = "unknown" if unchecked == total[number] else "clean"
        found.append(
            SetVerdict(
                name,
                total[number],
                unchecked,
                bad,
                len(rows[name]),
                dict(fields[name].most_common()),
                dict(rules[name].most_common()),
                "contaminated" if bad else verdict,
            )
        )
    return found


def overall(found: Sequence[SetVerdict], splits: dict[str, int] | None) -> Verdict:
    """The worst verdict of all; a held-out record that repeats a training one is contaminated."""
    kinds = {verdict.verdict for verdict in found}
    if "contaminated" in kinds or (splits and splits["exact"] + splits["near"]):
        return "contaminated"
    return "unknown" if "unknown" in kinds else "clean"


def split_counts(leaks: Sequence[SplitLeak]) -> dict[str, int]:
    """Held-out records that training shares something with, by kind."""
    held: dict[str, set[str]] = {"exact": set(), "near": set(), "chunk": set(), "document": set()}
    for leak in leaks:
        held[leak.kind].add(leak.test_id)
    return {kind: len(ids) for kind, ids in held.items()}
