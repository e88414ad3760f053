"""An embedder for tests: a text is the concepts that its words stand for, whatever the words."""

import re
import zlib

import numpy as np

CONCEPTS = {
    word: words[0]
    for words in (
        ("how-long", "duration", "long", "length"),
        ("leave", "absence"),
        ("approve", "approves", "signs", "permits"),
        ("key", "keys"),
        ("kept", "stored", "held"),
        ("goggles", "glasses"),
        ("pay", "paid", "wage"),
    )
    for word in words
}
STOPS = frozenset("the of is are a an what which how who where it in for at off do does".split())
DIMENSIONS = 512
CALLS = []  # how many texts each call had


def encode(texts):
    """One row a text; not of length 1, which prefkit sees to."""
    CALLS.append(len(texts))
    rows = np.zeros((len(texts), DIMENSIONS))
    for row, text in zip(rows, texts, strict=True):
        for word in re.findall(r"[a-z]+", text.lower()):
            if word not in STOPS:
                row[zlib.crc32(CONCEPTS.get(word, word).encode()) % DIMENSIONS] += 2
    return rows


def one_row(texts):
    return np.ones((1, 3))


def flat(texts):
    return np.ones(len(texts))


def nans(texts):
    return np.full((len(texts), 3), np.nan)


def words(texts):
    return texts


def raises(texts):
    raise RuntimeError("out of coffee")
