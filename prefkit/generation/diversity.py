"""How diverse some texts are, beside others at the same number of words and of texts.

All measures but the shares grow or shrink with the amount of text (Shaib et al. 2024, arXiv
2403.00553), so that sets are compared at what the smallest of them has.
"""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from prefkit.audit.quality import measures
from prefkit.evaluation.statistics import Estimate, bootstrap, wilson
from prefkit.semantic.embedders import load_embedder
from prefkit.workspace import Workspace

BUDGET: Final = 20_000  # words, at most
FEWEST_WORDS: Final = 1_000  # under which distinct-n and compression say nothing
FEWEST_TEXTS: Final = 50  # under which openings, self-BLEU and the Vendi score say nothing
BLEU_TEXTS: Final = 500
BLEU_WORDS: Final = 200
VENDI_TEXTS: Final = 300  # of three sets: as many as TF-IDF takes without rounding anything off
BLOCKS: Final = 8  # of words, whose spread gives the intervals
_T: Final = 2.365  # Student's t at 97.5 %, of as many blocks

Encode = Callable[[Sequence[str]], np.ndarray]  # of all texts at once, a row of length 1 each


def encoder(embedder: str, workspace: Workspace) -> Encode:
    """What makes vectors, by any name that `prefkit similar` takes.

    Raises:
        PrefkitError: There is no such embedder, or something that it needs is missing.
    """
    return load_embedder(embedder, workspace).encode


def words_alone(texts: Sequence[str]) -> np.ndarray:
    """TF-IDF: no model, no meaning."""
    from prefkit.semantic.tfidf import Tfidf

    return Tfidf().encode(texts)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What some texts measure; a figure is nan where there is too little of them.

    Attributes:
        texts: How many they are.
        distinct: Different 1-, 2- and 3-grams over all.
        compression: Bytes over zlib bytes.
        self_bleu: Mean BLEU-4 of a text against the others.
        vendi: Effective number of different texts.
        opening: Share of the most frequent first four words.
        opens: These words.
    """

    texts: int
    distinct: tuple[Estimate, Estimate, Estimate]
    compression: Estimate
    self_bleu: Estimate
    vendi: Estimate
    opening: Estimate
    opens: str

    def figures(self) -> dict[str, Estimate]:
        """All of them by name."""
        distinct = {f"distinct-{size}": found for size, found in enumerate(self.distinct, start=1)}
        return distinct | {
            "compression": self.compression,
            "self-BLEU": self.self_bleu,
            "Vendi score": self.vendi,
            "most frequent opening": self.opening,
        }

    def as_json(self) -> dict[str, Any]:  # JSON values
        """Every figure with n, interval and method; a value is null when there was too little."""
        figures = {name: as_json(found) for name, found in self.figures().items()}
        return {"texts": self.texts, "opens": self.opens, "figures": figures}


def measure(sides: Mapping[str, Sequence[str]], encode: Encode) -> dict[str, Measured]:
    """Measure sets of texts beside each other.

    Args:
        sides: Texts by name of the set, in an order that means nothing.
        encode: Makes vectors of the texts of all sets.
    """
    words = {name: measures.within(texts, BUDGET) for name, texts in sides.items()}
    budget = _least((sum(map(len, said)) for said in words.values()), FEWEST_WORDS, BUDGET)
    bleu = _least(map(len, sides.values()), FEWEST_TEXTS, BLEU_TEXTS)
    vendi = _vendi(sides, encode)
    return {
        name: Measured(
            len(texts),
            (
                _of_words(words[name], budget, lambda said: measures.distinct(said, 1)),
                _of_words(words[name], budget, lambda said: measures.distinct(said, 2)),
                _of_words(words[name], budget, lambda said: measures.distinct(said, 3)),
            ),
            _of_words(words[name], budget, measures.zlib_ratio),
            _self_bleu(texts, bleu),
            vendi[name],
            *_opening(texts),
        )
        for name, texts in sides.items()
    }


def difference(one: Estimate, other: Estimate) -> Estimate:
    """How much larger one figure is than another of another set.

    The interval is made of theirs (square-and-add: Newcombe 1998, Zou and Donner 2008).
    """
    value, n = one.value - other.value, min(one.n, other.n)
    if None in (one.low, one.high, other.low, other.high) or not math.isfinite(value):
        return Estimate(value, n)
    assert one.low is not None and one.high is not None  # noqa: PT018 - for the type checker
    assert other.low is not None and other.high is not None  # noqa: PT018 - for the type checker
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, n, value - below, value + above, "square-and-add 95%")


def as_json(found: Estimate) -> dict[str, Any]:  # JSON values
    """An estimate as JSON; what is not a number is null."""
    entry = dataclasses.asdict(found)
    return entry | {"value": found.value if math.isfinite(found.value) else None}


def _least(sizes: Iterable[int], fewest: int, most: int) -> int:
    """The smallest size that is enough, `most` at most; 0 when none is."""
    return min((min(size, most) for size in sizes if size >= fewest), default=0)


def _too_few(n: int, fewest: int, what: str) -> Estimate:
    return Estimate(math.nan, n, method=f"too few: {n:,} of {fewest:,} {what}")


def _of_words(
    said: list[measures.Text], budget: int, figure: Callable[[Sequence[measures.Text]], float]
) -> Estimate:
    """A figure at a number of words; its interval is that of its relative spread over blocks."""
    held = sum(map(len, said))
    if not budget or held < budget:
        return _too_few(held, FEWEST_WORDS, "words")
    blocks = list(_blocks(said, budget))
    value = figure(list(itertools.chain.from_iterable(blocks)))
    spread = [found for block in blocks if math.isfinite(found := figure(block))]
    method = f"in {budget:,} words"
    if not math.isfinite(value) or len(spread) < BLOCKS or not (mean := statistics.fmean(spread)):
        return Estimate(value, budget, method=method)
    half = _T * statistics.stdev(spread) / math.sqrt(BLOCKS) / mean * value
    method += f"; interval of {BLOCKS} blocks of them"
    return Estimate(value, budget, max(0.0, value - half), value + half, method)


def _blocks(said: Sequence[measures.Text], budget: int) -> Iterable[list[measures.Text]]:
    """The first words in blocks of one size; a text may be cut between two."""
    size = budget // BLOCKS
    block: list[measures.Text] = []
    room, left = size, BLOCKS
    for text in said:
        while len(text) and left:
            block.append(text[:room])
            text, room = text[room:], room - len(text[:room])
            if not room:
                yield block
                block, room, left = [], size, left - 1


def _self_bleu(texts: Sequence[str], count: int) -> Estimate:
    if not count or len(texts) < count:
        return _too_few(len(texts), FEWEST_TEXTS, "texts")
    cut = [measures.within([text], BLEU_WORDS) for text in texts[:count]]
    scores = measures.self_bleu([text[0] for text in cut if text])
    if not scores:
        return _too_few(0, FEWEST_TEXTS, "texts of four words")
    found = bootstrap(scores)
    method = f"mean BLEU-4 of each of {len(scores)} texts against the others; {found.method}"
    return dataclasses.replace(found, method=method)


def _opening(texts: Sequence[str]) -> tuple[Estimate, str]:
    counts = measures.openings(texts)
    words, count = max(counts.items(), key=lambda kv: (kv[1], kv[0]), default=((), 0))
    if len(texts) < FEWEST_TEXTS:
        return _too_few(len(texts), FEWEST_TEXTS, "texts"), " ".join(words)
    return wilson(count, len(texts)), " ".join(words)


def _vendi(sides: Mapping[str, Sequence[str]], encode: Encode) -> dict[str, Estimate]:
    most = max(FEWEST_TEXTS, min(VENDI_TEXTS, 3 * VENDI_TEXTS // max(1, len(sides))))
    count = _least(map(len, sides.values()), FEWEST_TEXTS, most)
    enough = {name: texts[:count] for name, texts in sides.items() if len(texts) >= count > 0}
    vectors = encode([text for texts in enough.values() for text in texts]) if enough else ()
    found, start = {}, 0
    for name, texts in sides.items():
        if name not in enough:
            found[name] = _too_few(len(texts), FEWEST_TEXTS, "texts")
            continue
        rows = np.asarray(vectors[start : start + count])
        start += count
        value = measures.vendi(rows[np.linalg.norm(rows, axis=1) > 0])
        found[name] = Estimate(value, count, method=f"of {count} texts")
    return found
