"""What is saved, and what later training starts from."""

import json
import math

import pytest
from test_train_losses import config_for, metrics, train, train_lines

from prefkit.config import TrainConfig
from prefkit.errors import PrefkitError

pytestmark = [
    pytest.mark.model,
    pytest.mark.usefixtures("in_float32"),
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(600),
]


def logits(model, tokenizer):
    import torch

    ids = torch.tensor([tokenizer("When does the Corran hut close?")["input_ids"]])
    with torch.no_grad():
        return model(ids).logits


@pytest.fixture
def trained_models(monkeypatch):
    """The models that training ended with, as they were in memory."""
    from prefkit.training import adapters

    seen = []
    save = adapters.save_adapter

    def spy(model, *args):
        seen.append(model)
        save(model, *args)

    monkeypatch.setattr(adapters, "save_adapter", spy)
    return seen


@pytest.mark.parametrize(("method", "stream"), [("sft", "examples"), ("dpo", "pairs")])
def test_the_adapter_loads_in_plain_peft_and_says_what_the_trained_model_says(
    workspace, records_file, tiny_model, trained_models, method, stream
):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = train(workspace, records_file(stream), method, config_for(tiny_model))
    assert sorted(p.name for p in (run.path / "adapter").iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    untrained = logits(base, tokenizer)
    tuned = PeftModel.from_pretrained(base, run.path / "adapter").eval()
    torch.testing.assert_close(
        logits(tuned, tokenizer), logits(trained_models[0].eval(), tokenizer), rtol=0, atol=0
    )
    assert not torch.allclose(logits(tuned, tokenizer), untrained)
    assert not (run.path / "checkpoints").exists()


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_after_sft_the_reference_is_the_sft_policy(
    workspace, records_file, tiny_model, trained_models, method
):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    train(workspace, records_file("examples"), "sft", config_for(tiny_model))
    stream = "pairs" if method == "dpo" else "unpaired"
    run = train(
        workspace,
        records_file(stream),
        method,
        config_for(tiny_model, adapter="@train-sft"),
    )
    at_start = math.log(2) if method == "dpo" else 0.5
    before = next(line for line in metrics(run.path) if line["phase"] == "before")
    assert before["eval_loss"] == pytest.approx(at_start, abs=1e-6)
    assert before["eval_rewards/chosen"] == before["eval_rewards/rejected"] == 0
    first = train_lines(run.path)[0]
    assert first["loss"] == pytest.approx(at_start, abs=1e-6)
    assert first["rewards/chosen"] == 0
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tuned = PeftModel.from_pretrained(base, run.path / "adapter").eval()
    torch.testing.assert_close(
        logits(tuned, tokenizer), logits(trained_models[1].eval(), tokenizer), rtol=0, atol=0
    )
    assert sorted(p.name for p in (run.path / "adapter").iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert "going on from `train-sft-" in (run.path / "README.md").read_text()
    lineage = [entry.run for entry in run.manifest.inputs if entry.run]
    assert [name.startswith("train-sft-") for name in lineage] == [True]


@pytest.mark.parametrize("adapter", [None, "@train-sft"])
def test_qlora_takes_steps_with_its_adapter_in_float32(
    workspace, records_file, tiny_model, adapter, trained_models
):
    pytest.importorskip("bitsandbytes")
    import torch

    if adapter:
        train(workspace, records_file("examples"), "sft", config_for(tiny_model))
    config = config_for(tiny_model, load_in_4bit=True, adapter=adapter)
    run = train(workspace, records_file("pairs"), "dpo", config)
    assert train_lines(run.path)[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert train_lines(run.path)[-1]["loss"] < math.log(2)
    kinds = {p.dtype for p in trained_models[-1].parameters() if p.requires_grad}
    assert kinds == {torch.float32}
    assert "NF4 base with double quantisation" in (run.path / "README.md").read_text()


def test_the_card_says_what_was_done(workspace, records_file, tiny_model):
    run = train(workspace, records_file("pairs"), "dpo", config_for(tiny_model, beta=0.2))
    card = (run.path / "adapter" / "README.md").read_text()
    front = json.loads(card.split("---")[1])
    assert front["library_name"] == "peft"
    for said in ("12 rows (12 by rule), 4 held out", "| beta | 0.2 |", "float32", "trl 1."):
        assert said in card
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert run.manifest.totals["steps"] == 3
    assert run.manifest.outputs == {"adapter": 1}


def test_what_libraries_say_goes_to_the_log_and_not_to_the_terminal(
    workspace, records_file, tiny_model, capfd
):
    run = train(workspace, records_file("pairs"), "simpo", config_for(tiny_model))
    said = capfd.readouterr()
    assert said.out == ""
    assert all(
        line.startswith(("loading", "held-out", "train-simpo")) for line in said.err.splitlines()
    )
    assert "trl" in (run.path / "run.log").read_text()


def test_an_adapter_for_another_model_is_refused(workspace, records_file, tiny_model, tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    other = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    )
    wrapped = get_peft_model(other, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
    wrapped.save_pretrained(tmp_path / "other")
    config = TrainConfig(model=str(tiny_model), adapter=str(tmp_path / "other"))
    with pytest.raises(PrefkitError, match="does not fit"):
        train(workspace, records_file("pairs"), "dpo", config)


def test_a_model_that_does_not_exist_is_refused(workspace, records_file):
    with pytest.raises(PrefkitError, match="no such model"):
        train(workspace, records_file("pairs"), "dpo", config_for("./nowhere"))


def test_settings_trl_refuses_are_one_clear_error(workspace, records_file, tiny_model):
    config = config_for(tiny_model, trainer={"loss_type": ["exo_pair"]})
    with pytest.raises(PrefkitError, match="TRL refuses these settings: Label smoothing"):
        train(workspace, records_file("pairs"), "dpo", config)


def test_a_max_length_too_short_for_all_is_refused(workspace, records_file, tiny_model):
    with pytest.raises(PrefkitError, match="No row is left to train on"):
        train(workspace, records_file("pairs"), "dpo", config_for(tiny_model, max_length=16))


def test_a_loss_that_is_no_number_stops_the_run(workspace, records_file, tiny_model):
    config = config_for(tiny_model, learning_rate=1e30, max_steps=6)
    with pytest.raises(PrefkitError, match="not a number any more at step"):
        train(workspace, records_file("examples"), "sft", config)


def test_held_out_rows_are_measured_on_the_way_when_asked(workspace, records_file, tiny_model):
    config = config_for(tiny_model, trainer={"eval_steps": 1})
    run = train(workspace, records_file("pairs"), "dpo", config)
    phases = [line["phase"] for line in metrics(run.path)]
    assert phases == ["before", *["train", "held-out"] * 3, "after"]


def test_without_a_test_split_there_are_no_figures(workspace, records_file, tiny_model):
    run = train(workspace, records_file("pairs", test=0), "dpo", config_for(tiny_model))
    assert json.loads((run.path / "held_out.json").read_text()) == []
    assert "the source had no test split" in (run.path / "README.md").read_text()


def test_memory_that_does_not_suffice_is_one_clear_error(
    workspace, records_file, tiny_model, monkeypatch
):
    import torch

    from prefkit.training import train as module

    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "_measure_and_train", full)
    with pytest.raises(PrefkitError, match="do not fit into memory") as refused:
        train(workspace, records_file("pairs"), "dpo", config_for(tiny_model))
    assert "--per-device-train-batch-size 2 --gradient-accumulation-steps 2" in refused.value.hint
