"""What happens at every step: one progress bar, one line of metrics, a stop when loss is lost."""

import math
import time
from typing import Any, Final

from transformers import TrainerCallback

from prefkit.console import Progress
from prefkit.errors import PrefkitError
from prefkit.runs import Run

# Left out of metrics.jsonl: they depend on the machine's mood or start again at a resume.
SKIPPED: Final = frozenset(
    {
        "num_tokens",
        "total_flos",
        "eval_model_preparation_time",
        "eval_num_tokens",
        "eval_runtime",
        "eval_samples_per_second",
        "eval_steps_per_second",
    }
)
SHOWN: Final = (("loss", "loss"), ("rewards/accuracies", "accuracy"), ("rewards/margins", "margin"))


class Watch(TrainerCallback):
    """Writes `metrics.jsonl` and moves the bar.

    Attributes:
        phase: What the held-out lines being written belong to: `before`, `held-out` (on the way)
            or `after`.
        bar: Moved by one a training step, or a held-out row when `phase` is `before` or `after`.
        trainer: Whose tokens are counted; set once it is built.
    """

    def __init__(self, run: Run) -> None:
        self.phase = "held-out"
        self.bar: Progress | None = None
        self.trainer: Any = None  # TRL's trainer, watched
        self._run = run
        self._since = time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock at the first step, and go on after an evaluation."""
        if self.trainer.tokens_since_log == 0:
            self._since = time.monotonic()

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count a held-out row."""
        if self.bar is not None and self.phase in ("before", "after"):
            self.bar.advance()

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write one line, of training or of held-out figures.

        Raises:
            PrefkitError: The loss is not a number any more.
        """
        logs: dict[str, float] = kwargs["logs"]
        if "loss" in logs:
            self._training_line(state, logs)
        elif "eval_loss" in logs:
            self._run.log_metrics(step=state.global_step, phase=self.phase, **_kept(logs))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar; the note follows with the log line."""
        if self.bar is not None:
            self.bar.advance()

    def _training_line(self, state: Any, logs: dict[str, float]) -> None:
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs.get("grad_norm", 0.0))):
            raise PrefkitError(
                f"The loss or its gradient is not a number any more at step {state.global_step}.",
                hint="Lower --learning-rate; the last whole checkpoint is from before this.",
            )
        spent = time.monotonic() - self._since
        tokens, self.trainer.tokens_since_log = self.trainer.tokens_since_log, 0
        line = {**_kept(logs), "tokens": tokens, "tokens_per_second": round(tokens / spent, 1)}
        self._run.log_metrics(step=state.global_step, phase="train", **line)
        if self.bar is not None:
            shown = [f"{word} {logs[key]:.3f}" for key, word in SHOWN if key in logs]
            self.bar.advance(0, "  ".join(shown))


def _kept(logs: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in logs.items() if key not in SKIPPED}
