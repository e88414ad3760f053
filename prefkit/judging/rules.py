"""Judge without a model: how well does a candidate agree with the grounded reference?

A rule is a function `(example, candidate) -> 0..1`. Its judgments say `source="rule"`.
"""

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError
from prefkit.generation.grounding import numbers
from prefkit.plugins import find
from prefkit.records import Candidate, Example, Judgment, text_of
from prefkit.storage import sha256_of
from prefkit.workspace import Workspace

PREFIX = "rule:"
CUT_OFF = 0.5  # what an answer cut off by the length limit keeps of its rating
WORD = re.compile(r"[぀-ヿ一-鿿가-힯]|[^\W_]+(?:[.,:’'-][^\W_]+)*")
LOOK_BACK = 12  # characters before a word in which the end of a sentence is looked for


@dataclasses.dataclass(frozen=True)
class Rule:
    """A function that rates one candidate.

    Attributes:
        name: `rule:reference`, or `rule:` and the function's name.
        rate: (example, candidate) to 0..1, higher is better.
        source: Where it comes from.
        sha256: Of its Python file.
        says: One sentence on what it rates.
    """

    name: str
    rate: Callable[[Example, Candidate], float]
    source: str
    sha256: str
    says: str


def reference(example: Example, candidate: Candidate) -> float:
    """Agreement with the reference answer, on 0..1.

    The mean of token F1 (SQuAD, arXiv 1606.05250) and ROUGE-L F1, and, where either text names
    numbers or names, the mean of that and the F1 of those: a fluent answer with the wrong figure
    is a wrong answer. What is left is lowered for repetition (by the share of word trigrams that
    repeat one) and halved when the answer was cut off. An empty answer is 0.
    """
    text = text_of(candidate.completion)
    said, meant = tokens(text), tokens(example.reference)
    if not said:
        return 0.0
    agreement = (token_f1(said, meant) + rouge_l(text, example.reference)) / 2
    facts = fact_f1(text, example.reference)
    if facts is not None:
        agreement = (agreement + facts) / 2
    kept = CUT_OFF if candidate.finish_reason == "length" else 1.0
    return agreement * (1 - repetition(said)) * kept


RULES: dict[str, Callable[[Example, Candidate], float]] = {"reference": reference}


def load_rule(name: str, workspace: Workspace) -> Rule:
    """The rule that `rule:NAME` says: one of ours, `rule:./mine.py:function`, or an entry point.

    Raises:
        PrefkitError: There is no such rule, or it is not a function.
    """
    bare = name.removeprefix(PREFIX)
    if bare in RULES:
        rate = RULES[bare]
        return Rule(name, rate, "prefkit", sha256_of(Path(__file__)), _first_line(rate))
    if ".py:" not in bare and bare not in _installed():
        raise PrefkitError(
            f"There is no rule called `{name}`.",
            hint=f"Known: {', '.join(PREFIX + rule for rule in (*RULES, *_installed()))}. "
            "Your own: `rule:./mine.py:function`.",
        )
    found = find("metric", bare, workspace)
    if not callable(found.target):
        raise PrefkitError(f"{found.source}: `{found.name}` is not a function.")
    says = _first_line(found.target)
    return Rule(PREFIX + found.name, found.target, found.source, found.sha256, says)


def _installed() -> list[str]:
    return sorted(entry.name for entry in metadata.entry_points(group="prefkit.metrics"))


def _first_line(function: object) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


def rule_judgment(rule: Rule, example: Example, candidates: Sequence[Candidate]) -> Judgment:
    """Rate every candidate of one prompt.

    Raises:
        PrefkitError: The rule gives something that is not a number on 0..1.
    """
    ratings = {}
    for candidate in candidates:
        try:
            rating = rule.rate(example, candidate)
        except Exception as error:  # somebody else's code
            raise PrefkitError(
                f"{rule.name} ({rule.source}): failed on candidate {candidate.id}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not isinstance(rating, int | float) or not 0 <= rating <= 1:
            raise PrefkitError(
                f"{rule.name}: rated candidate {candidate.id} {rating!r}, which is not on 0..1.",
                hint="A rule returns a number from 0 (bad) to 1 (good).",
            )
        ratings[candidate.id] = round(float(rating), 6)
    return Judgment(
        prompt_id=example.id,
        ratings=ratings,
        annotator=rule.name,
        source="rule",
        guideline_sha256=rule.sha256,
    )


def tokens(text: str) -> list[str]:
    """Words and numbers in lower case; a CJK character is a word."""
    return [word.casefold() for word in WORD.findall(text)]


def token_f1(said: Sequence[str], meant: Sequence[str]) -> float:
    """F1 of two bags of tokens."""
    return f1(sum((Counter(said) & Counter(meant)).values()), len(said), len(meant))


def f1(shared: float, said: float, meant: float) -> float:
    """Harmonic mean of `shared / said` and `shared / meant`; 0 when nothing is shared."""
    return 2 * shared / (said + meant) if shared else 0.0


def rouge_l(text: str, meant: str) -> float:
    """ROUGE-L F1 by rouge_score, on our tokens: its own know only ASCII."""
    return _scorer().score(meant, text)["rougeL"].fmeasure


@functools.cache
def _scorer() -> Any:  # rouge_score is untyped
    from rouge_score.rouge_scorer import RougeScorer

    class Tokenizer:
        def tokenize(self, text: str) -> list[str]:
            return tokens(text)

    return RougeScorer(["rougeL"], tokenizer=Tokenizer())


def fact_f1(text: str, meant: str) -> float | None:
    """F1 of the numbers and names of two texts; None when neither has any.

    A capital letter at the start of a sentence may or may not begin a name, so such a word can
    support the other text's name but is not itself required to be supported.
    """
    said, maybe_said = facts(text)
    wanted, maybe_wanted = facts(meant)
    if not said and not wanted:
        return None
    precision = len(said & (wanted | maybe_wanted)) / len(said) if said else 1.0
    recall = len(wanted & (said | maybe_said)) / len(wanted) if wanted else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def facts(text: str) -> tuple[set[str], set[str]]:
    """Numbers and capitalised words, and the capitalised words that only begin a sentence."""
    sure, maybe = set(numbers(text)), set()
    for word in WORD.finditer(text):
        token = word[0]
        if not token[0].isupper() or token == "I":
            continue
        before = text[max(0, word.start() - LOOK_BACK) : word.start()].rstrip(" \t\"'“‘(*_")
        begins = not before or before[-1] in ".!?:\n•#-"
        (maybe if begins and not token[1:2].isupper() else sure).add(token.casefold())
    return sure, maybe - sure


def repetition(said: Sequence[str]) -> float:
    """Share of word trigrams that repeat an earlier one."""
    trigrams = [tuple(said[i : i + 3]) for i in range(len(said) - 2)]
    return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0
