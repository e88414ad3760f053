"""What a sentence lets one ask: the asked part, found by rule, and the question's first words.

A small model writes poor questions when left alone and fair ones when it only has to finish them.
So rules find a number, a date, a reason, … in an English sentence, turn verb and subject round
where they are certain, and say how the question ends; a model is needed only where they cannot.
"""

from collections.abc import Callable, Iterator

from prefkit.generation import amounts, statements
from prefkit.generation.asked import Asked
from prefkit.generation.clauses import Clause, clause_of

Finder = Callable[[str, Clause | None], Iterator[Asked]]
FINDERS: tuple[Finder, ...] = (  # the most telling first
    statements.reason,
    statements.meaning,
    statements.naming,
    statements.procedure,
    statements.consequence,
    amounts.frequency,
    amounts.cost,
    amounts.duration,
    statements.identity,
    amounts.time,
    amounts.dimension,
    amounts.measure,
    amounts.quantity,
    statements.place,
    statements.purpose,
    statements.condition,
    statements.agent,
    statements.object_of,
)


def asked_of(sentence: str, common: frozenset[str] = frozenset()) -> Iterator[Asked]:
    """What a sentence lets one ask: what rules can finish, then what they cannot.

    Each kind of question comes once, and last the sentence as it is, for a model to ask freely.

    Args:
        sentence: A whole sentence.
        common: Words known to be no names; one that opens the sentence is lowered in a question.
    """
    clause = clause_of(sentence, common)
    finished: set[str] = set()
    unfinished: dict[str, Asked] = {}
    for find in FINDERS:
        for asked in find(sentence, clause):
            if asked.drafted is None:
                unfinished.setdefault(asked.kind, asked)
            elif asked.kind not in finished:
                finished.add(asked.kind)
                yield asked
    yield from (asked for kind, asked in unfinished.items() if kind not in finished)
    yield Asked("open", "", "", None, sentence)
