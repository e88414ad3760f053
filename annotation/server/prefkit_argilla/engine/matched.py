"""What full text says of the records `d`: which are found, and how well."""

import dataclasses

# Okapi BM25 for a word that stands once in a record of so many words (k1 = 1.2, b = 0.75, the
# average record taken as 100 words): when very many records match, counting words tells little.
ROUGH_SCORE = "CAST(2.2 AS double precision) / (1.3 + CAST(0.009 AS double precision) * d.words)"


@dataclasses.dataclass(frozen=True)
class Matched:
    """SQL about `d`.

    Attributes:
        condition: Holds for what is found.
        tables: `d` joined with what the score needs.
        joined_condition: The same condition, said with these tables.
        score: How well; the more the better.
    """

    condition: str
    tables: str = ""
    joined_condition: str = ""
    score: str = "1.0"

    @property
    def ranked(self) -> bool:
        """Whether some records are found better than others."""
        return bool(self.tables)
