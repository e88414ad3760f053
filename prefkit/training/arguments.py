"""The arguments of TRL's configuration: ours, the method's, the user's, in that order."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from prefkit.config import TrainConfig
from prefkit.training.methods import Method

Arguments = dict[str, Any]  # keyword arguments of a TRL configuration

KEPT_CHECKPOINTS: Final = 2  # the newest may be torn by a kill; the one before it is whole
COMMON: Final[Mapping[str, Any]] = MappingProxyType(
    {
        # No warm-up: an adapter starts as the identity, and a set of twenty steps has none to idle.
        "lr_scheduler_type": "cosine",
        "gradient_checkpointing": False,  # TRL's default trades a fifth of the speed for memory
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # we stop instead of hiding it
        "save_strategy": "steps",
        "save_total_limit": KEPT_CHECKPOINTS,
        "per_device_eval_batch_size": 1,  # so that every figure has one value a row
        "report_to": "none",
        "disable_tqdm": True,
        "ddp_find_unused_parameters": False,
    }
)


def trl_arguments(
    method: Method, config: TrainConfig, folder: Path, *, device: str, bf16: bool
) -> Arguments:
    """Keyword arguments of the method's TRL configuration.

    Args:
        method: Brings its own defaults.
        config: `[train]`, whose `trainer` table has the last word.
        folder: Where checkpoints go.
        device: `cpu` or `cuda`.
        bf16: Whether to compute in bfloat16.
    """
    cpu = device == "cpu"
    arguments = {**COMMON, **method.defaults, **_ours(config)}
    arguments |= {
        "output_dir": str(folder),
        "use_cpu": cpu,
        "bf16": bf16,
        "dataloader_pin_memory": not cpu,
    }
    arguments |= config.trainer
    if "eval_steps" in config.trainer:
        arguments.setdefault("eval_strategy", "steps")
    return arguments


def _ours(config: TrainConfig) -> Arguments:
    set_by_user = {
        "beta": config.beta,
        "learning_rate": config.learning_rate,
        "num_train_epochs": config.num_train_epochs,
        "max_steps": config.max_steps,
    }
    return {key: value for key, value in set_by_user.items() if value is not None} | {
        "seed": config.seed,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "max_length": config.max_length,
        "save_steps": config.save_steps,
    }


def epochs(method: Method, config: TrainConfig) -> float:
    """How often every row is read, unless `max_steps` says otherwise."""
    return float(config.num_train_epochs or method.defaults["num_train_epochs"])


def total_steps(method: Method, config: TrainConfig, rows: int) -> int:
    """Optimizer steps of a run over `rows` rows, as transformers counts them."""
    if config.max_steps is not None:
        return config.max_steps
    batches = math.ceil(rows / config.per_device_train_batch_size)
    steps_an_epoch = max(math.ceil(batches / config.gradient_accumulation_steps), 1)
    return math.ceil(epochs(method, config) * steps_an_epoch)
