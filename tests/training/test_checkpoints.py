import json

import pytest

from prefkit.training.checkpoints import cut_metrics, is_whole, mark_whole, newest_whole, step_of


@pytest.fixture
def run(tmp_path):
    for step in (2, 4, 10):
        folder = tmp_path / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        (folder / "optimizer.pt").write_bytes(b"moments")
        mark_whole(folder)
    return tmp_path


def test_the_newest_checkpoint_is_the_one_with_the_highest_step(run):
    assert step_of(newest_whole(run)) == 10


@pytest.mark.parametrize("harm", ["no marker", "short file", "missing file", "torn marker"])
def test_a_torn_checkpoint_gives_way_to_the_one_before(run, harm):
    newest = run / "checkpoints" / "checkpoint-10"
    if harm == "no marker":
        (newest / "whole.json").unlink()
    elif harm == "short file":
        (newest / "optimizer.pt").write_bytes(b"mom")
    elif harm == "missing file":
        (newest / "optimizer.pt").unlink()
    else:
        (newest / "whole.json").write_text('{"optim')
    assert not is_whole(newest)
    assert step_of(newest_whole(run)) == 4


def test_without_a_checkpoint_training_starts_at_step_0(tmp_path):
    assert newest_whole(tmp_path) is None
    assert step_of(None) == 0


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_resuming_cuts_what_will_be_written_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    written = [
        {"step": 0, "phase": "before"},
        {"step": 1, "phase": "train"},
        {"step": 2, "phase": "train"},
        {"step": 2, "phase": "held-out"},
        {"step": 3, "phase": "train"},
        {"step": 3, "phase": "after"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in written) + '{"step": 4, "pha')
    cut_metrics(path, 2, {"before"})
    assert lines(path) == written[:4]


def test_an_unfinished_measurement_is_made_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0, "phase": "before"}\n')
    cut_metrics(path, 0, set())
    assert lines(path) == []
    cut_metrics(tmp_path / "none.jsonl", 0, set())
