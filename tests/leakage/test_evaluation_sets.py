"""Evaluation sets with whatever columns they have."""

import csv
import json

import pytest

from prefkit.errors import PrefkitError
from prefkit.leakage.evaluation_sets import Item, load_evaluation_set


def write(workspace, name, *rows):
    path = workspace.root / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("row", "item"),
    [
        ({"question": "Q?", "answer": "A"}, ("Q?", "A")),
        ({"problem": "Q?", "solution": "A", "level": 3}, ("Q?", "A")),
        ({"instruction": "Q?", "input": "more", "output": "A"}, ("Q?\n\nmore", "A")),
        ({"input": "Q?", "target": "A"}, ("Q?", "A")),
        ({"question": "Q?", "answers": {"text": ["A", "B"], "start": [1]}}, ("Q?", "A\n\nB")),
        ({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q?"}]},
         ("Q?", "")),
        ({"prompt": [{"role": "user", "content": "Q?"}], "chosen": "A", "rejected": "B"},
         ("Q?", "A")),
        ({"question": None, "answer": "A"}, ("", "A")),
        ({"question": "Q?", "choices": ["A", "B"], "answer": 1}, ("Q?", "B")),  # MMLU
        ({"ctx": "Q", "endings": ["A", "B"], "label": "0"}, ("Q", "A")),  # HellaSwag
        ({"question": "Q?", "choices": {"text": ["A", "B"], "label": ["1", "2"]},
          "answerKey": "2"}, ("Q?", "B")),  # ARC
        ({"question": "Q?", "options": ["A", "B"], "answer": "B"}, ("Q?", "B")),
        ({"question": "Q?", "choices": ["A", "B"], "answer": 7}, ("Q?", "")),
        ({"question": "Q?", "choices": "A or B", "answer": "A"}, ("Q?", "A")),
    ],
)  # fmt: skip
def test_the_usual_columns_are_known(workspace, row, item):
    assert load_evaluation_set(write(workspace, "set.jsonl", row), workspace).items == (
        Item("line 1", *item),
    )


def test_columns_can_be_named(workspace):
    path = write(workspace, "set.jsonl", {"stem": "Q?", "key": "A", "id": 7})
    assert load_evaluation_set(path, workspace, ["stem", "key"]).items == (Item("7", "Q?", "A"),)


def test_csv_and_json_are_read_and_ids_that_repeat_give_way_to_lines(workspace):
    with (workspace.root / "set.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "question"], ["a", "Q1?"], ["a", "Q2?"]])
    found = load_evaluation_set("mine=set.csv", workspace)
    assert found.name == "mine"
    assert [item.id for item in found.items] == ["line 2", "line 3"]
    (workspace.root / "set.json").write_text('[{"query": "Q?"}]')
    assert load_evaluation_set("set.json", workspace).name == "set"


@pytest.mark.parametrize(
    ("text", "fields", "says"),
    [
        ("", (), "holds no row"),
        ('{"question": ""}\n{"question": null}\n', (), "no text in any of 2 rows"),
        ('{"a": "b"}\n', (), r"set.jsonl:1: no column.*the columns are: a"),
        ('{"question": "Q"}\n', ("stem",), r"set.jsonl:1: `stem` is not there.*question"),
        ('{"question": "Q"}\n[1]\n', (), "set.jsonl:2: expected a JSON object"),
        ('{"question": "Q"\n', (), "set.jsonl:1: not valid JSON"),
    ],
)
def test_a_bad_set_is_one_clear_error(workspace, text, fields, says):
    (workspace.root / "set.jsonl").write_text(text)
    with pytest.raises(PrefkitError, match=says) as caught:
        load_evaluation_set("set.jsonl", workspace, fields)
    assert caught.value.hint


def test_a_set_that_does_not_exist_is_one_clear_error(workspace):
    with pytest.raises(PrefkitError, match=r"none\.jsonl"):
        load_evaluation_set("none.jsonl", workspace)
