"""Measures of diversity over some texts.

All but the Vendi score grow or shrink with the amount of text, so they are compared at the same
number of words only (Shaib et al. 2024, arXiv 2403.00553).
"""

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from prefkit.audit.surface import words_of

Text = Sequence[str]  # words of a text
OPENING = 4  # words that a text opens with
SMOOTH = 0.1  # matches of an order without any (Chen and Cherry 2014, method 1)
_BLEU = 4  # longest n-gram


def within(texts: Iterable[str], budget: int) -> list[Text]:
    """Words of the first texts, `budget` words in all; the last text may be cut."""
    found: list[Text] = []
    left = budget
    for text in texts:
        said = words_of(text)[:left]
        found += [said] if said else []
        left -= len(said)
        if left <= 0:
            break
    return found


def distinct(texts: Sequence[Text], size: int) -> float:
    """Different n-grams over all n-grams (Li et al. 2016); nan without any."""
    grams = [gram for text in texts for gram in _grams(text, size)]
    return len(set(grams)) / len(grams) if grams else math.nan


def zlib_ratio(texts: Sequence[Text]) -> float:
    """Bytes over compressed bytes: how much of what is said was said before."""
    data = "\n".join(" ".join(text) for text in texts).encode("utf-8", "replace")
    return len(data) / len(zlib.compress(data, 6)) if data else math.nan


def repeated(texts: Sequence[Text], size: int = 4) -> float:
    """Share of n-grams that another of the texts has too; nan without any."""
    holders: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        holders.update(set(_grams(text, size)))
    counts = [holders[gram] > 1 for text in texts for gram in _grams(text, size)]
    return sum(counts) / len(counts) if counts else math.nan


def openings(texts: Sequence[str]) -> Counter[tuple[str, ...]]:
    """How many texts open with the same four words; shorter texts open with nothing."""
    found = (tuple(words_of(text[:200])[:OPENING]) for text in texts)
    return Counter(opening for opening in found if len(opening) == OPENING)


def self_bleu(texts: Sequence[Text]) -> list[float]:
    """BLEU-4 of each text against all others (Zhu et al. 2018); 1 is a text that they hold whole.

    Sentence BLEU with clipped counts, the closest reference length, and an n-gram order without
    a match counted as a tenth of one. Texts under four words are left out.
    """
    texts = [text for text in texts if len(text) >= _BLEU]
    if len(texts) < 2:
        return []
    counts = [[Counter(_grams(text, n)) for text in texts] for n in range(1, _BLEU + 1)]
    most = [_two_largest(of_order) for of_order in counts]
    sizes = np.sort([len(text) for text in texts])
    return [_bleu(place, texts, counts, most, sizes) for place in range(len(texts))]


def vendi(vectors: np.ndarray) -> float:
    """Effective number of different items: exp of the entropy of the eigenvalues of K / n.

    Friedman and Dieng (2022). K and the covariance of the vectors share their eigenvalues, so the
    smaller of the two is taken. The score grows with n: compare at equal n.

    Args:
        vectors: One row an item, of length 1.
    """
    if not len(vectors):
        return math.nan
    rows = np.asarray(vectors, np.float64)
    small = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    values = np.linalg.eigvalsh(small / len(rows))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _grams(text: Text, size: int) -> list[tuple[str, ...]]:
    return list(zip(*(text[start:] for start in range(size)), strict=False))


def _two_largest(counts: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], list[int]]:
    """For each n-gram its largest count, in whose text, and the largest in another text."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, -1, 0])
    for place, of_text in enumerate(counts):
        for gram, count in of_text.items():
            best = found[gram]
            if count > best[0]:
                best[:] = [count, place, best[0]]
            elif count > best[2]:
                best[2] = count
    return found


def _bleu(
    place: int,
    texts: Sequence[Text],
    counts: Sequence[Sequence[Counter[tuple[str, ...]]]],
    most: Sequence[dict[tuple[str, ...], list[int]]],
    sizes: np.ndarray,
) -> float:
    precisions = []
    for of_order, largest in zip(counts, most, strict=True):
        matched = 0
        for gram, count in of_order[place].items():
            best, holder, other = largest[gram]
            matched += min(count, other if holder == place else best)
        total = sum(of_order[place].values())
        precisions.append((matched or SMOOTH) / total)
    size = len(texts[place])
    closest = _closest(sizes, size)
    brevity = 1.0 if size > closest else math.exp(1 - closest / size)
    return brevity * math.exp(sum(map(math.log, precisions)) / _BLEU)


def _closest(sizes: np.ndarray, size: int) -> int:
    """The length of another text that is nearest to `size`, the shorter of two."""
    at = int(np.searchsorted(sizes, size))
    others = [sizes[i] for i in (at - 1, at + 1) if 0 <= i < len(sizes)]
    return int(min(others, key=lambda other: (abs(other - size), other)))
