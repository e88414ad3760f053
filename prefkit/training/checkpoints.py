"""Which checkpoints are whole, and which lines of `metrics.jsonl` belong to one.

transformers writes a checkpoint file by file under its final name, so a kill can leave half of
one. We write a marker with the size of every file last; without it a checkpoint does not count.
"""

import json
import logging
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

from prefkit.storage import write_json, write_text

log = logging.getLogger(__name__)

FOLDER: Final = "checkpoints"
MARKER: Final = "whole.json"
PREFIX: Final = "checkpoint-"


def mark_whole(checkpoint: Path) -> None:
    """Record that every file of a checkpoint is written."""
    write_json(checkpoint / MARKER, _sizes(checkpoint))


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint has its marker and every file the marker names, at its size."""
    try:
        marker = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(marker) and marker == _sizes(checkpoint)


def newest_whole(run: Path) -> Path | None:
    """The latest checkpoint of a run that training can go on from, if any."""
    found = [p for p in (run / FOLDER).glob(f"{PREFIX}*") if p.name[len(PREFIX) :].isdigit()]
    for checkpoint in sorted(found, key=step_of, reverse=True):
        if is_whole(checkpoint):
            return checkpoint
        log.warning("%s was cut short; falling back to the one before", checkpoint.name)
    return None


def step_of(checkpoint: Path | None) -> int:
    """The optimizer step a checkpoint was written after; 0 without one."""
    return int(checkpoint.name.removeprefix(PREFIX)) if checkpoint else 0


def is_last(checkpoint: Path) -> bool:
    """Whether nothing was left to train after a checkpoint."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return state["global_step"] >= state["max_steps"]


def cut_metrics(path: Path, step: int, measured: Container[str]) -> None:
    """Keep the lines of `metrics.jsonl` that a resumed run will not write again.

    Args:
        path: The file; it need not exist.
        step: Training goes on after this step.
        measured: Phases (`before`, `after`) whose held-out measurement is complete.
    """
    if not path.exists():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    kept = [line for line in kept if _stays(line, step, measured)]
    write_text(path, "".join(f"{line}\n" for line in kept))


def _stays(line: str, step: int, measured: Container[str]) -> bool:
    try:
        value: dict[str, Any] = json.loads(line)  # numbers and words
    except ValueError:  # torn by a kill
        return False
    phase = value.get("phase")
    return phase in measured if phase in ("before", "after") else value.get("step", 0) <= step


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = (path for path in sorted(checkpoint.rglob("*")) if path.is_file())
    return {
        path.relative_to(checkpoint).as_posix(): path.stat().st_size
        for path in files
        if path.name != MARKER
    }
