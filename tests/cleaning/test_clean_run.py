import json
import os
import signal
import subprocess
import sys

import pytest

from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.cli import main
from prefkit.config import CleanConfig
from prefkit.manifest import read_manifest
from prefkit.records import Chunk, Dropped, Example, Quote
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, write_jsonl

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Iris", "Juniper")


def generated(workspace, documents=5):
    """A finished generate run: two examples a document, and one bad draft."""
    chunks = [
        Chunk(document_id=f"d{n}", text=f"The {NAMES[n]} passage.", start=0, end=20)
        for n in range(documents)
    ]
    examples = [
        Example(
            prompt=f"Who keeps the {what} of {NAMES[n]}?",
            reference=f"The {NAMES[n]} warden keeps the {what}.",
            quotes=(Quote(chunk_id=chunks[n].id, start=0, end=4),),
        )
        for n in range(documents)
        for what in ("key", "hut book of records")
    ]
    bad = Example(prompt="Who is it?", reference="I'm sorry, but I can't help.")
    plan = Plan(stage="generate", config=CleanConfig())
    with Run.start(plan, Settings(workspace)) as run:
        run.record("all", {"chunks": chunks, "examples": [*examples, bad]})
        run.finish(["all"])
    return run


def stream(run, name):
    return list(read_records(run.path / "data" / f"{name}.jsonl", Example))


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["clean", *arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_clean_writes_both_splits_the_drops_and_what_was_done(workspace):
    source = generated(workspace)
    run = run_clean(plan_clean("@generate", CleanConfig(), workspace), Settings(workspace))
    train, test = stream(run, "examples/train"), stream(run, "examples/test")
    assert (len(train), len(test)) == (8, 2)
    assert {e.split for e in train} == {"train"}
    assert {e.split for e in test} == {"test"}
    assert {e.quotes[0].chunk_id for e in train}.isdisjoint(e.quotes[0].chunk_id for e in test)
    dropped = list(read_records(run.path / "dropped.jsonl", Dropped))
    assert [(d.stage, d.rule) for d in dropped] == [("clean", "refusal")]
    assert run.manifest.totals["groups"] == 5
    assert {entry.run for entry in run.manifest.inputs} == {source.path.name}
    card = (run.path / "README.md").read_text()
    assert "8 to train on and 2 held out" in card
    assert "Split by document" in card


def test_the_run_loads_in_datasets(workspace):
    import datasets

    generated(workspace)
    run = run_clean(plan_clean("@generate", CleanConfig(), workspace), Settings(workspace))
    loaded = datasets.load_dataset(str(run.path), "examples")
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 8, "test": 2}


def test_an_empty_set_after_cleaning_lists_the_drops_by_rule(workspace, capsys):
    generated(workspace)
    code, _, err = command(capsys, "@generate", "--min-reference-words", "90")
    assert code == 1
    assert "No example is left after cleaning 11: 11 too-short" in err
    (folder,) = workspace.run_folders("clean")
    assert read_manifest(folder).status == "failed"
    assert len(list(read_records(folder / "dropped.jsonl", Dropped))) == 11


def test_one_document_names_the_flag_that_splits_it(workspace, capsys):
    generated(workspace, documents=1)
    code, _, err = command(capsys, "@generate")
    assert code == 1
    assert "--split-by chunk" in err
    assert command(capsys, "@generate", "--split-by", "example", "-q")[0] == 0


def test_foreign_prompts_and_completions_can_be_cleaned(workspace, capsys):
    rows = [
        {"prompt": f"Who keeps the key of {name}?", "completion": f"The {name} warden.", "n": 3}
        for name in NAMES
    ]
    (workspace.root / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, _ = command(capsys, "mine.jsonl", "--json")
    assert code == 0
    assert json.loads(out)["outputs"] == {"examples/train": 8, "examples/test": 2}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"prompt": "a", "reference": "b c"', "mine.jsonl:2: not valid JSON"),
        ('{"prompt": "a", "reference": 3}', "mine.jsonl:2: `reference`"),
        ('{"prompt": "a", "refrence": "b c"}', "did you mean `reference`?"),
        ('{"prompt": "a", "reference": ""}', "mine.jsonl:2: `reference`"),
        ('{"prompt": "a", "reference": "\\ud800 b"}', "mine.jsonl:2: `reference`"),
        ('{"id": "x", "prompt": "a", "reference": "b", "metadata": {}, "bad": 1}', "`bad`"),
    ],
)
def test_a_bad_line_is_one_error_that_names_it(workspace, capsys, line, says):
    first = '{"prompt": "Who keeps it?", "reference": "The warden keeps it."}\n'
    (workspace.root / "mine.jsonl").write_text(first + line + "\n")
    code, out, err = command(capsys, "mine.jsonl")
    assert code == 1
    assert says in err
    assert "Traceback" not in err
    assert out == ""
    assert not workspace.runs.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["@generate"], "no finished generate run"),
        (["nothing.jsonl"], "no such file or run"),
        (["@generate", "--set", "clean.near=0.5"], "`near` is not a field"),
        (["@generate", "--skip-rule", "truncate"], "did you mean `truncated`?"),
        (["@generate", "--min-reference-words", "9", "--max-reference-words", "5"], "is over"),
        (["@generate", "--split-by", "page"], "Invalid value for '--split-by'"),
        (["@generate", "--test-share", "1"], "Invalid value for '--test-share'"),
    ],
)
def test_a_wrong_call_is_one_error(workspace, capsys, arguments, says):
    code, _, err = command(capsys, *arguments)
    assert code in (1, 2)
    assert says in err
    assert "Traceback" not in err


def test_an_empty_file_is_refused(workspace, capsys):
    (workspace.root / "mine.jsonl").write_text("\n")
    code, _, err = command(capsys, "mine.jsonl")
    assert (code, "holds no examples" in err) == (1, True)


def test_limit_takes_the_first(workspace):
    generated(workspace)
    plan = plan_clean("@generate", CleanConfig(limit=4), workspace)
    assert plan.counts == {"examples": 4}
    run = run_clean(plan, Settings(workspace))
    assert sum(run.manifest.outputs.values()) == 4


STEPS = [("rows", 2), ("compared-1", 1), ("forest-1-0", 1), ("splits", 1), ("records", 2), ("", 0)]


@pytest.mark.parametrize(("step", "part"), STEPS)
def test_killed_at_any_instant_and_resumed_it_ends_the_same(workspace, monkeypatch, step, part):
    rows = [
        Example(prompt=f"who{n} keeps{n} it{n}?", reference=f"warden{n} keeps it{n}")
        for n in range(25)
    ]
    write_jsonl(workspace.root / "mine.jsonl", [*rows, rows[3].model_copy(update={"kind": "x"})])
    monkeypatch.setattr("prefkit.slices.SIZE", 1000)
    plan = plan_clean("mine.jsonl", CleanConfig(), workspace)
    assert len(plan.slices) > 3
    whole = run_clean(plan, Settings(workspace, workers=1))
    script = (
        "import os, signal\n"
        "from prefkit import runs, slices\n"
        "from prefkit.engine import flow\n"
        "slices.SIZE = 1000\n"
        "make, finish, count = flow._task, runs.Run.finish, [0]\n"
        "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "def dies(function, entry, shared, out):\n"
        f"    count[0] += out.name.startswith('{step}.')\n"
        f"    if count[0] == {part or -1}: die()\n"
        "    make(function, entry, shared, out)\n"
        "flow._task = dies\n"
        "runs.Run.finish = lambda *rest, **named: die()\n"
        "from prefkit.cli import main\n"
        "main(['clean', 'mine.jsonl', '--workers', '1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    settings = Settings(workspace, resume="last", workers=1)
    resumed = run_clean(plan_clean("mine.jsonl", CleanConfig(), workspace), settings)
    assert resumed.manifest.resumed == 1
    for file in ("data/examples/train.jsonl", "data/examples/test.jsonl", "dropped.jsonl"):
        assert (resumed.path / file).read_bytes() == (whole.path / file).read_bytes()
    assert not (resumed.path / "work").exists()
    again = run_clean(plan_clean("mine.jsonl", CleanConfig(), workspace), settings_of(resumed))
    assert read_manifest(again.path).status == "finished"


def settings_of(run):
    return Settings(resume=str(run.path))


def test_a_rule_of_the_user_that_changed_cannot_be_resumed_into(workspace):
    generated(workspace)
    rule = workspace.root / "mine.py"
    rule.write_text("def no_alder(row):\n    return 'Alder' if 'Alder' in row.question else None\n")
    config = CleanConfig(rules={"no-alder": "mine.py:no_alder"})
    plan = plan_clean("@generate", config, workspace)
    run = run_clean(plan, Settings(workspace))
    assert run.manifest.dropped["no-alder"] == 2
    (plugin,) = run.manifest.plugins
    assert (plugin["kind"], plugin["name"]) == ("rule", "no-alder")
    rule.write_text("def no_alder(row):\n    return None\n")
    assert plan_clean("@generate", config, workspace).digest() != plan.digest()


def test_a_rule_that_fails_is_named_and_stops_or_is_counted(workspace, capsys):
    generated(workspace)
    (workspace.root / "mine.py").write_text("def broken(row):\n    return 1 / 0\n")
    with workspace.config_file.open("a") as file:
        file.write('[clean.rules]\nbroken = "mine.py:broken"\n')
    code, _, err = command(capsys, "@generate")
    assert (code, "broken: ZeroDivisionError" in err) == (1, True)
    code, out, _ = command(capsys, "@generate", "--on-rule-error", "count", "--json")
    assert code == 0
    manifest = json.loads(out)
    assert sum(manifest["outputs"].values()) == 10
    assert manifest["totals"]["flagged_rule-failed"] == 10


def test_a_full_disk_is_one_error_and_the_run_goes_on_when_there_is_room(workspace):
    rows = [Example(prompt=f"who{n} keeps{n} it{n}?", reference=f"warden{n}.") for n in range(400)]
    write_jsonl(workspace.root / "mine.jsonl", rows)
    config = CleanConfig(skip_rules=("too-short",))
    whole = run_clean(plan_clean("mine.jsonl", config, workspace), Settings(workspace))
    script = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "from prefkit.cli import main\n"
        "main(['clean', 'mine.jsonl', '--skip-rule', 'too-short'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Error: File too large" in done.stderr
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr
    resumed = run_clean(
        plan_clean("mine.jsonl", config, workspace), Settings(workspace, resume="last")
    )
    assert resumed.manifest.resumed == 1
    file = "data/examples/train.jsonl"
    assert (resumed.path / file).read_bytes() == (whole.path / file).read_bytes()
