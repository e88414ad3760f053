"""Judgments to preference pairs and thumbs."""

from prefkit.pairs.check import check_pairs
from prefkit.pairs.make import Paired, make_pairs
from prefkit.pairs.plan import plan_pairs
from prefkit.pairs.run import run_pairs

__all__ = ["Paired", "check_pairs", "make_pairs", "plan_pairs", "run_pairs"]
