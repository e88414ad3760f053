"""What Python knows of each character, as tables that the kernels look up.

An entry of `letters` is the case-folded code point with flags; 0 says that it is not known yet.
Tables of all of Unicode would take longer to fill than most sets take to clean, so a kernel that
meets an unknown character returns it, and it is run again when its page is filled.
"""

import threading
import unicodedata
from collections.abc import Callable

import numpy as np

SPACELESS = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
CODE = 0x1FFFFF  # bits of a code point, or of a place in `folds`
KNOWN = 1 << 31
WORD = 1 << 30  # part of a word
ALONE = 1 << 29  # a word by itself
MANY = 1 << 28  # folds to several characters: those of a row of `folds`
PAGE = 4096
FOLDED = 3  # characters that one folds to, at most (Unicode 17)
CHARACTERS = 0x110000


class Letters:
    """The tables; one for all threads, which only ever add what is missing."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.letters = np.zeros(CHARACTERS, np.uint32)
        self.folds = np.zeros((256, FOLDED), np.uint32)
        self._folding = 0
        self._lock = threading.Lock()

    def learn(self, code: int) -> None:
        """Fill the page of a code point."""
        with self._lock:
            page = code - code % PAGE
            if self.letters[code]:
                return
            entries = [self._entry(chr(at)) for at in range(page, page + PAGE)]
            self.letters[page : page + PAGE] = entries

    def until_known(self, kernel: Callable[[], int]) -> int:
        """What the kernel returns once it knows all characters: a number of at least 0."""
        result = kernel()
        while result < 0:
            self.learn(-1 - result)
            result = kernel()
        return result

    def _entry(self, character: str) -> int:
        folded = character.casefold()
        if len(folded) == 1:
            return _flags(folded) | ord(folded)
        place = self._folding
        self.folds[place, : len(folded)] = [_flags(part) | ord(part) for part in folded]
        self._folding += 1
        return KNOWN | MANY | place


def _flags(character: str) -> int:
    if not in_word(character):
        return KNOWN
    code = ord(character)
    alone = any(low <= code <= high for low, high in SPACELESS)
    return KNOWN | WORD | (ALONE if alone else 0)


def in_word(character: str) -> bool:
    """Whether a character is a letter, a digit or a combining mark."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


LETTERS = Letters()
