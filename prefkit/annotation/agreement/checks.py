"""Answers that are known beforehand: attention checks, and prompts that were shown twice."""

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from prefkit.annotation.agreement.answers import Answers, asked
from prefkit.annotation.agreement.extremes import Extreme
from prefkit.annotation.agreement.habits import Habit
from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import wilson
from prefkit.records import Judgment

# What a check expects: ranks (only their order counts), the best candidate's id, or a decision.
Key = Mapping[str, dict[str, int] | str]
ATTENTIVE = 0.9  # a careful annotator passes at least this share of checks
NOTED = "attention"  # note of `pull` in the answer to a check: passed or failed
UNTESTED = Extreme(0, 0, math.nan, 1.0)


def read_key(path: Path) -> Key:
    """The expected answers that `annotate push` kept apart from the annotators.

    Raises:
        PrefkitError: The file is not a JSON object of ranks or texts: names the entry.
    """
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: not a readable key of attention checks ({error}).") from error
    entries = key.items() if isinstance(key, dict) else [("the file", key)]
    for name, expected in entries:
        ranks = isinstance(expected, dict) and all(type(r) is int for r in expected.values())
        if not (ranks or isinstance(expected, str)):
            raise PrefkitError(
                f"{path}: `{name}` is neither ranks, a candidate id nor a decision.",
                hint='An entry looks like {"PROMPT_ID": {"CANDIDATE_ID": 1, "OTHER_ID": 2}}.',
            )
    return key


def attention(judgments: Iterable[Judgment], annotators: Sequence[str], key: Key) -> list[Habit]:
    """How many attention checks each annotator passed; the test is against 90 %."""
    from scipy import stats

    passed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for judgment in judgments:
        good = outcome(judgment, key)
        if good is not None:
            met[judgment.annotator] += 1
            passed[judgment.annotator] += good
    found = []
    for who in annotators:
        n, good = met[who], passed[who]
        p_value = float(stats.binom.cdf(good, n, ATTENTIVE)) if n else 1.0
        share = ATTENTIVE if n else math.nan
        found.append(Habit(wilson(good, n), Extreme(good, n, share, p_value)))
    return found


def outcome(judgment: Judgment, key: Key) -> bool | None:
    """Whether a check was passed, by the key or by what `pull` noted; None for no check."""
    expected = key.get(asked(judgment), key.get(judgment.prompt_id))
    if expected is not None:
        return passes(judgment, expected)
    noted = judgment.metadata.get(NOTED)
    return None if noted is None else noted == "passed"


def passes(judgment: Judgment, expected: dict[str, int] | str) -> bool:
    """Whether an answer is what a check expects.

    Of ranks, every strict order between two candidates must be kept; a single candidate must be
    ranked best, alone; a decision must be that one.
    """
    ranks = judgment.ranks or {}
    if isinstance(expected, str):
        best = [name for name, rank in ranks.items() if rank == min(ranks.values())]
        return expected in (judgment.decision, *best[: len(best) == 1])
    return all(
        one in ranks and other in ranks and (ranks[one] < ranks[other]) == (rank < against)
        for (one, rank), (other, against) in itertools.permutations(expected.items(), 2)
        if rank != against
    )


def repeated(answers: Answers) -> list[Habit]:
    """How often an annotator says the same of a prompt that was shown again.

    Of rankings, the share of pairs of candidates that stand in the same order; else whether the
    decision is the same.
    """
    same: dict[str, float] = defaultdict(float)
    met: Counter[str] = Counter()
    for first, second in answers.repeats:
        alike = _alike(first, second)
        if alike is not None:
            met[first.annotator] += 1
            same[first.annotator] += alike
    return [Habit(wilson(same[who], met[who]), UNTESTED) for who in answers.annotators]


def _alike(first: Judgment, second: Judgment) -> float | None:
    before, after = first.ranks or {}, second.ranks or {}
    pairs = list(itertools.combinations(sorted(set(before) & set(after)), 2))
    if pairs:
        kept = (_order(before, pair) == _order(after, pair) for pair in pairs)
        return sum(kept) / len(pairs)
    if first.decision and second.decision:
        return float(first.decision == second.decision)
    return None


def _order(ranks: Mapping[str, int], pair: tuple[str, str]) -> int:
    one, other = ranks[pair[0]], ranks[pair[1]]
    return (one > other) - (one < other)
