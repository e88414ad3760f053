import json
import os
from pathlib import Path

import pytest

from prefkit.records import (
    Example,
    PreferencePair,
    Record,
    Split,
    UnpairedPreference,
    assistant,
    user,
)

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HUTS = ("Ardvane", "Corran", "Lochside", "Stob", "Tarff", "Glen", "Ben", "Fion")
GOOD = "The {hut} hut closes at {hour} in the evening, and the keeper has the key."
BAD = "There are many factors to consider here, number {hour}, and it depends."


def pair(number: int, split: Split | None = "train") -> PreferencePair:
    hut, hour = HUTS[number % len(HUTS)], str(number)
    return PreferencePair(
        prompt=user(f"When does the {hut} hut close on day {number}?"),
        chosen=assistant(GOOD.format(hut=hut, hour=hour)),
        rejected=assistant(BAD.format(hour=hour)),
        source="rule",
        split=split,
    )


def example(number: int, split: Split | None = "train") -> Example:
    made = pair(number, split)
    return Example(prompt=made.prompt, reference=made.chosen[0].content, split=split)


def thumb(number: int, split: Split | None = "train") -> UnpairedPreference:
    made = pair(number // 2, split)
    completion = made.rejected if number % 2 else made.chosen
    return UnpairedPreference(
        prompt=made.prompt, completion=completion, label=number % 2 == 0, source="rule", split=split
    )


MAKERS = {"pairs": pair, "examples": example, "unpaired": thumb}


def write(path: Path, records: list[Record]) -> Path:
    path.write_text("".join(record.json_line() + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def records_file(tmp_path: Path):
    """Writes `train` and then `test` records of a stream to one JSONL file."""

    def make(stream: str, train: int = 12, test: int = 4) -> Path:
        maker = MAKERS[stream]
        records = [maker(number) for number in range(train)]
        records += [maker(number, "test") for number in range(train, train + test)]
        return write(tmp_path / f"{stream}.jsonl", records)

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a tokenizer trained on the sentences above."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    marks = ["<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [json.dumps(pair(number).model_dump()) for number in range(40)]
    backend.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=marks[0],
        eos_token=marks[1],
        pad_token=marks[1],
        chat_template=TEMPLATE,
    )
    tokenizer.save_pretrained(folder)
    # Two threads wait for each other longer than so small a model computes; subprocesses too.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def in_float32(monkeypatch):
    """Train in float32 on processors that have bfloat16 too: that is where equality is shown."""
    import torch

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
