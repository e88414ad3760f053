import pytest

from prefkit.config import TrainConfig
from prefkit.errors import PrefkitError
from prefkit.records import PreferencePair
from prefkit.training.arguments import total_steps, trl_arguments
from prefkit.training.methods import METHODS, check_trainer_keys, config_keys, find_method


def test_every_method_has_its_own_stage_and_its_own_stream():
    assert [m.stage for m in METHODS.values()] == [
        "train-sft",
        "train-dpo",
        "train-kto",
        "train-simpo",
    ]
    assert METHODS["dpo"].record is METHODS["simpo"].record is PreferencePair


def test_every_default_is_a_key_of_trls_configuration():
    for method in METHODS.values():
        assert set(method.defaults) <= config_keys(method)
        arguments = trl_arguments(method, TrainConfig(), "out", device="cpu", bf16=False)
        assert set(arguments) <= config_keys(method)


def test_simpo_is_cpo_without_its_likelihood_term():
    assert METHODS["simpo"].defaults["loss_type"] == "simpo"
    assert METHODS["simpo"].defaults["cpo_alpha"] == 0


def test_a_misspelt_trainer_key_is_refused_with_the_closest_one():
    with pytest.raises(PrefkitError, match=r"`loss_typ` is not a key of TRL's DPOConfig; did you"):
        check_trainer_keys(METHODS["dpo"], ["loss_typ"])


def test_a_key_of_another_method_is_refused():
    check_trainer_keys(METHODS["simpo"], ["simpo_gamma"])
    with pytest.raises(PrefkitError, match="simpo_gamma"):
        check_trainer_keys(METHODS["dpo"], ["simpo_gamma"])


@pytest.mark.parametrize("key", ["learning_rate", "output_dir", "per_device_eval_batch_size"])
def test_what_prefkit_sets_cannot_be_set_behind_its_back(key):
    with pytest.raises(PrefkitError, match="set by prefkit itself"):
        check_trainer_keys(METHODS["dpo"], [key])


def test_an_unknown_method_names_the_closest():
    with pytest.raises(PrefkitError, match="did you mean `simpo`"):
        find_method("simp")


def test_flags_win_over_the_methods_defaults_and_the_trainer_table_has_the_last_word():
    config = TrainConfig(beta=0.3, trainer={"warmup_steps": 5, "eval_steps": 2})
    arguments = trl_arguments(METHODS["dpo"], config, "out", device="cpu", bf16=False)
    assert (arguments["beta"], arguments["learning_rate"]) == (0.3, 5e-5)
    assert arguments["warmup_steps"] == 5
    assert arguments["eval_strategy"] == "steps"
    assert arguments["output_dir"] == "out"


@pytest.mark.parametrize(
    ("rows", "config", "steps"),
    [
        (80, TrainConfig(), 20),
        (81, TrainConfig(), 21),
        (81, TrainConfig(gradient_accumulation_steps=2), 11),
        (3, TrainConfig(num_train_epochs=2.5), 3),
        (80, TrainConfig(max_steps=7), 7),
    ],
)
def test_steps_are_counted_as_transformers_counts_them(rows, config, steps):
    assert total_steps(METHODS["dpo"], config, rows) == steps
