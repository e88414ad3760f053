"""Tokens near a misspelt one, among all that a dataset holds."""

import numpy as np
from sqlalchemy import Connection

from prefkit_argilla.engine.database import rows

MOST_EXPANSIONS = 10  # Argilla's fuzzy_max_expansions


def near(connection: Connection, dataset: int, token: str, edits: int, exact: bool) -> list[str]:
    """The tokens at most `edits` away, the nearest first, as Lucene picks them.

    Nearness is 1 - distance / length of the shorter; ties go to the smaller token.
    """
    found = rows(
        connection,
        "SELECT term FROM prefkit_vocabulary WHERE dataset = :dataset AND exact = :exact "
        "AND length BETWEEN :least AND :most",
        {
            "dataset": dataset,
            "exact": int(exact),
            "least": len(token) - edits,
            "most": len(token) + edits,
        },
    )
    terms = [row.term for row in found]
    if not terms or not token:
        return []
    distances = edit_distances(token, terms)
    close = [
        (distance / min(len(token), len(term)), term.encode("utf-8", "replace"), term)
        for distance, term in zip(distances.tolist(), terms, strict=True)
        if distance <= edits
    ]
    return [term for *_, term in sorted(close)[:MOST_EXPANSIONS]]


def edit_distances(token: str, terms: list[str]) -> np.ndarray:
    """Insertions, deletions and replacements between a token and each term, shape (terms,)."""
    lengths = np.array([len(term) for term in terms])
    width = int(lengths.max())
    letters = np.array(terms, dtype=f"<U{width}").view("<u4").reshape(len(terms), width)
    letters = np.ascontiguousarray(
        letters.T
    )  # one row of the table below is one place of all terms
    table = np.repeat(np.arange(width + 1, dtype=np.int16)[:, None], len(terms), axis=1)
    for number, char in enumerate(token, start=1):
        replaced = table[:-1] + (letters != ord(char))
        table[1:] = np.minimum(replaced, table[1:] + 1)
        table[0] = number
        for place in range(1, width + 1):
            np.minimum(table[place], table[place - 1] + 1, out=table[place])
    return table[lengths, np.arange(len(terms))]
