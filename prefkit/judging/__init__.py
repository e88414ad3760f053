"""Judge completions, by rule and by LLM judges in both orders."""

from prefkit.judging.cards import JudgeCard, load_judge
from prefkit.judging.pairwise import PairItem, PairVerdict, compare

__all__ = ["JudgeCard", "PairItem", "PairVerdict", "compare", "load_judge"]
