"""How hard a question is, estimated without a model from its words and its quotes.

A point each: its words are not the text's own; it goes over two places or needs an earlier turn;
its kind asks for a reason, a condition, a comparison or an absence; its answer is long. No point is
easy, one medium, more hard. The estimate says how a question looks, not how often people fail it.
"""

from prefkit.generation.drafts import Draft
from prefkit.generation.grounding import content_words
from prefkit.generation.kinds import FOLLOW_UP, NOWHERE, OVER_TWO
from prefkit.generation.measure import count_tokens

_THINKING = ("why", "condition", "comparative", "reason", "comparison", NOWHERE)
_OWN_WORDS = 0.6  # of the question's words that stand in the quoted lines of an easy one
_LONG = 40  # words and marks of an answer


def estimated(draft: Draft) -> str:
    """easy, medium or hard."""
    asked = content_words(draft.question)
    told = content_words(draft.lines())
    reworded = bool(asked and told) and len(asked & told) < _OWN_WORDS * len(asked)
    points = (
        reworded
        + (draft.kind in (OVER_TWO, FOLLOW_UP) or len(draft.quotes) > 1)
        + (draft.kind in _THINKING)
        + (count_tokens(draft.answer or "") > _LONG)
    )
    return ("easy", "medium", "hard")[min(points, 2)]
