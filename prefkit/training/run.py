"""The `train-*` stages: records in, an adapter out."""

import dataclasses
import importlib.util
from pathlib import Path

from prefkit import console, runs
from prefkit.config import TrainConfig
from prefkit.errors import PrefkitError, missing_extra
from prefkit.reading import load_records
from prefkit.training.arguments import epochs, total_steps
from prefkit.training.data import Selected, guess_tokens, select
from prefkit.training.earlier import check_earlier
from prefkit.training.methods import Method, check_trainer_keys, find_method
from prefkit.workspace import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainPlan(runs.Plan):
    """A planned training run, with what it read.

    Attributes:
        method: How to train.
        data: Rows to train on and to hold out.
        adapter: Folder of the adapter to start from.
    """

    config: TrainConfig
    method: Method
    data: Selected
    adapter: Path | None = None


def plan_train(source: str, method: str, config: TrainConfig, workspace: Workspace) -> TrainPlan:
    """Read the records and work out what training on them would take.

    Args:
        source: Records of the method's kind: a run, @stage, `-`, a TRL-format file, or a hub id.
        method: sft, dpo, kto or simpo.
        config: The `[train]` table.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: The source, the earlier adapter or a key of `[train.trainer]` is wrong, or
            nothing is left to train on.
    """
    how = find_method(method)
    check_trainer_keys(how, config.trainer)
    loaded = load_records(source, how.stream, how.record, workspace)
    data = select(loaded.records, how, config)
    if not data.train:
        why = ", ".join(sorted({drop.rule for drop in data.dropped})) or "all are held out"
        raise PrefkitError(
            f"{source}: none of {len(loaded.records)} {how.stream} can be trained on ({why}).",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )
    adapter, inputs = None, loaded.inputs
    if config.adapter is not None:
        from prefkit.chat import adapter_folder

        adapter = adapter_folder(config.adapter, workspace)
        warning = check_earlier(config, adapter)
        if warning:
            console.say(warning)
        inputs = (*inputs, runs.Input.of(adapter, workspace))
    return TrainPlan(
        stage=how.stage,
        config=config,
        inputs=inputs,
        counts={
            how.stream: len(loaded.records),
            "train": len(data.train),
            "held_out": len(data.held_out),
            "dropped": len(data.dropped),
        },
        expected=_expected(how, config, data),
        method=how,
        data=data,
        adapter=adapter,
    )


def _expected(method: Method, config: TrainConfig, data: Selected) -> dict[str, float | str | None]:
    steps = total_steps(method, config, len(data.train))
    rows = steps * config.per_device_train_batch_size * config.gradient_accumulation_steps
    tokens = guess_tokens(data.train) * rows / len(data.train)
    return {
        "steps": steps,
        "epochs": epochs(method, config) if config.max_steps is None else None,
        "tokens": round(tokens),
        "learning_rate": config.learning_rate or method.defaults["learning_rate"],
        "beta": config.beta or method.defaults.get("beta"),
    }


def run_train(plan: TrainPlan, settings: runs.Settings) -> runs.Run:
    """Train, or go on with an interrupted run.

    The run holds `adapter/` (for plain peft), `metrics.jsonl`, `held_out.json`, `curves.png` and
    a model card; while it trains also `checkpoints/`.

    Raises:
        PrefkitError: See `prefkit.training.train.train`.
    """
    for package in ("torch", "transformers", "peft", "trl", "matplotlib"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "train", "Training")
    with runs.Run.start(plan, settings) as run:
        if not run.finished:
            console.say(f"loading {plan.config.model}")
            from prefkit.training.train import train

            train(run, plan, settings.workspace)
    return run
