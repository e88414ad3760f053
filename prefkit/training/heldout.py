"""Held-out figures before and after training, each with its n and its interval."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import Estimate, bootstrap, wilson
from prefkit.storage import write_json
from prefkit.training.methods import Method

Rows = Sequence[Mapping[str, float]]  # TRL's held-out metrics, one mapping a row

FILE: Final = "held_out.json"
ACCURACY: Final = "rewards/accuracies"
MARGIN: Final = "rewards/margins"
CHOSEN: Final = "logps/chosen"
TOLERATED: Final = 0.05  # a fall that hardly any preference run is without
REMEDY: Final = (
    "Train fewer steps or at a lower learning rate, raise --beta, or (DPO) add an SFT term: "
    '--set \'train.trainer.loss_type=["sigmoid", "sft"]\'.'
)
LABELS: Final[Mapping[str, str]] = {
    "loss": "loss",
    "mean_token_accuracy": "reference tokens that are the likeliest",
    ACCURACY: "reward accuracy, ties one half",
    MARGIN: "reward margin",
    CHOSEN: "log-probability of chosen",
    "logps/rejected": "log-probability of rejected",
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """One held-out number before and after training.

    Attributes:
        key: TRL's name of the metric.
        label: What it is in words.
        before: With the policy that training started from.
        after: With the trained policy.
        change: after minus before, paired by row.
    """

    key: str
    label: str
    before: Estimate
    after: Estimate
    change: Estimate


def figures(method: Method, before: Rows, after: Rows, seed: int = 0) -> list[Figure]:
    """Every held-out figure of a method; none when nothing was held out.

    Args:
        method: KTO's rows are single completions, so each desirable one is compared with all
            undesirable ones; its accuracy is then the area under the ROC curve.
        before: TRL's metrics a row before the first step.
        after: The same rows after the last.
        seed: Of the bootstrap.
    """
    made = []
    for key, label in LABELS.items():
        first, second = _values(method, key, before), _values(method, key, after)
        if not first or len(first) != len(second):
            continue
        share = key == ACCURACY and method.stream == "pairs"
        change = bootstrap([b - a for a, b in zip(first, second, strict=True)], seed=seed)
        made.append(
            Figure(key, label, _mean(first, share, seed), _mean(second, share, seed), change)
        )
    return made


def _mean(values: Sequence[float], share: bool, seed: int) -> Estimate:
    return wilson(sum(values), len(values)) if share else bootstrap(values, seed=seed)


def _values(method: Method, key: str, rows: Rows) -> list[float]:
    """One number a row (a desirable row for KTO); empty when the method has no such figure."""
    if key == "mean_token_accuracy" and method.name != "sft":
        return []
    if key in (ACCURACY, MARGIN):
        chosen = [row["rewards/chosen"] for row in rows if "rewards/chosen" in row]
        rejected = [row["rewards/rejected"] for row in rows if "rewards/rejected" in row]
        if not chosen or not rejected:
            return []
        if method.stream == "pairs":
            margins = [a - b for a, b in zip(chosen, rejected, strict=True)]
            return [_won(margin) for margin in margins] if key == ACCURACY else margins
        if key == ACCURACY:
            return [sum(_won(a - b) for b in rejected) / len(rejected) for a in chosen]
        return [a - sum(rejected) / len(rejected) for a in chosen]
    return [row[key] for row in rows if math.isfinite(row.get(key, math.nan))]


def _won(margin: float) -> float:
    return 0.5 if margin == 0 else float(margin > 0)


def displacement(figures: Sequence[Figure]) -> str:
    """A warning when training made held-out chosen completions less likely, else nothing.

    Preference losses only see the difference of chosen and rejected, so both may fall and the
    freed probability may go to neither (likelihood displacement, Razin et al., arXiv 2410.08847).
    The rule: the chosen log-probability fell by more than `TOLERATED` of what it was, and the
    whole interval of its change lies below 0.
    """
    for figure in figures:
        fall = -figure.change.value / max(-figure.before.value, 1e-9)
        if figure.key == CHOSEN and figure.change.below(0) and fall > TOLERATED:
            return (
                f"Likelihood displacement: held-out chosen completions became {fall:.0%} more "
                f"surprising (n={figure.change.n}, {spread(figure.change)} nats each). {REMEDY}"
            )
    return ""


def spread(estimate: Estimate) -> str:
    """The interval in words."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"95 % {number(estimate.low)} to {number(estimate.high)}"


def number(value: float) -> str:
    """A figure with three or more significant digits, as tables want it."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def table(figures: Sequence[Figure]) -> list[list[str]]:
    """Rows of label, before, after, change with interval, n."""
    return [
        [
            figure.label,
            number(figure.before.value),
            number(figure.after.value),
            f"{figure.change.value:+.3f} ({spread(figure.change)})",
            str(figure.change.n),
        ]
        for figure in figures
    ]


def save(folder: Path, figures: Sequence[Figure]) -> None:
    """Write the figures into a run folder."""
    write_json(folder / FILE, [dataclasses.asdict(figure) for figure in figures])


def load(folder: Path) -> list[Figure]:
    """The figures of a run folder; none when it has none.

    Raises:
        PrefkitError: The file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return [
            Figure(
                entry["key"],
                entry["label"],
                *(Estimate(**entry[part]) for part in ("before", "after", "change")),
            )
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise PrefkitError(f"{path}: not the held-out figures of a training run.") from error
