"""The losses of a step through prefkit against TRL's own trainers and against the papers."""

import json
from pathlib import Path

import pytest
from conftest import MAKERS

from prefkit.config import TrainConfig
from prefkit.runs import Settings
from prefkit.training.methods import METHODS, config_keys, trl_classes
from prefkit.training.run import plan_train, run_train

pytestmark = [
    pytest.mark.model,
    pytest.mark.usefixtures("in_float32"),
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(600),
]

STEPS = 3
LORA = {"r": 8, "lora_alpha": 16}


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def train_lines(folder: Path) -> list[dict]:
    return [line for line in metrics(folder) if line["phase"] == "train"]


def config_for(tiny_model, **changes) -> TrainConfig:
    values = {"lora_r": 8, "lora_alpha": 16, "learning_rate": 1e-3, "max_steps": STEPS} | changes
    return TrainConfig(model=str(tiny_model), **values)


def train(workspace, source, method, config):
    return run_train(plan_train(str(source), method, config, workspace), Settings(workspace))


@pytest.fixture
def by_hand(tiny_model, tmp_path):
    """TRL's trainer as its documentation builds one, on rows written out here."""

    def build(method: str, rows: list[dict], **arguments):
        from datasets import Dataset
        from peft import LoraConfig
        from transformers import AutoModelForCausalLM, AutoTokenizer

        trainer_class, config_class = trl_classes(METHODS[method])
        return trainer_class(
            model=AutoModelForCausalLM.from_pretrained(tiny_model),
            args=config_class(
                output_dir=str(tmp_path / "by-hand"),
                bf16=False,
                use_cpu=True,
                gradient_checkpointing=False,
                learning_rate=1e-3,
                lr_scheduler_type="cosine",
                max_steps=STEPS,
                per_device_train_batch_size=4,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                seed=0,
                **arguments,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(tiny_model),
            peft_config=LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", **LORA),
        )

    return build


def hand_rows(stream: str, count: int) -> list[dict]:
    fields = {
        "pairs": ("prompt", "chosen", "rejected"),
        "examples": ("prompt", "reference"),
        "unpaired": ("prompt", "completion", "label"),
    }[stream]
    rows = []
    for number in range(count):
        dumped = MAKERS[stream](number).model_dump()
        row = {field: dumped[field] for field in fields}
        if "reference" in row:
            row["completion"] = [{"role": "assistant", "content": row.pop("reference")}]
        rows.append(json.loads(json.dumps(row)))
    return rows


HAND = {
    "sft": {"completion_only_loss": True},
    "dpo": {"beta": 0.1},
    "simpo": {"beta": 2.0, "simpo_gamma": 1.0, "loss_type": "simpo", "cpo_alpha": 0.0},
}


@pytest.mark.parametrize("method", ["sft", "dpo", "simpo"])
def test_every_loss_and_gradient_equals_trls_own(
    workspace, records_file, tiny_model, by_hand, method
):
    stream = METHODS[method].stream
    run = train(workspace, records_file(stream, 12, 2), method, config_for(tiny_model))
    trainer = by_hand(method, hand_rows(stream, 12), **HAND[method])
    trainer.train()
    theirs = [line for line in trainer.state.log_history if "loss" in line]
    ours = train_lines(run.path)
    assert len(ours) == len(theirs) == STEPS
    for mine, its in zip(ours, theirs, strict=True):
        assert mine["loss"] == pytest.approx(its["loss"], rel=1e-6)
        assert mine["grad_norm"] == pytest.approx(its["grad_norm"], rel=1e-5)


def test_ktos_losses_equal_trls_own_in_the_order_we_shuffled(
    workspace, records_file, tiny_model, by_hand
):
    from prefkit.training.data import fit

    plan = plan_train(
        str(records_file("unpaired", 12, 2)), "kto", config_for(tiny_model), workspace
    )
    run = run_train(plan, Settings(workspace))
    rows = fit(plan.data, plan.method, plan.config, lambda messages, open_turn: [1]).train
    trainer = by_hand("kto", rows, beta=0.1)
    trainer.train()
    theirs = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert [line["loss"] for line in train_lines(run.path)] == pytest.approx(theirs, rel=1e-6)


def sums_and_means(model, tokenizer, prompt, completion, extra):
    """Sum and mean of the completion's token log-probabilities, by plain softmax."""
    import torch

    start = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
    whole = tokenizer.apply_chat_template(prompt + completion, return_dict=False)
    ids = torch.tensor([whole + extra])
    with torch.no_grad():
        logits = model(ids).logits[0, :-1].float().log_softmax(-1)
    chosen = logits.gather(1, ids[0, 1:, None])[len(start) - 1 :, 0]
    return chosen.sum().item(), chosen.mean().item()


@pytest.mark.parametrize("method", ["dpo", "simpo"])
def test_the_held_out_loss_is_the_papers_formula(workspace, records_file, tiny_model, method):
    """DPO: -log s(beta * change of log-ratio); SimPO: -log s(beta * difference of means - gamma).

    TRL's CPO trainer adds an end-of-turn token to what the chat template wrote; DPO does not.
    """
    import math

    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = train(workspace, records_file("pairs", 12, 3), method, config_for(tiny_model))
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tuned = PeftModel.from_pretrained(base, run.path / "adapter").eval()
    extra = [tokenizer.eos_token_id] if method == "simpo" else []
    losses = []
    for row in hand_rows("pairs", 15)[12:]:
        sides = [row["chosen"], row["rejected"]]
        asked = tuned, tokenizer, row["prompt"]
        policy = [sums_and_means(*asked, side, extra) for side in sides]
        with tuned.disable_adapter():
            reference = [sums_and_means(*asked, side, extra) for side in sides]
        if method == "dpo":
            ratios = [p[0] - r[0] for p, r in zip(policy, reference, strict=True)]
            logit = 0.1 * (ratios[0] - ratios[1])
        else:
            logit = 2.0 * (policy[0][1] - policy[1][1]) - 1.0
        losses.append(math.log1p(math.exp(-logit)))
    after = next(line for line in metrics(run.path) if line["phase"] == "after")
    assert after["eval_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-4)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_keys_read_from_the_source_are_the_dataclasss_fields(name):
    import dataclasses

    fields = {field.name for field in dataclasses.fields(trl_classes(METHODS[name])[1])}
    assert config_keys(METHODS[name]) == fields
