import json

import pytest
from conftest import pair, write

from prefkit import cli
from prefkit.config import TrainConfig
from prefkit.errors import PrefkitError
from prefkit.training.earlier import base_name, check_earlier, spoken
from prefkit.training.run import plan_train


def run_cli(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


@pytest.fixture
def earlier(tmp_path):
    folder = tmp_path / "earlier"
    folder.mkdir()
    config = {"r": 8, "lora_alpha": 16, "base_model_name_or_path": base_name(TrainConfig())}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def test_a_dry_run_says_what_would_be_trained_without_loading_anything(
    workspace, records_file, capsys
):
    code, out, _ = run_cli(capsys, "train-dpo", str(records_file("pairs", 80, 20)), "--dry-run")
    plan = json.loads(out)
    assert code == 0
    assert plan["stage"] == "train-dpo"
    assert plan["counts"] == {"pairs": 100, "train": 80, "held_out": 20, "dropped": 0}
    assert plan["expected"]["steps"] == 20
    assert plan["expected"]["beta"] == 0.1
    assert 0 < plan["expected"]["tokens"] < 20_000


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "simpo"])
def test_every_method_has_a_command_and_only_preferences_have_a_beta(capsys, method):
    code, out, _ = run_cli(capsys, f"train-{method}", "--help")
    assert code == 0
    assert ("--beta" in out) == (method != "sft")
    assert out.count(f"prefkit train-{method} @") == 2


def test_a_misspelt_trainer_key_is_wrong_usage(workspace, records_file, capsys):
    source = str(records_file("pairs"))
    key = "train.trainer.loss_typ=hinge"
    code, _, err = run_cli(capsys, "train-dpo", source, "--set", key, "--dry-run")
    assert code == 2
    assert "did you mean `loss_type`" in err


def test_a_pair_without_a_rejected_side_is_named_by_file_line_and_field(workspace, tmp_path):
    path = write(tmp_path / "pairs.jsonl", [pair(1)])
    with path.open("a") as file:
        file.write('{"prompt": "Q", "chosen": "A"}\n')
    with pytest.raises(PrefkitError, match=r"pairs\.jsonl:2: `rejected`"):
        plan_train(str(path), "dpo", TrainConfig(), workspace)


def test_a_set_of_held_out_rows_only_is_refused(workspace, records_file):
    with pytest.raises(PrefkitError, match=r"none of 3 pairs can be trained on \(all are held out"):
        plan_train(str(records_file("pairs", 0, 3)), "dpo", TrainConfig(), workspace)


def test_only_what_decides_the_result_is_in_the_digest(workspace, records_file):
    source = str(records_file("pairs"))
    plans = [
        plan_train(source, "dpo", TrainConfig(**changes), workspace).digest()
        for changes in ({}, {"save_steps": 3}, {"beta": 0.2}, {"trainer": {"warmup_steps": 1}})
    ]
    assert plans[0] == plans[1]
    assert len(set(plans)) == 3


def test_an_earlier_adapter_keeps_its_own_rank(earlier):
    assert check_earlier(TrainConfig(), earlier) == ""
    assert check_earlier(TrainConfig(lora_r=8), earlier) == ""
    with pytest.raises(PrefkitError, match="lora_r 16 was asked for, but the adapter"):
        check_earlier(TrainConfig(lora_r=16), earlier)


def test_an_adapter_of_a_model_of_another_name_is_warned_about(earlier):
    assert "was made for HuggingFaceTB/" in check_earlier(TrainConfig(model="mine"), earlier)


def test_a_damaged_adapter_configuration_is_named(earlier):
    (earlier / "adapter_config.json").write_text("{")
    with pytest.raises(PrefkitError, match="not a readable adapter configuration"):
        check_earlier(TrainConfig(), earlier)


def test_the_base_is_called_by_a_public_name_and_the_adapter_by_its_folder(earlier):
    assert base_name(TrainConfig()) == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert base_name(TrainConfig(model="./mine")) == "./mine"
    assert (spoken(None), spoken(earlier)) == ("", "earlier")
