"""Examples that say what another says: which one stays, and which go together in a split.

Exact: the same prompt and the same reference up to case, spacing, width and sentence marks.
Repeated: the same prompt with another reference; one stays, because a question that stands for
two answers teaches neither. Near: prompt and reference are both at least `threshold` similar
(near_duplicates.py) and neither text states a number, name, sign or turning word that the other
lacks: "two days before" and "three days before" are two facts, however alike.

Two examples with near-duplicate prompts, or with near-duplicate references of eight words or more,
belong to one cluster even where both stay: a split must not tear a cluster apart.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from prefkit.cleaning.near_duplicates import near_pairs, similarities, star
from prefkit.cleaning.normalise import SENTENCE_MARK, conversation_key, matching_key, words
from prefkit.records import Dropped, Example, text_of

STAGE = "clean"
TELLING = 8  # words from which two similar references are no chance
PASSES = 10  # over sets so alike that one pass cannot compare all pairs
TURNING = frozenset(
    "no not never none without except only before after above below under over minimum maximum "
    "least most more less first second third last one two three four five six seven eight nine "
    "ten eleven twelve twenty thirty forty fifty hundred thousand half double once twice daily "
    "weekly monthly yearly".split()
)


@dataclasses.dataclass(frozen=True)
class Deduplicated:
    """What stays, and what went.

    Attributes:
        kept: In the order given.
        dropped: Each names the example it yielded to. The keeper of a near duplicate is kept;
            that of an exact one may have yielded to a near duplicate in turn.
        compared: Pairs compared in full.
    """

    kept: tuple[Example, ...]
    dropped: tuple[Dropped, ...]
    compared: int


def without_duplicates(
    examples: Sequence[Example], threshold: float, *, keep_repeated_prompts: bool = False
) -> Deduplicated:
    """Keep one of each set of duplicates; what is kept does not depend on the order given.

    The one that stays is in a test split already, else has the most quotes, else the smallest id.

    Args:
        examples: Normalised, with distinct ids.
        threshold: Jaccard similarity at which prompts, and references, count as near.
        keep_repeated_prompts: Keep several references to one prompt (they share a split).
    """
    ordered = sorted(examples, key=preference)
    same = _same_text(ordered, keep_repeated_prompts)
    near, compared = _near([e for e in ordered if e.id not in same], threshold)
    gone = same | near
    return Deduplicated(
        tuple(example for example in examples if example.id not in gone),
        tuple(gone[example.id] for example in examples if example.id in gone),
        compared,
    )


def links(examples: Sequence[Example], threshold: float) -> list[tuple[int, int]]:
    """Pairs of indices of examples that must share a split."""
    prompts = [_asked(example) for example in examples]
    references = [
        example.reference if len(words(example.reference)) >= TELLING else ""
        for example in examples
    ]
    found = [
        (left, right)
        for texts in (prompts, references)
        for left, right, _ in near_pairs(texts, threshold)
        if same_facts(texts[left], texts[right])
    ]
    by_key: dict[object, int] = {}
    for number, example in enumerate(examples):
        first = by_key.setdefault(conversation_key(example.prompt), number)
        if first != number:
            found.append((first, number))
    return found


def preference(example: Example) -> tuple[bool, int, str]:
    """Sorts the example to keep before its duplicates."""
    return example.split != "test", -len(example.quotes), example.id


def same_facts(one: str, other: str) -> bool:
    """Whether each text mentions every number, name, sign and turning word of the other."""
    return _facts(one) <= _mentions(other) and _facts(other) <= _mentions(one)


def _same_text(ordered: Sequence[Example], keep_repeated_prompts: bool) -> dict[str, Dropped]:
    gone: dict[str, Dropped] = {}
    seen: dict[object, Example] = {}
    for example in ordered:
        prompt, reference = conversation_key(example.prompt), matching_key(example.reference)
        first = seen.setdefault((prompt, reference) if keep_repeated_prompts else prompt, example)
        if first is example:
            continue
        if matching_key(first.reference) == reference:
            gone[example.id] = _drop(example, "exact-duplicate", f"same text as {first.id}")
        else:
            gone[example.id] = _repeated(example, first)
    return gone


def _repeated(example: Example, first: Example) -> Dropped:
    texts = (first.reference, example.reference)
    likeness = similarities(texts, np.array([0]), np.array([1]))[0]
    agree = same_facts(*texts)
    return _drop(
        example,
        "repeated-prompt" if agree else "conflicting-reference",
        f"same prompt as {first.id}, "
        + ("no other facts" if agree else "other facts")
        + f" in the reference (similarity {likeness:.2f})",
    )


def _near(ordered: Sequence[Example], threshold: float) -> tuple[dict[str, Dropped], int]:
    """Near duplicates by id; and how many pairs were compared."""
    keepers: dict[int, tuple[int, float]] = {}
    compared = 0
    for _ in range(PASSES):
        left = [number for number in range(len(ordered)) if number not in keepers]
        near = near_pairs([_asked(ordered[number]) for number in left], threshold)
        pairs = [(left[one], left[other]) for one, other, _ in near]
        found = star(left, _duplicates(ordered, pairs, threshold))
        keepers |= found
        orphans = [item for item, (keeper, _) in keepers.items() if keeper in keepers]
        _rehome(ordered, orphans, keepers, threshold)
        compared += near.compared
        if near.complete or not found:
            break
    return {
        ordered[item].id: _drop(
            ordered[item], "near-duplicate", f"similarity {score:.3f} to {ordered[keeper].id}"
        )
        for item, (keeper, score) in keepers.items()
    }, compared


def _rehome(
    ordered: Sequence[Example],
    orphans: Sequence[int],
    keepers: dict[int, tuple[int, float]],
    threshold: float,
) -> None:
    """Give items whose keeper went the keeper's keeper, or take them back when it is not near."""
    pairs = []
    for item in orphans:
        keeper = keepers[item][0]
        while keeper in keepers:
            keeper = keepers[keeper][0]
        pairs.append((item, keeper))
    near = {item: (keeper, score) for item, keeper, score in _duplicates(ordered, pairs, threshold)}
    for item in orphans:
        del keepers[item]
    keepers |= near


def _duplicates(
    examples: Sequence[Example], pairs: Sequence[tuple[int, int]], threshold: float
) -> list[tuple[int, int, float]]:
    """Those of `pairs` that are near duplicates, with the lower of both similarities."""
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    prompts = similarities([_asked(example) for example in examples], left, right)
    references = similarities([example.reference for example in examples], left, right)
    scores = np.minimum(prompts, references).tolist()
    return [
        (one, other, score)
        for (one, other), score in zip(pairs, scores, strict=True)
        if score >= threshold and same_facts(_whole(examples[one]), _whole(examples[other]))
    ]


def _asked(example: Example) -> str:
    return text_of(example.prompt)


def _whole(example: Example) -> str:
    return f"{_asked(example)}\n{example.reference}"


def _facts(text: str) -> set[str]:
    """Words with a digit, a sign, or a capital inside a sentence; and turning words."""
    facts: set[str] = set()
    opening = True
    for word in text.replace("\n", " . ").split():
        for part in _parts(word):
            folded = part.casefold()
            capital = not opening and part != folded
            if folded in TURNING or capital or not part.replace("-", "").isalpha():
                facts.add(folded)
            opening = False
        opening |= word[-1] in ".!?:"
    return facts


def _mentions(text: str) -> set[str]:
    return {part.casefold() for part in _parts(text)}


def _parts(text: str) -> list[str]:
    """Words without sentence marks, emphasis and dashes."""
    parts = (part.strip("*_~|•–—") for part in SENTENCE_MARK.sub(" ", text).split())
    return [part for part in parts if part.strip("-/")]


def _drop(example: Example, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=example.id, stage=STAGE, rule=rule, detail=detail)
