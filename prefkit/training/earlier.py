"""An adapter that training starts from: does it suit the settings and the base?"""

import json
from pathlib import Path
from typing import Any, Final

from prefkit.config import EMBEDDED, TrainConfig
from prefkit.embedded import NAME as EMBEDDED_NAME
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.manifest import run_of

SHAPE: Final = {"lora_r": "r", "lora_alpha": "lora_alpha"}  # our key, peft's key


def base_name(config: TrainConfig) -> str:
    """What to call the base in public: never a path into this machine's cache."""
    return f"HuggingFaceTB/{EMBEDDED_NAME}" if config.model == EMBEDDED else config.model


def check_earlier(config: TrainConfig, adapter: Path) -> str:
    """Refuse settings that an earlier adapter contradicts.

    Returns:
        A warning when the adapter was made for a model of another name, else nothing.

    Raises:
        PrefkitError: The adapter's configuration is damaged, or rank or scale were asked for and
            are others.
    """
    path = adapter / "adapter_config.json"
    try:
        theirs: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: not a readable adapter configuration ({error}).") from error
    for ours, peft in SHAPE.items():
        if ours in config.model_fields_set and getattr(config, ours) != theirs.get(peft):
            raise PrefkitError(
                f"{ours} {getattr(config, ours)} was asked for, but the adapter {adapter} has "
                f"{theirs.get(peft)}, and training goes on with it.",
                hint=f"Leave {ours} out, or start without --adapter.",
                exit_code=EXIT_USAGE,
            )
    made_for = theirs.get("base_model_name_or_path") or base_name(config)
    if made_for == base_name(config):
        return ""
    return f"The adapter was made for {made_for}; it is put on {base_name(config)}."


def spoken(adapter: Path | None) -> str:
    """What to call an earlier adapter: its run, else its folder; empty for none."""
    if adapter is None:
        return ""
    run = run_of(adapter)
    return run.name if run else adapter.name
