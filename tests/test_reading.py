import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from prefkit.errors import PrefkitError
from prefkit.reading import load_records
from prefkit.records import Example, PreferencePair, UnpairedPreference, assistant, user

CHAT = [{"role": "user", "content": "Why?"}]
YES, NO = [{"role": "assistant", "content": "Yes."}], [{"role": "assistant", "content": "No."}]


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why?", "chosen": "Yes.", "rejected": "No."},
        {"prompt": CHAT, "chosen": YES, "rejected": NO},
        {"chosen": CHAT + YES, "rejected": CHAT + NO},
        {"prompt": "Why?", "chosen": CHAT + YES, "rejected": CHAT + NO, "score_chosen": 0.9},
        {"prompt": "Why?", "chosen": "Yes.", "rejected": "No.", "id": 7, "model": "x"},
    ],
)
def test_every_trl_preference_format_is_one_pair(workspace, row):
    path = write(workspace.root / "pairs.jsonl", row)
    (pair,) = load_records(path, "pairs", PreferencePair, workspace).records
    assert (pair.prompt, pair.chosen, pair.rejected) == (
        user("Why?"),
        assistant("Yes."),
        assistant("No."),
    )
    assert pair.metadata == {k: str(row[k]) for k in ("id", "model") if k in row}


@pytest.mark.parametrize(
    "row",
    [
        {"messages": CHAT + YES},
        {"prompt": "Why?", "completion": "Yes."},
        {"prompt": CHAT, "completion": YES},
        {"prompt": "Why?", "reference": "Yes."},
    ],
)
def test_every_trl_sft_format_is_one_example(workspace, row):
    path = write(workspace.root / "examples.jsonl", row)
    (example,) = load_records(path, "examples", Example, workspace).records
    assert (example.prompt, example.reference) == (user("Why?"), "Yes.")


def test_json_csv_and_parquet_hold_the_same_records(workspace):
    rows = [{"prompt": f"q{n}", "completion": "a", "label": bool(n)} for n in range(2)]
    (workspace.root / "a.json").write_text(json.dumps(rows))
    (workspace.root / "a.csv").write_text("prompt,completion,label\nq0,a,False\nq1,a,True\n")
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), workspace.root / "a.parquet")
    read = [
        load_records(name, "unpaired", UnpairedPreference, workspace).records
        for name in ("a.json", "a.csv", "a.parquet", write(workspace.root / "a.jsonl", *rows))
    ]
    assert [r.label for r in read[0]] == [False, True]
    assert all(records == read[0] for records in read)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"prompt": "q", "chosne": "a", "rejected": "b"}', "did you mean `chosen`"),
        ('{"prompt": "q", "rejected": "b"}', "`chosen`"),
        ('{"prompt": "q", "chosen": 3, "rejected": "b"}', "`chosen`"),
        ("{", "not valid JSON"),
    ],
)
def test_a_bad_row_is_named(workspace, text, said):
    path = workspace.root / "pairs.jsonl"
    path.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n' + text + "\n")
    with pytest.raises(PrefkitError, match=r"pairs\.jsonl:2: ") as caught:
        load_records(str(path), "pairs", PreferencePair, workspace)
    assert said in caught.value.message


def test_nothing_there_is_an_error_that_says_what_to_give(workspace):
    (workspace.root / "empty.jsonl").write_text("\n")
    with pytest.raises(PrefkitError, match="holds no pairs"):
        load_records("empty.jsonl", "pairs", PreferencePair, workspace)
    with pytest.raises(PrefkitError, match="no such file or run"):
        load_records("missing.jsonl", "pairs", PreferencePair, workspace)
    (workspace.root / "folder").mkdir()
    with pytest.raises(PrefkitError, match="folder without a run"):
        load_records("folder", "pairs", PreferencePair, workspace)


def test_a_hub_id_that_cannot_be_loaded_is_a_clear_error(workspace):
    with pytest.raises(PrefkitError, match="no dataset of that id"):
        load_records("nobody/nothing", "pairs", PreferencePair, workspace)


def test_records_without_a_split_count_as_train(workspace):
    rows = [{"prompt": "q", "reference": str(n)} for n in range(3)]
    rows[2]["split"] = "test"
    path = write(workspace.root / "e.jsonl", *rows)
    train = load_records(path, "examples", Example, workspace, "train").records
    test = load_records(path, "examples", Example, workspace, "test").records
    assert [r.reference for r in train] == ["0", "1"]
    assert [r.reference for r in test] == ["2"]
