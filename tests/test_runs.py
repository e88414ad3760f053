import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cards import features
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input, read_manifest
from prefkit.records import Dropped, Example, PreferencePair, user
from prefkit.runs import Plan, Run, Settings

UNITS = [f"unit-{number}" for number in range(6)]


def example(unit):
    return Example(prompt=user(f"What is {unit}?"), reference=f"{unit} is a unit.")


def work(run, units):
    for unit in run.pending(units):
        drop = Dropped(record_id=unit, stage="clean", rule="odd") if unit[-1] in "135" else None
        run.record(unit, {"examples": [example(unit)]}, [drop] if drop else [], {"tokens": 2})


def plan(**config):
    return Plan("clean", CleanConfig(**config))


def contents(run):
    names = ("data/examples.jsonl", "dropped.jsonl")
    return {name: (run.path / name).read_bytes() for name in names}


def test_a_finished_run_holds_its_records_counts_and_card(workspace):
    with Run.start(plan(), Settings(workspace)) as run:
        work(run, UNITS)
        run.finish(UNITS, card="Made by a test.")
    manifest = read_manifest(run.path)
    assert manifest.status == "finished"
    assert manifest.outputs == {"examples": 6}
    assert manifest.dropped == {"odd": 3}
    assert manifest.totals == {"tokens": 12}
    assert not (run.path / "journal.jsonl").exists()
    card = (run.path / "README.md").read_text()
    assert "Made by a test." in card
    assert card.startswith("---\n")
    assert workspace.stream("@clean", "examples") == [run.path / "data/examples.jsonl"]


@settings(max_examples=25)
@given(cut=st.integers(0, 5), torn=st.integers(0, 40), order=st.permutations(UNITS))
def test_resume_ends_with_the_bytes_of_an_uninterrupted_run(workspace, cut, torn, order):
    with Run.start(plan(), Settings(workspace)) as whole:
        work(whole, UNITS)
        whole.finish(UNITS)
    with pytest.raises(KeyboardInterrupt), Run.start(plan(), Settings(workspace)) as first:
        work(first, order[:cut])
        raise KeyboardInterrupt
    assert read_manifest(first.path).status == "interrupted"
    if torn:
        with (first.path / "journal.jsonl").open("ab") as file:
            file.write(
                json.dumps({"unit": order[cut], "records": {"examples": []}})[:torn].encode()
            )
    with Run.start(plan(), Settings(workspace, resume=str(first.path))) as second:
        assert set(second.pending(UNITS)) == set(UNITS) - set(order[:cut])
        work(second, UNITS)
        second.finish(UNITS)
    assert contents(second) == contents(whole)
    assert read_manifest(second.path).totals == read_manifest(whole.path).totals


def test_a_killed_run_resumes_without_loss_or_repeat(workspace):
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_runs import UNITS, Run, Settings, plan, work
        with Run.start(plan(), Settings()) as run:
            work(run, UNITS[:3])
            print(run.path, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=workspace.root, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Run.start(plan(), Settings(workspace, resume="last")) as run:
        assert str(run.path) == done.stdout.strip()
        assert run.pending(UNITS) == UNITS[3:]
        work(run, UNITS)
        run.finish(UNITS)
    assert read_manifest(run.path).outputs == {"examples": 6}


def test_resume_refuses_other_settings_and_names_them(workspace):
    with pytest.raises(KeyboardInterrupt), Run.start(plan(), Settings(workspace)) as run:
        raise KeyboardInterrupt
    with pytest.raises(PrefkitError, match=r"config\.test_share: 0\.25 -> 0\.5"):
        Run.start(plan(test_share=0.5), Settings(workspace, resume=run.path.name))
    data = workspace.root / "in.jsonl"
    data.write_text("{}\n")
    other = Plan("clean", CleanConfig(), (Input.of(data, workspace),))
    with pytest.raises(PrefkitError, match="inputs"):
        Run.start(other, Settings(workspace, resume=run.path.name))
    with pytest.raises(PrefkitError, match="not a pairs run"):
        Run.start(Plan("pairs", CleanConfig()), Settings(workspace, resume=run.path.name))


def test_a_folder_with_files_and_a_run_in_use_are_refused(workspace):
    (workspace.root / "taken").mkdir()
    (workspace.root / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(PrefkitError, match="not an empty folder"):
        Run.start(plan(), Settings(workspace, out=workspace.root / "taken"))
    with Run.start(plan(), Settings(workspace)) as run:
        with pytest.raises(PrefkitError, match="another process"):
            Run.start(plan(), Settings(workspace, resume=str(run.path)))
        run.finish()


def test_a_failed_run_says_why_and_is_not_found_by_stage(workspace):
    with pytest.raises(RuntimeError), Run.start(plan(), Settings(workspace)) as run:
        raise RuntimeError("the disk sang")
    assert read_manifest(run.path).status == "failed"
    assert "the disk sang" in read_manifest(run.path).error
    assert "the disk sang" in (run.path / "run.log").read_text()
    with pytest.raises(PrefkitError, match="no finished clean run"):
        workspace.run_folder("@clean")


def test_every_column_of_a_record_is_declared_for_datasets():
    declared = {entry["name"]: entry for entry in features(PreferencePair)}
    assert set(declared) == set(PreferencePair.model_fields)
    assert declared["margin"] == {"name": "margin", "dtype": "float64"}
    assert [turn["name"] for turn in declared["prompt"]["list"]] == ["role", "content"]


def test_load_dataset_reads_a_run_folder_offline(workspace):
    rows = [
        Example(prompt=user("q1"), reference="a", metadata={"one": "1"}),
        Example(prompt=user("q2"), reference="b", metadata={"two": "2"}, split="test"),
    ]
    with Run.start(plan(), Settings(workspace)) as run:
        run.record("a", {"examples/train": rows[:1], "examples/test": rows[1:]})
        run.finish(["a"])
    script = (
        "import datasets, sys\n"
        "d = datasets.load_dataset(sys.argv[1], 'examples')\n"
        "print(d['train'][0]['reference'], d['test'][0]['prompt'][0]['content'])\n"
    )
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(workspace.root / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(run.path)], capture_output=True, text=True, env=environ
    )
    assert done.stdout.strip() == "a q2", done.stderr
