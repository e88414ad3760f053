import re
import tomllib

import pytest

from prefkit.config import PRICES, TABLES, CleanConfig, GenerateConfig, TrainConfig, resolve
from prefkit.errors import PrefkitError
from prefkit.scaffold import config_text


def test_a_flag_beats_set_beats_environment_beats_file_beats_default(tmp_path):
    file = tmp_path / "prefkit.toml"
    file.write_text("[clean]\ntest_share = 0.1\nseed = 1\nlimit = 10\nnear_duplicates = 0.9\n")
    config = resolve(
        CleanConfig,
        file=file,
        environ={"PREFKIT_CLEAN_SEED": "2", "PREFKIT_CLEAN_LIMIT": "20"},
        sets=["clean.limit=30", "clean.test_share=0.3", "generate.per_chunk=9"],
        flags={"test_share": 0.4, "seed": None},
    )
    assert (config.test_share, config.limit, config.seed) == (0.4, 30, 2)
    assert config.near_duplicates == 0.9
    assert config.min_reference_words == CleanConfig().min_reference_words


def test_what_is_passed_to_the_trainer_is_merged_key_by_key(tmp_path):
    file = tmp_path / "prefkit.toml"
    file.write_text('[train.trainer]\nweight_decay = 0.1\nlr_scheduler_type = "cosine"\n')
    config = resolve(TrainConfig, file=file, environ={}, sets=["train.trainer.weight_decay=0.2"])
    assert config.trainer == {"weight_decay": 0.2, "lr_scheduler_type": "cosine"}


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["clean.near_duplicate=0.9"], "did you mean `near_duplicates`"),
        (["clena.seed=1"], "did you mean `clean`"),
        (["clean.near_duplicates=1.5"], "`near_duplicates`"),
        (["clean"], "expected table.key=value"),
    ],
)
def test_a_wrong_set_is_a_usage_error_that_suggests(sets, said):
    with pytest.raises(PrefkitError) as caught:
        resolve(CleanConfig, environ={}, sets=sets)
    assert said in caught.value.message
    assert "--set" in caught.value.message
    assert caught.value.exit_code == 2


def test_a_wrong_file_is_named(tmp_path):
    file = tmp_path / "prefkit.toml"
    for text, said in {
        "[clean]\nseeds = 1\n": "did you mean `seed`",
        "[cleen]\n": "did you mean `clean`",
        "[clean\n": "not valid TOML",
    }.items():
        file.write_text(text)
        with pytest.raises(PrefkitError, match=r"prefkit\.toml") as caught:
            resolve(CleanConfig, file=file, environ={})
        assert said in caught.value.message


def test_speed_settings_do_not_change_the_digest_and_others_do():
    config = GenerateConfig()
    assert config.digest() == GenerateConfig(concurrency=99).digest()
    assert config.digest() != GenerateConfig(seed=1).digest()


def test_a_url_with_a_password_is_refused():
    with pytest.raises(PrefkitError, match="OPENAI_API_KEY"):
        resolve(GenerateConfig, environ={}, flags={"base_url": "https://me:secret@host/v1"})


def test_the_written_config_states_every_key_and_is_toml():
    text = config_text()
    keys = [line.removeprefix("# ") for line in text.splitlines()[2:]]
    uncommented = "\n".join(line for line in keys if not re.search(r" =\s*(#.*)?$", line))
    parsed = tomllib.loads(uncommented)
    assert set(parsed) == {*TABLES, PRICES}
    for name, model in TABLES.items():
        assert set(parsed[name]) <= set(model.model_fields)
        model.model_validate(parsed[name])
