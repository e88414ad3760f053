"""How alike annotators answer, how each one answers, and what they contradict each other on."""

from prefkit.annotation.agreement.measure import Measured, measure
from prefkit.annotation.agreement.run import plan_agreement, read_agreement, run_agreement

__all__ = ["Measured", "measure", "plan_agreement", "read_agreement", "run_agreement"]
