"""Each annotator's own random order, the same at every visit.

A record's place comes from its number and the annotator's id by arithmetic that both databases do
alike and fast: two squarings modulo a prime, after lines whose factors the id decides.
"""

import hashlib

PRIME = 2**31 - 1


def random_score(user_id: str, doc: str = "d.doc") -> str:
    """SQL for a number in [0, 1) that belongs to a record and a user."""
    digest = hashlib.sha256(str(user_id).encode()).digest()
    a, b, c = (int.from_bytes(digest[at : at + 4]) % (PRIME - 1) + 1 for at in (0, 4, 8))
    first = f"(({doc} * {a} + {b}) % {PRIME})"
    second = f"(({first} * {first} + {doc} * {c}) % {PRIME})"
    third = f"(({second} * {second} + {first}) % {PRIME})"
    return f"CAST({third} AS double precision) / {PRIME}"
