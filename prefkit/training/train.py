"""One training function for all methods: TRL's trainer inside, our run folder around it."""

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from transformers import TrainerState, set_seed
from transformers.trainer import TRAINER_STATE_NAME

from prefkit import console
from prefkit.config import EMBEDDED, TrainConfig
from prefkit.errors import PrefkitError
from prefkit.local_model.precision import native_dtype
from prefkit.local_model.templates import defused
from prefkit.records import Message
from prefkit.runs import Run, read_metrics
from prefkit.training import adapters, checkpoints, heldout
from prefkit.training.arguments import Arguments, total_steps, trl_arguments
from prefkit.training.callbacks import Watch
from prefkit.training.card import Trained, adapter_card, card_text
from prefkit.training.curves import draw_curves
from prefkit.training.data import Fitted, Row, Tokenize, fit
from prefkit.training.earlier import base_name, spoken
from prefkit.training.lineage import sources, upstream
from prefkit.training.quiet import libraries_to_log
from prefkit.training.trainer import build_trainer, completions_only
from prefkit.workspace import Workspace

if TYPE_CHECKING:
    from prefkit.training.run import TrainPlan

log = logging.getLogger(__name__)

UNITS: Final = ("rows", "before", "after", "trained")
METRICS: Final = "metrics.jsonl"


def train(run: Run, plan: "TrainPlan", workspace: Workspace) -> None:
    """Train an adapter into `run`, or go on where an earlier attempt stopped.

    Held-out rows are measured before the first step and after the last. Everything but timings is
    the same whether or not the run was interrupted.

    Raises:
        PrefkitError: The model or adapter cannot be used, no row is left, TRL refuses the
            settings, memory is short, or the loss is not a number any more.
    """
    config = plan.config
    with libraries_to_log(), completions_only(), _explaining(config, run.path):
        set_seed(config.seed)
        model, tokenizer = adapters.open_policy(config, plan.adapter)
        run.set_device(_device_name(model.device))
        fitted = _fitted_rows(run, plan, _tokenize(tokenizer))
        arguments = trl_arguments(
            plan.method,
            config,
            run.path / checkpoints.FOLDER,
            device=model.device.type,
            bf16=native_dtype(model.device) == torch.bfloat16,
        )
        watch = Watch(run)
        watch.trainer = trainer = build_trainer(
            plan.method,
            arguments,
            model,
            tokenizer,
            _safe(fitted.train, tokenizer),
            _safe(fitted.held_out, tokenizer),
            watch,
            None if plan.adapter else adapters.new_adapter(config),
        )
        _measure_and_train(run, plan, trainer, watch, len(fitted.train))
        _finish(run, plan, trainer, fitted, arguments, workspace)


def _tokenize(tokenizer: Any) -> Tokenize:  # PreTrainedTokenizerBase
    def tokenize(messages: Sequence[Message], open_turn: bool) -> list[int]:
        turns = [message.model_dump() for message in defused(tokenizer, messages)]
        return tokenizer.apply_chat_template(
            turns, tokenize=True, add_generation_prompt=open_turn, return_dict=False
        )

    if tokenizer.chat_template is None:
        raise PrefkitError(
            f"{tokenizer.name_or_path}: this model has no chat template to train with.",
            hint="Use the -Instruct or -Chat variant of the model.",
        )
    return tokenize


def _safe(rows: Sequence[Row], tokenizer: Any) -> list[Row]:  # PreTrainedTokenizerBase
    """Rows whose text cannot be mistaken for the chat template's special tokens."""

    def clean(value: Any) -> Any:  # messages, or KTO's label
        if not isinstance(value, list):
            return value
        turns = defused(tokenizer, [Message(**turn) for turn in value])
        return [turn.model_dump() for turn in turns]

    return [{key: clean(value) for key, value in row.items()} for row in rows]


def _fitted_rows(run: Run, plan: "TrainPlan", tokenize: Tokenize) -> Fitted:
    fitted = fit(plan.data, plan.method, plan.config, tokenize)
    if not fitted.train:
        raise PrefkitError(
            f"No row is left to train on: max_length {plan.config.max_length} is too short for all"
            f" {len(plan.data.train)}.",
            hint=f"The longest sequence has {fitted.longest} tokens; raise --max-length.",
        )
    if run.pending(["rows"]):
        totals = {"rows": len(fitted.train), "held_out_rows": len(fitted.held_out)}
        run.record("rows", {}, [*plan.data.dropped, *fitted.dropped], totals)
    if fitted.cut:
        console.say(f"{fitted.cut} rows are cut at {plan.config.max_length} tokens (--max-length)")
    return fitted


def _measure_and_train(run: Run, plan: "TrainPlan", trainer: Any, watch: Watch, rows: int) -> None:
    checkpoint = checkpoints.newest_whole(run.path)
    measured = {phase for phase in ("before", "after") if not run.pending([phase])}
    checkpoints.cut_metrics(run.path / METRICS, checkpoints.step_of(checkpoint), measured)
    _measure(run, "before", trainer, watch)
    if checkpoint is not None and checkpoints.is_last(checkpoint):
        trainer.model.load_adapter(str(checkpoint), adapters.ADAPTER, is_trainable=True)
        trainer.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    else:
        steps = total_steps(plan.method, plan.config, rows)
        with console.progress(plan.stage, steps) as watch.bar:
            watch.bar.advance(checkpoints.step_of(checkpoint))
            set_seed(plan.config.seed)  # measuring must not change what training draws
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _measure(run, "after", trainer, watch)


def _measure(run: Run, phase: str, trainer: Any, watch: Watch) -> None:
    """Measure the held-out rows once a phase, whatever was interrupted."""
    if not run.pending([phase]):
        return
    rows: list[dict[str, float]] = []
    if trainer.eval_dataset is not None:
        watch.phase = phase
        with console.progress(f"held-out {phase}", len(trainer.eval_dataset)) as watch.bar:
            trainer.evaluate()
        watch.phase, watch.bar = "held-out", None
        rows = trainer.held_out_rows
    run.record(phase, {}, values={"rows": rows})


def _finish(
    run: Run,
    plan: "TrainPlan",
    trainer: Any,
    fitted: Fitted,
    arguments: Arguments,
    workspace: Workspace,
) -> None:
    config, path = plan.config, run.path
    before, after = (run.values_of(phase)["rows"] for phase in ("before", "after"))
    figures = heldout.figures(plan.method, before, after, config.seed)
    lines = list(read_metrics(path))
    steps = trainer.state.global_step
    trained = Trained(
        method=plan.method,
        base=base_name(config),
        embedded=config.model == EMBEDDED,
        started_from=spoken(plan.adapter),
        adapter=adapters.describe(trainer.model),
        arguments={k: v for k, v in arguments.items() if k != "output_dir"},
        precision=_precision(trainer, config),
        manifest=run.manifest,
        steps=steps,
        fitted=fitted,
        sources=sources(fitted.used),
        upstream=upstream(path, workspace),
        figures=figures,
        displacement=heldout.displacement(figures),
    )
    heldout.save(path, figures)
    draw_curves(lines, path / "curves.png", f"{plan.stage}: {len(fitted.used)} rows, {steps} steps")
    adapters.save_adapter(
        trainer.model, path / adapters.FOLDER, trained.base, adapter_card(trained)
    )
    if run.pending(["trained"]):
        tokens = sum(line.get("tokens", 0) for line in lines)
        run.record("trained", {}, totals={"steps": steps, "tokens": tokens})
    if trained.displacement:
        log.warning(trained.displacement)
        console.say(trained.displacement)
    run.manifest.outputs = {"adapter": 1}
    run.finish(UNITS, card_text(trained))
    if "save_total_limit" not in config.trainer:
        shutil.rmtree(path / checkpoints.FOLDER, ignore_errors=True)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _precision(trainer: Any, config: TrainConfig) -> str:
    base = "NF4 base with double quantisation" if config.load_in_4bit else "base"
    dtype = str(native_dtype(trainer.model.device)).removeprefix("torch.")
    word = f"{base}, arithmetic in {dtype}" if config.load_in_4bit else f"{base} in {dtype}"
    return f"{word}; adapter and optimizer in float32; log-probabilities from {dtype} logits"


@contextlib.contextmanager
def _explaining(config: TrainConfig, folder: Path) -> Generator[None]:
    """Word what memory and disk refuse."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(config) from error
    except (RuntimeError, OSError, SafetensorError) as error:
        text = str(error)
        if "allocate memory" in text:
            raise _out_of_memory(config) from error
        if "No space left" in text or "iostream error" in text or "unexpected pos" in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
        raise


def _out_of_memory(config: TrainConfig) -> PrefkitError:
    smaller = max(config.per_device_train_batch_size // 2, 1)
    return PrefkitError(
        f"The batches of {config.per_device_train_batch_size} rows of up to {config.max_length}"
        " tokens do not fit into memory.",
        hint=f"Try --per-device-train-batch-size {smaller} --gradient-accumulation-steps"
        f" {config.gradient_accumulation_steps * 2}, a lower --max-length, --load-in-4bit, or"
        " --set train.trainer.gradient_checkpointing=true.",
    )
