import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from handled import critic, generate, planned

from prefkit import runs
from prefkit.config import CandidatesConfig
from prefkit.generation.candidates import plan_candidates, run_candidates
from prefkit.records import Example, user
from prefkit.storage import write_jsonl

BOOK = {"contexts": ("closed-book",), "constitution": "domain"}


@pytest.fixture
def generated(documents, workspace, scripted, monkeypatch):
    return generate(documents, workspace, scripted(), monkeypatch)


def test_many_units_in_flight_are_interrupted_and_end_with_the_same_bytes(
    workspace, chat_server, tmp_path, monkeypatch
):
    chat_server.reply = critic
    asked = [Example(prompt=user(f"How much, number {n}?"), reference="Four.") for n in range(40)]
    write_jsonl(tmp_path / "own.jsonl", asked)
    fields = {
        **{"model": "openai:tiny", "base_url": chat_server.url, "probe": False},
        **{"models": ("openai:other",), "best_of": 4, "keep": 2, **BOOK},
    }
    monkeypatch.setenv("OPENAI_BASE_URL", chat_server.url)
    plan = plan_candidates(str(tmp_path / "own.jsonl"), CandidatesConfig(**fields), workspace)
    assert len(plan.units()) == 15
    record, done = runs.Run.record, []

    def interrupted(self, unit, *args, **kwargs):
        if len(done) in (4, 8, 13) and done[-1] != "again":
            done.append("again")
            raise KeyboardInterrupt
        done.append(unit)
        record(self, unit, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "record", interrupted)
        resume = None
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                run_candidates(plan, runs.Settings(workspace, resume=resume))
            resume = "last"
    resumed = run_candidates(plan, runs.Settings(workspace, resume="last"))
    whole = run_candidates(plan, runs.Settings(workspace))
    assert resumed.manifest.resumed == 3
    for name in ("data/candidates.jsonl", "data/judgments.jsonl", "dropped.jsonl"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
import prefkit.chat.endpoint
from prefkit.config import CandidatesConfig
from prefkit.generation.candidates import plan_candidates, run_candidates
from prefkit.runs import Run, Settings
from prefkit.workspace import Workspace

record, done = Run.record, []

def dying(self, unit, *args, **kwargs):
    if len(done) == {units}:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(unit)
    record(self, unit, *args, **kwargs)

Run.record = dying
space = Workspace.find()
plan = plan_candidates("@generate", CandidatesConfig(**{config!r}), space)
run_candidates(plan, Settings(space))
"""


@pytest.mark.parametrize("units", [1, 2])
def test_killed_before_each_step_and_resumed_gives_the_same_bytes_and_pays_once(
    generated, workspace, chat_server, units
):
    chat_server.reply = critic
    fields = {
        **{"model": "openai:tiny", "base_url": chat_server.url, "probe": False},
        **{"best_of": 6, "keep": 3, "constitution": "domain"},
    }
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    script = textwrap.dedent(KILLED.format(units=units, config=fields, paths=paths))
    environment = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=workspace.root, check=False, env=environment
    )
    assert done.returncode == -signal.SIGKILL
    plan = planned(workspace, chat_server, **fields)
    resumed = run_candidates(plan, runs.Settings(workspace, resume="last"))
    asked = len(chat_server.asked)
    assert len({str(one.body) for one in chat_server.asked}) == asked  # nothing was paid twice
    whole = run_candidates(plan, runs.Settings(workspace))
    assert resumed.manifest.resumed == 1
    for name in ("data/candidates.jsonl", "data/judgments.jsonl", "dropped.jsonl"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert len(plan.units()) == 3
