"""TRL's trainer for a method, watched: figures a row, tokens, whole checkpoints."""

import contextlib
import functools
import importlib
import logging
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.training import adapters
from prefkit.training.arguments import Arguments
from prefkit.training.checkpoints import PREFIX, mark_whole
from prefkit.training.data import Row
from prefkit.training.methods import Method, trl_classes

log = logging.getLogger(__name__)


@functools.cache
def watched(trainer_class: type[Any]) -> type[Any]:  # TRL's classes share no useful base
    """TRL's trainer with an eye on it; what it computes is left alone."""

    class Watched(trainer_class):
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # TRL's own
            self.held_out_rows: list[dict[str, float]] = []
            self.tokens_since_log = 0
            super().__init__(*args, **kwargs)

        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self.tokens_since_log += count_tokens(inputs)
            return super().training_step(model, inputs, *args, **kwargs)

        def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
            self.held_out_rows = []
            return super().evaluate(*args, **kwargs)

        def prediction_step(self, *args: Any, **kwargs: Any) -> Any:
            store = _eval_metrics(self)
            seen = {key: len(values) for key, values in store.items()}
            result = super().prediction_step(*args, **kwargs)
            row = {
                key.removeprefix("eval_"): float(values[-1])
                for key, values in store.items()
                if len(values) > seen.get(key, 0)
            }
            self.held_out_rows.append(row | {"loss": float(result[0])})
            return result

        def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            super()._save_checkpoint(*args, **kwargs)
            mark_whole(Path(self.args.output_dir) / f"{PREFIX}{self.state.global_step}")

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """The run writes its own card, once."""

        def _send_telemetry(self) -> None:
            """Nothing leaves the machine."""

    return Watched


def _eval_metrics(trainer: Any) -> dict[str, list[float]]:  # a TRL trainer
    """Where TRL 1.16 gathers the metrics of an evaluation, one value a batch."""
    store = getattr(trainer, "_metrics", None) or getattr(trainer, "_stored_metrics", None)
    return store["eval"] if store is not None else defaultdict(list)


def count_tokens(inputs: dict[str, Any]) -> int:  # a batch
    """Tokens of the sequences a batch is trained on, padding left out."""
    masks = [
        value
        for key, value in inputs.items()
        if key.endswith("attention_mask") and not key.startswith(("KL_", "prompt_"))
    ]
    return sum(int(mask.sum()) for mask in masks)


@contextlib.contextmanager
def completions_only() -> Generator[None]:
    """Within this block TRL's fused head skips prompt and padding positions on a processor too.

    TRL 1.16 does so where Triton runs; elsewhere it scores every position and masks most of them,
    for devices that recompile at every new shape. A processor does not, and the values are the
    same: SmolLM2-135M, DPO, 22.0 ms of processor time a token before, 16.9 ms after.
    """
    utils: Any = importlib.import_module("trl.trainer.utils")  # a private name is exchanged
    theirs = getattr(utils, "_use_triton", None)
    if theirs is None:  # another TRL: its own way is right, if slower
        yield
        return
    utils._use_triton = lambda device: device.type == "cpu" or theirs(device)
    try:
        yield
    finally:
        utils._use_triton = theirs


def build_trainer(
    method: Method,
    arguments: Arguments,
    model: Any,  # PreTrainedModel, or PeftModel to go on with
    tokenizer: Any,  # PreTrainedTokenizerBase
    train: list[Row],
    held_out: list[Row],
    callback: TrainerCallback,
    peft_config: Any = None,  # LoraConfig; None goes on with the adapter the model has
) -> Any:  # TRL's trainer, watched
    """TRL's trainer, ready to train.

    With a new adapter TRL takes the base as the reference, by switching the adapter off. With an
    earlier adapter it freezes a copy of it, so the reference is the policy training started from.

    Raises:
        PrefkitError: TRL refuses the arguments.
    """
    trainer_class, config_class = trl_classes(method)
    started_from = {} if peft_config is not None else adapters.trainable(model)
    try:
        trainer = watched(trainer_class)(
            model=model,
            args=config_class(**arguments),
            train_dataset=Dataset.from_list(train),
            eval_dataset=Dataset.from_list(held_out) if held_out else None,
            processing_class=tokenizer,
            callbacks=[callback],
            peft_config=peft_config,
        )
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        raise PrefkitError(
            f"TRL refuses these settings: {' '.join(str(error).split())}",
            hint="See [train] and [train.trainer], and --dry-run for what was resolved.",
            exit_code=EXIT_USAGE,
        ) from error
    trainer.remove_callback(PrinterCallback)
    adapters.keep_in_float32(trainer.model, started_from)
    return trainer
