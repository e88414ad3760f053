"""Texts as words and as sets of word shingles, without a Python string for a word or a shingle.

A word is a run of letters, digits and combining marks; a character of Han, hiragana or katakana
is a word by itself. Case is folded; everything else separates. Words and shingles are 64-bit
hashes, so a similarity is exact up to hash collisions (about 1e-19 a pair of shingles).
"""

import dataclasses

import numpy as np

from prefkit.cleaning.kernels.hashing import Hashes
from prefkit.cleaning.kernels.letters import SPACELESS
from prefkit.cleaning.kernels.texts import Column, Indices, Texts, as_texts
from prefkit.cleaning.kernels.threads import in_threads
from prefkit.cleaning.kernels.words import words_of

__all__ = ["SPACELESS", "Column", "Hashes", "Indices", "Ragged", "word_hashes"]


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of different length in one array.

    Attributes:
        values: All rows end to end, shape (total,).
        offsets: Where each row begins, and the total at the end, shape (rows + 1,).
    """

    values: Hashes
    offsets: Indices

    @property
    def sizes(self) -> Indices:
        """Length of each row, shape (rows,)."""
        return np.diff(self.offsets)


def word_hashes(texts: Column | Texts) -> Ragged:
    """One row of word hashes a text, in reading order.

    Args:
        texts: A list, or an Arrow array of strings, which is read in place.
    """
    parts = list(in_threads(words_of, as_texts(texts).blocks()))
    if not parts:
        return Ragged(np.empty(0, np.uint64), np.zeros(1, np.int64))
    values, sizes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Ragged(values, np.concatenate(([0], np.cumsum(sizes))))
