"""A run that is stopped at any instant and resumed ends as one that never was."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_train_losses import config_for, metrics

from prefkit.manifest import read_manifest
from prefkit.runs import Run, Settings
from prefkit.training.run import plan_train, run_train

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]

TIMINGS = ("tokens_per_second",)
STEPS = 8


def outcome(folder: Path) -> tuple[bytes, list[dict], str]:
    """What must not depend on interruptions: weights, figures, metrics without timings."""
    lines = [{k: v for k, v in m.items() if k not in TIMINGS} for m in metrics(folder)]
    weights = (folder / "adapter" / "adapter_model.safetensors").read_bytes()
    return weights, lines, (folder / "held_out.json").read_text()


def config(tiny_model):
    return config_for(tiny_model, max_steps=STEPS, save_steps=2, lora_dropout=0.1)


@pytest.fixture
def whole(workspace, records_file, tiny_model):
    """An uninterrupted run, as folder; and a plan for the same."""
    plan = plan_train(str(records_file("pairs")), "dpo", config(tiny_model), workspace)
    out = workspace.root / "whole"
    return run_train(plan, Settings(workspace, out=out)).path, plan


def test_an_interruption_at_any_line_then_resume_gives_the_same_run(whole, workspace, monkeypatch):
    expected, plan = whole
    count = len(metrics(expected))
    log_metrics = Run.log_metrics
    for last in (1, 2, 6, count - 1, count):
        written = 0

        def interrupted(self, _last=last, **values):
            nonlocal written
            log_metrics(self, **values)
            written += 1
            if written == _last:
                raise KeyboardInterrupt

        out = workspace.root / f"stopped-{last}"
        with monkeypatch.context() as patch:
            patch.setattr(Run, "log_metrics", interrupted)
            with pytest.raises(KeyboardInterrupt) as stopped:
                run_train(plan, Settings(workspace, out=out))
        assert read_manifest(out).status == "interrupted"
        assert f"prefkit-run: {out}" in stopped.value.__notes__
        run = run_train(plan, Settings(workspace, resume=str(out)))
        assert outcome(run.path) == outcome(expected)
        assert run.manifest.status == "finished"
        assert run.manifest.totals == read_manifest(expected).totals


def stop(process: subprocess.Popen, out: Path, lines: int, sent: int) -> None:
    """Send a signal as soon as `metrics.jsonl` has so many lines."""
    file = out / "metrics.jsonl"
    while process.poll() is None:
        if file.exists() and file.read_bytes().count(b"\n") >= lines:
            break
        time.sleep(0.001)
    os.kill(process.pid, sent)
    process.wait()


def hear_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job of a shell ignores it


@pytest.fixture
def started(workspace, tiny_model, tmp_path):
    """Starts the command that `config` describes, in a process of its own."""

    def start(out: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "prefkit", "train-dpo", str(tmp_path / "pairs.jsonl")]
        command += ["--model", str(tiny_model), "--lora-r", "8", "--lora-alpha", "16"]
        command += ["--learning-rate", "1e-3", "--max-steps", str(STEPS), "--save-steps", "2"]
        command += ["--lora-dropout", "0.1", "--out", str(out)]
        with (workspace.root / "said.txt").open("w") as said:
            return subprocess.Popen(
                command,
                cwd=workspace.root,
                stdout=subprocess.DEVNULL,
                stderr=said,
                preexec_fn=hear_ctrl_c,
            )

    return start


@pytest.mark.parametrize("lines", [1, 5, 8])
def test_sigkill_then_resume_gives_the_same_run(whole, workspace, started, lines):
    expected, plan = whole
    out = workspace.root / "killed"
    stop(started(out), out, lines, signal.SIGKILL)
    assert read_manifest(out).status == "running"
    run = run_train(plan, Settings(workspace, resume=str(out)))
    assert outcome(run.path) == outcome(expected)


def test_ctrl_c_exits_130_and_says_how_to_go_on(whole, workspace, started):
    expected, plan = whole
    out = workspace.root / "stopped"
    process = started(out)
    stop(process, out, 4, signal.SIGINT)
    said = (workspace.root / "said.txt").read_text()
    assert process.returncode == 130
    assert f"Interrupted. Continue with the same command and `--resume {out}`." in said
    assert "Traceback" not in said
    run = run_train(plan, Settings(workspace, resume=str(out)))
    assert outcome(run.path) == outcome(expected)


def test_a_torn_newest_checkpoint_is_passed_over(whole, workspace, monkeypatch):
    expected, plan = whole
    from prefkit.training import trainer

    out = workspace.root / "torn"

    def killed(checkpoint):
        if checkpoint.name == "checkpoint-6":
            (checkpoint / "optimizer.pt").write_bytes(b"half")
            raise KeyboardInterrupt
        mark(checkpoint)

    mark = trainer.mark_whole
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "mark_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            run_train(plan, Settings(workspace, out=out))
    run = run_train(plan, Settings(workspace, resume=str(out)))
    assert outcome(run.path) == outcome(expected)
    assert "checkpoint-6 was cut short" in (out / "run.log").read_text()


def test_a_finished_run_is_left_alone(whole, workspace):
    expected, plan = whole
    before = json.loads((expected / "manifest.json").read_text())
    run = run_train(plan, Settings(workspace, resume=str(expected)))
    assert run.manifest.status == "finished"
    assert json.loads((expected / "manifest.json").read_text()) == before
