"""`prefkit leakage` from the command line and as a function."""

import json

import pytest

from prefkit.cli import main
from prefkit.config import LeakageConfig
from prefkit.errors import PrefkitError
from prefkit.leakage import run as run_module
from prefkit.leakage.run import plan_leakage, run_leakage
from prefkit.records import (
    Chunk,
    Contamination,
    Example,
    PreferencePair,
    Quote,
    SplitLeak,
    assistant,
    user,
)
from prefkit.runs import Settings
from prefkit.storage import read_records, write_json, write_jsonl

QUESTION = "How many sheep does the farmer have left in the morning after all but nine run away?"
ANSWER = "He has nine sheep left in the morning, because all but nine of them ran away at night."


def example(prompt, reference="Nobody knows.", split="train", **more):
    return Example(prompt=user(prompt), reference=reference, split=split, **more)


def leakage(workspace, source, **config):
    plan = plan_leakage(source, LeakageConfig(**config), workspace)
    return run_leakage(plan, Settings(workspace))


def results(run):
    return json.loads((run.path / "leakage.json").read_text())


@pytest.fixture
def data(workspace):
    rows = [example(f"Question {n} of many?") for n in range(20)]
    rows += [example(f"Please: {QUESTION.upper()}"), example("Why is that?", ANSWER)]
    rows += [example(QUESTION, split="test")]
    write_jsonl(workspace.root / "train.jsonl", rows)
    items = [
        {"question": QUESTION, "answer": ANSWER},
        {"question": "What is a wholly other thing?"},
    ]
    (workspace.root / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in items))
    return workspace


def test_a_run_names_every_hit_and_leaves_out_what_is_held_out(data):
    run = leakage(data, "train.jsonl", against=("sheep=bench.jsonl",))
    hits = list(read_records(run.path / "data" / "hits.jsonl", Contamination))
    assert [(hit.where, hit.field, hit.evaluation, hit.item_id, hit.part) for hit in hits] == [
        ("train.jsonl:21", "prompt", "sheep", "line 1", "prompt"),
        ("train.jsonl:22", "reference", "sheep", "line 1", "reference"),
    ]
    [found] = results(run)["sets"]
    assert (found["items"], found["contaminated"], found["share"]) == (2, 1, 0.5)
    assert found["verdict"] == results(run)["verdict"] == "contaminated"
    assert run.manifest.totals["training_rows"] == 22
    assert (run.path / "contaminated.txt").read_text().split() == [hit.record_id for hit in hits]
    card = (run.path / "README.md").read_text()
    assert "CONTAMINATED: sheep: 1 of 2 items (50.0%)" in card
    assert "- sheep: question in `question`, answer in `answer`." in card


def test_the_card_says_when_no_answer_was_looked_for(data):
    (data.root / "half.jsonl").write_text('{"question": "What is that?", "gold_text": "A thing"}\n')
    card = (leakage(data, "train.jsonl", against=("half.jsonl",)).path / "README.md").read_text()
    assert "no column that is known to hold an answer (name it with `--field`)" in card


def test_a_clean_set_and_one_that_cannot_be_looked_for_are_told_apart(data):
    (data.root / "other.jsonl").write_text('{"question": "What is a wholly other thing?"}\n')
    assert results(leakage(data, "train.jsonl", against=("other.jsonl",)))["verdict"] == "clean"
    (data.root / "short.jsonl").write_text('{"answer": "B"}\n')
    assert results(leakage(data, "train.jsonl", against=("short.jsonl",)))["verdict"] == "unknown"


def test_an_interrupted_run_ends_with_the_same_bytes(data, monkeypatch):
    plan = plan_leakage("train.jsonl", LeakageConfig(against=("bench.jsonl",)), data)
    whole = run_leakage(plan, Settings(data, out=data.root / "whole"))
    monkeypatch.setattr(run_module, "verdicts", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_leakage(plan, Settings(data, out=data.root / "parts"))
    monkeypatch.undo()
    parts = run_leakage(plan, Settings(data, resume=str(data.root / "parts")))
    for name in ("data/hits.jsonl", "leakage.json", "contaminated.txt"):
        assert (parts.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert not (parts.path / "work").exists()


def splits(workspace, train, test, chunks=()):
    folder = workspace.root / "set"
    write_jsonl(folder / "data" / "examples" / "train.jsonl", train)
    write_jsonl(folder / "data" / "examples" / "test.jsonl", test)
    write_jsonl(folder / "data" / "chunks.jsonl", chunks)
    manifest = {"stage": "clean", "status": "finished", "digest": "0", "argv": [], "started": "1"}
    write_json(folder / "manifest.json", manifest)
    return str(folder)


def test_the_splits_of_a_run_are_compared_when_no_set_is_named(workspace):
    chunks = [
        Chunk(document_id="d", text=text, start=0, end=len(text))
        for text in ("The hut opens at nine.", "The warden keeps two keys.")
    ]
    quotes = [(Quote(chunk_id=chunk.id, start=0, end=3),) for chunk in chunks]
    near = QUESTION.replace("farmer", "shepherd")
    train = [
        example(QUESTION),
        example("When does it open?", quotes=quotes[0]),
        example("Same words here?", ANSWER),
    ]
    test = [
        example(near, split="test"),
        example("Who keeps keys?", quotes=quotes[1], split="test"),
        example("Whatever?", ANSWER.upper(), split="test"),
        example("Something else entirely?", "Nothing in common.", split="test"),
    ]
    run = leakage(workspace, splits(workspace, train, test, chunks))
    leaks = list(read_records(run.path / "data" / "split_leaks.jsonl", SplitLeak))
    assert [(leak.kind, leak.field, leak.train_id, leak.test_id) for leak in leaks] == [
        ("exact", "completion", train[2].id, test[2].id),
        ("near", "prompt", train[0].id, test[0].id),
        ("document", "", train[1].id, test[1].id),
    ]
    assert results(run)["splits"] == {"exact": 1, "near": 1, "chunk": 0, "document": 1}
    assert results(run)["verdict"] == "contaminated"


def test_clean_splits_are_clean(workspace):
    train = [example(f"What is thing number {n} of the list for?") for n in range(30)]
    test = [example("Who sleeps in the upper store room?", split="test")]
    assert results(leakage(workspace, splits(workspace, train, test)))["verdict"] == "clean"


def test_pairs_are_looked_at_on_both_sides(workspace):
    pair = PreferencePair(prompt=user("Q?"), chosen=assistant("a"), rejected=assistant(ANSWER))
    write_jsonl(workspace.root / "pairs.jsonl", [pair])
    (workspace.root / "bench.jsonl").write_text(json.dumps({"question": "", "answer": ANSWER}))
    run = leakage(workspace, "pairs.jsonl", against=("bench.jsonl",))
    assert results(run)["sets"][0]["by_field"] == {"rejected": 1}


@pytest.mark.parametrize(
    ("rows", "config", "says"),
    [
        ('{"prompt": "Q", "reference": "A"}\n', {}, "Nothing to compare"),
        ("", {"against": ("bench.jsonl",)}, "holds no examples"),
        ('{"prompt": "Q", "reference": null}\n', {"against": ("bench.jsonl",)}, "rows.jsonl:1"),
        ('{"prompt": "Q"}\n', {"against": ("bench.jsonl",) * 2}, "Two evaluation sets"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_clear_error(data, rows, config, says):
    (data.root / "rows.jsonl").write_text(rows)
    with pytest.raises(PrefkitError, match=says) as caught:
        leakage(data, "rows.jsonl", **config)
    assert caught.value.hint


@pytest.mark.parametrize(("against", "code"), [("bench.jsonl", 3), ("other.jsonl", 0)])
def test_the_exit_code_says_whether_it_is_clean(data, against, code, capsys):
    (data.root / "other.jsonl").write_text('{"question": "What is a wholly other thing?"}\n')
    with pytest.raises(SystemExit) as end:
        main(["leakage", "train.jsonl", "--against", against, "--json"])
    assert (end.value.code or 0) == code
    assert json.loads(capsys.readouterr().out)["results"]["training_rows"] == 22
