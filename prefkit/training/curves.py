"""curves.png: loss, and what the method wants to move, over the steps of a run."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Lines = Sequence[dict[str, Any]]  # lines of metrics.jsonl
Points = tuple[list[int], list[float]]  # steps, values

BLUE: Final = "#4477aa"  # Paul Tol's bright scheme, told apart by colour-blind readers
RED: Final = "#ee6677"
LONG: Final = 40  # steps from which single steps are too noisy to join


@dataclasses.dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: Above it.
        keys: TRL's metrics in it, the first solid, the second dashed.
        names: Legend words of `keys`; empty for a single one.
        share: Whether the values are shares of 1.
    """

    title: str
    keys: tuple[str, ...]
    names: tuple[str, ...] = ("",)
    share: bool = False


PANELS: Final = (
    Panel("Loss", ("loss",)),
    Panel("Reward margin (chosen minus rejected)", ("rewards/margins",)),
    Panel("Reward accuracy", ("rewards/accuracies",), share=True),
    Panel("Log-probability", ("logps/chosen", "logps/rejected"), ("chosen", "rejected")),
)
SFT_PANELS: Final = (
    PANELS[0],
    Panel("Share of tokens that are likeliest", ("mean_token_accuracy",)),
)


def draw_curves(lines: Iterable[dict[str, Any]], path: Path, title: str) -> None:
    """Draw a panel for every figure the run measured, train in blue and held out in red.

    Args:
        lines: Lines of `metrics.jsonl`.
        path: The PNG to write.
        title: Over all panels.
    """
    read = list(lines)
    train = [line for line in read if line.get("phase") == "train"]
    held_out = [line for line in read if line.get("phase") != "train"]
    wanted = PANELS if any("logps/chosen" in line for line in train) else SFT_PANELS
    panels = [panel for panel in wanted if _points(train, panel.keys[0])[0]]
    columns = min(2, len(panels)) or 1
    rows = -(-len(panels) // columns) or 1
    figure = Figure(figsize=(4.8 * columns, 3.0 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    for place, panel in enumerate(panels, start=1):
        _draw(figure.add_subplot(rows, columns, place), panel, train, held_out, place == 1)
    figure.savefig(path, dpi=150)


def _draw(axes: Axes, panel: Panel, train: Lines, held_out: Lines, first: bool) -> None:
    for key, name, style in zip(panel.keys, panel.names, ("-", "--"), strict=False):
        steps, values = _points(train, key)
        joined = _smooth(values)
        if joined is not values:
            axes.plot(steps, values, ".", color=BLUE, alpha=0.25, markersize=4)
        axes.plot(steps, joined, style, color=BLUE, linewidth=1.6, label=f"train {name}".strip())
        steps, values = _points(held_out, f"eval_{key}")
        if steps:
            label = f"held out {name}".strip()
            axes.plot(steps, values, f"s{style}", color=RED, linewidth=1, markersize=5, label=label)
    if first or len(panel.keys) > 1:
        axes.legend(frameon=False, fontsize=8)
    if panel.share:
        axes.set_ylim(-0.03, 1.03)
    last = max(line["step"] for line in train)
    axes.set_xlim(-0.03 * last, 1.03 * last)
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel("step", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _points(lines: Lines, key: str) -> Points:
    kept = [line for line in lines if key in line and not _undecided(line, key)]
    return [line["step"] for line in kept], [line[key] for line in kept]


def _undecided(line: dict[str, Any], key: str) -> bool:
    """Policy and reference agree, so TRL's accuracy of 0 says nothing."""
    prefix = key.removesuffix("rewards/accuracies")
    return key.endswith("rewards/accuracies") and line.get(f"{prefix}rewards/margins") == 0


def _smooth(values: list[float]) -> list[float]:
    """The values themselves, or for long runs their mean over the twentieth around each."""
    if len(values) < LONG:
        return values
    half = len(values) // 40
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]
