"""Named rules that refuse a row, each with its detail; the first to refuse is the reason.

Rules see normalised text. They are mild: each names something that is wrong, not something that
is rare.
"""

from prefkit.cleaning.rules.contract import Finding, Rule, View
from prefkit.cleaning.rules.loading import FAILED, Rules, load_rules
from prefkit.cleaning.rules.table import RULES

__all__ = ["FAILED", "RULES", "Finding", "Rule", "Rules", "View", "load_rules"]
