"""Records whose annotators contradict each other, most first."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prefkit.records import Conflict, Judgment

Said = Mapping[str, float] | str  # scores of candidates (or ranks), or a decision
Span = Mapping[str, float]  # widest difference of two scores, by question


def conflicts(judgments: Iterable[Judgment], threshold: float) -> list[Conflict]:
    """Conflicts of at least `threshold`, the greatest first, then by prompt.

    How great a conflict is, from 0 to 1, is the mean over all pairs of annotators of the prompt:
    of rankings, the share of pairs of candidates that the two order oppositely (a tie contradicts
    nothing); of decisions, whether they differ; of scores, how far apart they are for the spread
    of all scores of the question.

    Args:
        judgments: Votes, one an annotator and prompt.
        threshold: Smallest amount that is a conflict.
    """
    by_prompt: dict[str, list[Judgment]] = defaultdict(list)
    for judgment in judgments:
        by_prompt[judgment.prompt_id].append(judgment)
    span = _span(by_prompt)
    found = []
    for prompt, group in by_prompt.items():
        if len(group) > 1:
            found += [c for c in _of_prompt(prompt, group, span) if c.amount >= threshold]
    return sorted(
        found, key=lambda conflict: (-conflict.amount, conflict.prompt_id, conflict.question)
    )


def _of_prompt(prompt: str, group: Sequence[Judgment], span: Span) -> Iterable[Conflict]:
    for question, said in _questions(group).items():
        meetings = list(itertools.combinations(said.values(), 2))
        apart = [_apart(one, other, span.get(question, 0)) for one, other in meetings]
        known = [amount for amount in apart if amount is not None]
        if known and any(known):
            yield Conflict(
                prompt_id=prompt,
                question=question,
                amount=round(sum(known) / len(known), 6),
                detail=_detail(said),
                annotators=tuple(sorted(said)),
            )


def _questions(group: Sequence[Judgment]) -> dict[str, dict[str, Said]]:
    """What each annotator said to each question of one prompt."""
    found: dict[str, dict[str, Said]] = defaultdict(dict)
    for judgment in group:
        for question, said in _answers(judgment).items():
            found[question][judgment.annotator] = said
    return {question: said for question, said in found.items() if len(said) > 1}


def _answers(judgment: Judgment) -> dict[str, Said]:
    said: dict[str, Said] = {}
    if judgment.decision:
        said["decision"] = judgment.decision
    if judgment.ranks:
        said["ranks"] = judgment.ranks
    if judgment.ratings:
        said["ratings"] = judgment.ratings
    return said | {f"aspect: {name}": s for name, s in (judgment.aspects or {}).items()}


def _span(by_prompt: Mapping[str, Sequence[Judgment]]) -> Span:
    scores: dict[str, set[float]] = defaultdict(set)
    for judgment in itertools.chain.from_iterable(by_prompt.values()):
        scores["ratings"].update((judgment.ratings or {}).values())
        for aspect, given in (judgment.aspects or {}).items():
            scores[f"aspect: {aspect}"].update(given.values())
    return {question: max(given) - min(given) for question, given in scores.items() if given}


def _apart(one: Said, other: Said, span: float) -> float | None:
    """How far two answers are apart, 0 to 1; None when they are about different candidates."""
    if isinstance(one, str) or isinstance(other, str):
        return float(one != other)
    shared = sorted(set(one) & set(other))
    if span:
        return (
            sum(abs(one[c] - other[c]) for c in shared) / (span * len(shared)) if shared else None
        )
    pairs = list(itertools.combinations(shared, 2))
    against = sum((one[a] - one[b]) * (other[a] - other[b]) < 0 for a, b in pairs)
    return against / len(pairs) if pairs else None


def _detail(said: Mapping[str, Said]) -> str:
    return "; ".join(f"{who}: {_words(what)}" for who, what in sorted(said.items()))


def _words(said: Said) -> str:
    if isinstance(said, str):
        return said
    return ", ".join(f"{candidate} {score:g}" for candidate, score in sorted(said.items()))
