"""LoRA adapters: new or continued, over a plain or a 4-bit base; saved for plain peft."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig, PeftModel

from prefkit.config import TrainConfig
from prefkit.local_model import load_model
from prefkit.storage import write_text

ADAPTER: Final = "default"  # peft's name for the only or first adapter
FOLDER: Final = "adapter"
Weights = dict[str, torch.Tensor]  # by parameter name


def open_policy(config: TrainConfig, adapter: Path | None) -> tuple[Any, Any]:  # model, tokenizer
    """The model to train: the bare base, or the base under an adapter that is trained on.

    Raises:
        PrefkitError: There is no such model, or the adapter is not made for it.
    """
    model, tokenizer = load_model(config.model, adapter=adapter, load_in_4bit=config.load_in_4bit)
    if isinstance(model, PeftModel):
        model.peft_config[ADAPTER].inference_mode = False
        model.set_adapter(ADAPTER)
        # When saving, peft looks up the base's configuration: let it look here, not on the hub.
        model.peft_config[ADAPTER].base_model_name_or_path = model.base_model.model.name_or_path
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(f".{ADAPTER}." in name)
    return model, tokenizer


def new_adapter(config: TrainConfig) -> LoraConfig:
    """What peft should add to the base, in its own words."""
    modules = config.target_modules
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=modules[0] if modules == ("all-linear",) else list(modules),
        task_type="CAUSAL_LM",
    )


def trainable(model: torch.nn.Module) -> Weights:
    """Copies of the weights that training changes."""
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def keep_in_float32(model: torch.nn.Module, started_from: Mapping[str, torch.Tensor]) -> None:
    """Train the adapter in float32, whatever the base is kept in.

    TRL 1.16 turns the adapter of a 4-bit model into bfloat16, where steps smaller than one part in
    256 of a weight are lost. A continued adapter gets back the exact weights it came with.

    Args:
        model: What TRL made ready.
        started_from: Weights of the adapter that training continues, by parameter name.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            value = started_from.get(name, parameter.data)
            parameter.data = value.to(parameter.device, torch.float32, copy=True)


def describe(model: Any) -> dict[str, Any]:  # of a PeftModel; JSON values
    """What the adapter is, as far as a reader needs it."""
    config = model.peft_config[ADAPTER].to_dict()
    modules = config["target_modules"]  # full names once peft has found them
    kinds = {name.rpartition(".")[2] for name in modules} if isinstance(modules, set) else modules
    return {
        "type": "LoRA",
        **{key: config[key] for key in ("r", "lora_alpha", "lora_dropout")},
        "target_modules": sorted(kinds) if isinstance(kinds, set) else kinds,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def save_adapter(model: Any, folder: Path, base: str, card: str) -> None:  # a PeftModel
    """Write the adapter as peft reads it, whole or not at all.

    Args:
        model: The trained model; only the adapter that was trained is written.
        folder: Replaced when it is there.
        base: Name of the base model to record.
        card: Text of its README.
    """
    for stale in folder.parent.glob(f".{folder.name}.*.part"):  # of a killed attempt
        shutil.rmtree(stale, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        model.peft_config[ADAPTER].base_model_name_or_path = base
        model.save_pretrained(part, selected_adapters=[ADAPTER], save_embedding_layers=False)
        write_text(part / "README.md", card)
        for file in part.iterdir():
            file.chmod(0o644)
        if folder.exists():
            shutil.rmtree(folder)
        part.chmod(0o755)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
