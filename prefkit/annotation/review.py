"""What reviewers decided, as examples: accepted, edited, or set aside with the reason.

The rule: more than half of the submitted decisions on an example decide. Without such a majority
(a tie, or two different edits) the example is left out as a conflict for an adjudicator, whose
decision then counts alone.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prefkit.annotation.tasks import PULL_STAGE, reference_candidate
from prefkit.pairs.check import text_key
from prefkit.records import Candidate, Dropped, Example, Judgment


@dataclasses.dataclass(frozen=True)
class Reviewed:
    """What came of a review.

    Attributes:
        examples: Accepted as they were, or with the edited answer and the same prompt and split.
        candidates: The answers that were edited, so that `pairs` sets each edit above its
            original.
        dropped: All others, with the reason.
    """

    examples: tuple[Example, ...]
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]


def review(
    examples: Iterable[Example], judgments: Iterable[Judgment], overlap: Mapping[str, int]
) -> Reviewed:
    """Decide on every example that was shown.

    Args:
        examples: Those shown, in the order wanted.
        judgments: Of reviewers, any status; only submitted ones count.
        overlap: Submitted decisions that each prompt waits for.
    """
    votes: dict[str, list[Judgment]] = defaultdict(list)
    for judgment in judgments:
        if judgment.status == "submitted":
            votes[judgment.prompt_id].append(judgment)
    kept, dropped = [], []
    candidates = []
    for example in examples:
        settled = [vote for vote in votes[example.id] if vote.adjudicated]
        wanted = 1 if settled else overlap.get(example.id, 1)
        found = _decide(example, settled or votes[example.id], wanted)
        if isinstance(found, Dropped):
            dropped.append(found)
        else:
            kept.append(found)
        if any(judgment.edit for judgment in votes[example.id]):
            candidates.append(reference_candidate(example))
    return Reviewed(tuple(kept), tuple(candidates), tuple(dropped))


def _decide(example: Example, votes: Sequence[Judgment], wanted: int) -> Example | Dropped:
    if len(votes) < wanted:
        rule = "not-reviewed" if not votes else "review-not-complete"
        return _drop(example, rule, f"{len(votes)} of {wanted} decisions")
    decision, count = Counter(judgment.decision for judgment in votes).most_common(1)[0]
    if 2 * count <= len(votes):
        return _drop(example, "reviewers-disagree", _said(votes))
    if decision == "accept":
        return example
    if decision == "edit":
        return _edited(example, votes)
    reasons = Counter(reason for judgment in votes for reason in judgment.reasons)
    return _drop(example, "rejected", ", ".join(reasons) or "no reason given")


def _edited(example: Example, votes: Sequence[Judgment]) -> Example | Dropped:
    by_text: dict[str, list[Judgment]] = defaultdict(list)
    editors = [judgment for judgment in votes if judgment.decision == "edit"]
    for judgment in editors:
        if judgment.edit:
            by_text[text_key(judgment.edit)].append(judgment)
    if not by_text:
        return _drop(example, "edit-without-text", "the answer was left as it was")
    best = max(by_text.values(), key=len)
    if 2 * len(best) <= len(editors):
        return _drop(example, "edits-differ", f"{len(by_text)} different edits")
    first = min(best, key=lambda judgment: (judgment.answered_at, judgment.annotator))
    assert first.edit is not None
    notes = {"edited_from": example.id, "judgment_id": first.id}
    return Example(
        prompt=example.prompt,
        reference=first.edit.strip(),
        quotes=example.quotes,
        kind=example.kind,
        generator=f"{example.generator} + edit".removeprefix(" + "),
        split=example.split,
        metadata=example.metadata | notes,
    )


def _said(votes: Sequence[Judgment]) -> str:
    return ", ".join(f"{j.annotator}: {j.decision or 'nothing'}" for j in votes)


def _drop(example: Example, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=example.id, stage=PULL_STAGE, rule=rule, detail=detail)
