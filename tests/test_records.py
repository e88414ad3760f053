import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prefkit.errors import PrefkitError
from prefkit.records import (
    Candidate,
    Example,
    Judgment,
    PreferencePair,
    Record,
    assistant,
    content_id,
    user,
)
from prefkit.storage import read_records, write_jsonl

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT)
def test_the_same_content_has_the_same_id_and_other_content_another(prompt, reference):
    example = Example(prompt=user(prompt), reference=reference)
    assert example.id == Example(prompt=user(prompt), reference=reference, split="test").id
    assert example.id != Example(prompt=user(prompt), reference=reference + "!").id
    assert len(example.id) == 16


def test_an_id_is_the_documented_hash():
    assert content_id("a", 1) == hashlib.sha256(b'["a",1]').hexdigest()[:16]
    assert content_id({"b": 1, "a": 2}) == content_id({"a": 2, "b": 1})


@given(TEXT, TEXT)
def test_a_record_survives_its_line_of_json(prompt, reference):
    example = Example(prompt=user(prompt), reference=reference, metadata={"k": prompt})
    line = example.json_line()
    assert "\n" not in line
    assert Example.model_validate_json(line) == example


def test_a_plain_string_is_one_turn():
    pair = PreferencePair.model_validate({"prompt": "Why?", "chosen": "Yes.", "rejected": "No."})
    assert pair.prompt == user("Why?")
    assert pair.chosen == assistant("Yes.")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "reference": "a", "surprise": 1},
        {"prompt": "q", "reference": ""},
        {"prompt": [], "reference": "a"},
        {"prompt": 7, "reference": "a"},
        {"prompt": "q", "reference": "lone \ud800 surrogate"},
        {"prompt": "q", "reference": "a", "metadata": {"n": 1}},
    ],
)
def test_what_is_not_an_example_is_refused(row):
    with pytest.raises(ValidationError):
        Example.model_validate(row)


def test_every_record_says_what_its_id_is_made_of():
    for model in (Example, Candidate, Judgment, PreferencePair):
        assert issubclass(model, Record)
        assert set(model.identity) <= set(model.model_fields)


def test_a_bad_line_is_named_with_file_line_and_field(tmp_path):
    path = tmp_path / "examples.jsonl"
    good = Example(prompt=user("q"), reference="a").json_line()
    cases = {
        '{"prompt": "q", "referense": "a"}': "`reference`",
        '{"prompt": "q", "reference": "a", "referense": "a"}': "did you mean `reference`",
        '{"prompt": "q", "reference": 3}': "`reference`",
        '{"prompt": "q", "reference": "\\ud800"}': "`reference`",
        '{"prompt": "q", ': "not valid JSON",
        "[1, 2]": "expected a JSON object",
        "[" * 100_000: "nested too deeply",
    }
    for bad, said in cases.items():
        path.write_text(f"{good}\n\n{bad}\n", encoding="utf-8")
        with pytest.raises(PrefkitError, match=r"examples\.jsonl:3: ") as caught:
            list(read_records(path, Example))
        assert said in caught.value.message


def test_a_wrong_encoding_is_named(tmp_path):
    path = tmp_path / "examples.jsonl"
    path.write_bytes(json.dumps({"prompt": "caf\xe9"}, ensure_ascii=False).encode("latin-1"))
    with pytest.raises(PrefkitError, match=":1: not UTF-8"):
        list(read_records(path, Example))


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "examples.jsonl"
    write_jsonl(path, [Example(prompt=user("q"), reference="a")])
    before = path.read_bytes()

    def failing():
        yield Example(prompt=user("new"), reference="a")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_jsonl(path, failing())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["examples.jsonl"]
