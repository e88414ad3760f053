"""What full text says of the records `d`: which are found, and how well."""

import dataclasses

import numpy as np

# Okapi BM25 for a word that stands once in a record of so many words (k1 = 1.2, b = 0.75, the
# average record taken as 100 words): when very many records match, counting words tells little.


def rough_scores(words: np.ndarray) -> np.ndarray:
    """Scores of records by their lengths alone, shape (n,)."""
    return 2.2 / (1.0 + 1.2 * (0.25 + 0.75 * words / 100))


@dataclasses.dataclass(frozen=True)
class Matched:
    """SQL about `d`.

    Attributes:
        condition: Holds for what is found.
        docs: A SELECT of what is found, when the index can say it.
        tables: `d` joined with what the score needs.
        joined_condition: The same condition, said with these tables.
        score: How well; the more the better.
    """

    condition: str
    docs: str | None = None
    tables: str = ""
    joined_condition: str = ""
    score: str = "1.0"

    @property
    def ranked(self) -> bool:
        """Whether some records are found better than others."""
        return bool(self.tables)
