"""One thing to ask about a sentence."""

import dataclasses
from collections.abc import Iterator

from prefkit.generation.clauses import Clause

BLANK = "____"


@dataclasses.dataclass(frozen=True)
class Asked:
    """One thing to ask about a sentence.

    Attributes:
        kind: Sort of question: quantity, time, reason, …
        opening: First words of the question; empty to leave all to the model.
        answer: The words of the sentence that answer it; the question must not hold them.
        ending: How the rules would finish the question, without its mark; None when uncertain.
        cloze: The sentence with the answer blanked out.
    """

    kind: str
    opening: str
    answer: str
    ending: str | None
    cloze: str

    @property
    def drafted(self) -> str | None:
        """The question as the rules would write it."""
        if self.ending is None:
            return None
        return " ".join(f"{self.opening} {self.ending}".split()).rstrip(",;:") + "?"


def cloze_of(sentence: str, start: int, end: int) -> str:
    """The sentence with `sentence[start:end]` blanked out."""
    return f"{sentence[:start]}{BLANK}{sentence[end:]}"


def turned(
    kind: str,
    opening: str,
    sentence: str,
    clause: Clause | None,
    cut: tuple[int, int],
    answer: tuple[int, int] | None = None,
) -> Iterator[Asked]:
    """A question that begins with `opening` and leaves out `sentence[cut]`.

    Args:
        kind: Sort of question.
        opening: Question words.
        sentence: Where it is asked of.
        clause: Its main clause, if found.
        cut: What the question leaves out.
        answer: What answers it, when that is less than what is left out.
    """
    start, end = answer or cut
    words = sentence[start:end]
    cloze = cloze_of(sentence, start, end)
    if clause is None or cut[0] < clause.verb_at:
        if clause is None or clause.lead_end <= start:
            yield Asked(kind, opening, words, None, cloze)
        return
    ending = clause.without(*cut)
    yield Asked(kind, f"{opening} {clause.auxiliary} {clause.subject}", words, ending, cloze)
