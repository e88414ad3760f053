"""Load a causal language model and, on top of it, a LoRA adapter; say plainly what is wrong."""

import contextlib
import importlib.util
import json
import logging
import re
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from prefkit.config import EMBEDDED
from prefkit.embedded import embedded_model
from prefkit.errors import PrefkitError, missing_extra
from prefkit.local_model.precision import native_dtype

log = logging.getLogger(__name__)

HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
HUB_SECONDS: Final = 10.0  # to find out whether the hub can be reached
ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"


def load_model(
    name_or_folder: str | Path,
    *,
    adapter: str | Path | None = None,
    dtype: torch.dtype | None = None,
    load_in_4bit: bool = False,
    device: str | None = None,
) -> tuple[Any, PreTrainedTokenizerBase]:  # PreTrainedModel or PeftModel
    """Load a model and its tokenizer, ready for inference or for training an adapter.

    Only safetensors are read and no code of a repository is run.

    Args:
        name_or_folder: `embedded`, a folder, or a hub id.
        adapter: Folder of a peft adapter to put on top; the model is then a `PeftModel`.
        dtype: The device's native one unless given (see `native_dtype`); of the unquantised
            parts and of the arithmetic when `load_in_4bit`.
        load_in_4bit: NF4 with double quantisation (QLoRA, arXiv 2305.14314); works on CUDA and
            on CPU.
        device: `cuda` when there is one, else `cpu`, unless given.

    Returns:
        The model in evaluation mode, and the tokenizer of the base model, which always has a
        padding token.

    Raises:
        PrefkitError: There is no such model, it cannot be used, or the adapter is not made for it.
    """
    name = str(name_or_folder)
    source = _source(name)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = dtype or native_dtype(where)
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
    if load_in_4bit:
        options |= _four_bit(where, dtype)
    with _explaining(name), without_bars():
        tokenizer: Any = AutoTokenizer.from_pretrained(**source)  # PreTrainedTokenizerBase
        model: Any = AutoModelForCausalLM.from_pretrained(**source, **options)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not load_in_4bit:
        model.to(where)
    if adapter is not None:
        model = _with_adapter(model, name, Path(adapter))
    return model.eval(), tokenizer


def _source(name: str) -> dict[str, Any]:  # keyword arguments of from_pretrained
    if name == EMBEDDED:
        return {"pretrained_model_name_or_path": embedded_model(), "local_files_only": True}
    folder = Path(name)
    if folder.is_dir():
        _check_folder(folder)
        return {"pretrained_model_name_or_path": folder, "local_files_only": True}
    if folder.exists() or name.startswith((".", "/", "~")) or not HUB_ID.fullmatch(name):
        raise PrefkitError(
            f"{name}: no such model folder.",
            hint="Give `embedded`, a folder with config.json, or a hub id such as owner/name.",
        )
    return {"pretrained_model_name_or_path": name, "local_files_only": _only_cached(name)}


def _check_folder(folder: Path) -> None:
    if (folder / "config.json").is_file():
        return
    if (folder / "adapter_config.json").is_file():
        raise PrefkitError(
            f"{folder}: this is an adapter, not a model.",
            hint=f"Name its base as --model and give this folder as --adapter {folder}.",
        )
    if (folder / "adapter" / "adapter_config.json").is_file():
        raise PrefkitError(
            f"{folder}: this is a training run, which holds an adapter, not a model.",
            hint=f"Name its base as --model and give the run as --adapter {folder}.",
        )
    raise PrefkitError(
        f"{folder}: no config.json in it, so it is not a model folder.",
        hint="A model folder holds config.json, *.safetensors and tokenizer.json.",
    )


def _only_cached(name: str) -> bool:
    """Whether a hub id must come from the cache because the hub cannot be reached.

    Asked once, before transformers asks for every file and retries for 46 s each (5.23).
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        HfApi().model_info(name, timeout=HUB_SECONDS)
    except GatedRepoError as error:
        raise PrefkitError(
            f"{name}: its owner asks you to accept terms first.",
            hint=f"Accept them at https://huggingface.co/{name}, then `hf auth login`.",
        ) from error
    except RepositoryNotFoundError as error:
        raise PrefkitError(
            f"{name}: neither a folder nor a model on the hub (or a private one).",
            hint="Check the spelling; `hf auth login` for a private model.",
        ) from error
    except Exception as error:  # no network, HF_HUB_OFFLINE, or a hub that answers with an error
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            log.warning("%s: the hub cannot be reached; using the cached copy", name)
            return True
        raise PrefkitError(
            f"{name}: not a folder here, not in the hub cache, and the hub cannot be reached"
            f" ({type(error).__name__}).",
            hint="Give a model folder, or `embedded`, which needs no network.",
        ) from error
    return False


def _four_bit(where: torch.device, dtype: torch.dtype) -> dict[str, Any]:  # for from_pretrained
    if importlib.util.find_spec("bitsandbytes") is None:
        raise missing_extra("bitsandbytes", "train", "Loading in 4 bit")
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": quantization, "device_map": {"": where}}


@contextlib.contextmanager
def _explaining(name: str) -> Generator[None]:
    """Word what transformers and the disk refuse as one error."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        text = " ".join(str(error).split())
        if "trust_remote_code" in text:
            message = "brings its own code, which prefkit does not run"
        elif "safetensors" in text and isinstance(error, OSError):
            message = "has no safetensors weights, and prefkit reads no pickle files"
        elif isinstance(error, torch.OutOfMemoryError):
            message = "does not fit into the memory of the GPU; try --load-in-4bit"
        else:
            message = f"cannot be loaded: {text[:300]}"
        raise PrefkitError(
            f"{name}: {message}.",
            hint="Any causal language model that transformers knows will do.",
        ) from error


@contextlib.contextmanager
def without_bars() -> Generator[None]:
    """Show no progress bar for a second of loading."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _with_adapter(base: PreTrainedModel, name: str, folder: Path) -> Any:  # PeftModel
    """Put an adapter on `base`, and prove that every one of its tensors found its place."""
    from peft import PeftModel

    if not (folder / "adapter_config.json").is_file():
        raise PrefkitError(
            f"{folder}: no adapter_config.json in it, so it is not an adapter.",
            hint="A training run keeps its adapter in <run>/adapter.",
        )
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise PrefkitError(
            f"{folder}: no {ADAPTER_WEIGHTS} in it, and prefkit reads no pickle files.",
            hint="Save the adapter again with `save_pretrained`.",
        )
    try:
        with warnings.catch_warnings():
            # peft only warns about tensors that are missing; an adapter must be whole.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            # peft 0.21 asks transformers 5.23 by an old name.
            warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated")
            model = PeftModel.from_pretrained(base, str(folder))
        lost = _unplaced(model, folder)
        reason = f"no place for {lost[0]} and {len(lost) - 1} more tensors" if lost else ""
        if model.active_peft_config.is_prompt_learning:
            reason = "it adds a learnt prompt; prefkit uses adapters that change layers"
    except (ValueError, RuntimeError, KeyError, TypeError, UserWarning) as error:
        raise _not_for(name, folder, " ".join(str(error).split())[:300]) from error
    if reason:
        raise _not_for(name, folder, reason)
    return model


def _unplaced(model: Any, folder: Path) -> list[str]:  # PeftModel
    """Tensors of the adapter file that the loaded adapter does not have."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(folder / ADAPTER_WEIGHTS, framework="pt") as file:
        saved = set(file.keys())
    # Said outright, or peft looks the base model up on the hub to guess it.
    embeddings = any(part in key for key in saved for part in ("embed", "lm_head"))
    placed = get_peft_model_state_dict(model, save_embedding_layers=embeddings)
    return sorted(saved - placed.keys())


def _not_for(name: str, folder: Path, reason: str) -> PrefkitError:
    with contextlib.suppress(OSError, ValueError):
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        reason += f" (it was made for {config.get('base_model_name_or_path')})"
    return PrefkitError(
        f"{folder}: this adapter does not fit {name}: {reason}.",
        hint="Give the model it was trained on as --model.",
    )
