"""Tokens near a misspelt one, among all that a dataset holds."""

import numpy as np
from sqlalchemy import Connection

from prefkit_argilla.engine.database import Params, rows

MOST_EXPANSIONS = 10  # Argilla's fuzzy_max_expansions


def near(connection: Connection, dataset: int, token: str, edits: int, exact: bool) -> list[str]:
    """The tokens at most `edits` away, the nearest first, as Lucene picks them.

    Nearness is 1 - distance / length of the shorter; ties go to the smaller token.
    """
    likely, pieces = _share_a_piece(token, edits)
    found = rows(
        connection,
        "SELECT term FROM prefkit_vocabulary WHERE dataset = :dataset AND exact = :exact "
        f"AND length BETWEEN :least AND :most AND {likely}",
        {
            "dataset": dataset,
            "exact": int(exact),
            "least": len(token) - edits,
            "most": len(token) + edits,
            **pieces,
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


def _share_a_piece(token: str, edits: int) -> tuple[str, Params]:
    """A condition that every term within so many edits meets, and few others; with its values.

    Cut into one piece more than there are edits, a token keeps a piece whole: its head where a
    term begins, its tail where it ends, or one between them anywhere.
    """
    size = len(token) // (edits + 1)
    if not size:
        return "1 = 1", {}
    pieces: Params = {"size": size, "head": token[:size], "tail": token[-size:]}
    kept = ["substr(term, 1, :size) = :head", "substr(term, length - :size + 1) = :tail"]
    for number in range(1, edits):
        pieces[f"middle{number}"] = token[number * size : (number + 1) * size]
        kept.append(f"term <> replace(term, :middle{number}, '')")
    return f"({' OR '.join(kept)})", pieces


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
