"""Each annotator's own random order, the same at every visit.

A record's place comes from its number and the annotator's id by arithmetic that both databases and
numpy do alike and fast: two squarings modulo a prime, after lines whose factors the id decides.
"""

import hashlib

import numpy as np

PRIME = 2**31 - 1


def random_score(user_id: str, doc: str = "d.doc") -> str:
    """SQL for a number in [0, 1) that belongs to a record and a user."""
    a, b, c = _factors(user_id)
    first = f"(({doc} * {a} + {b}) % {PRIME})"
    second = f"(({first} * {first} + {doc} * {c}) % {PRIME})"
    third = f"(({second} * {second} + {first}) % {PRIME})"
    return f"CAST({third} AS double precision) / {PRIME}"


def random_scores(user_id: str, docs: np.ndarray) -> np.ndarray:
    """The same numbers for many records at once, shape (n,)."""
    a, b, c = _factors(user_id)
    first = (docs * a + b) % PRIME
    second = (first * first + docs * c) % PRIME
    return ((second * second + first) % PRIME) / PRIME


def _factors(user_id: str) -> tuple[int, int, int]:
    digest = hashlib.sha256(str(user_id).encode()).digest()
    a, b, c = (int.from_bytes(digest[at : at + 4]) % (PRIME - 1) + 1 for at in (0, 4, 8))
    return a, b, c
