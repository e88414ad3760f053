"""The steps on Ray: the same bytes as one process, and each text embedded once."""

import os
import subprocess
import sys

import planted
import pytest

from prefkit.cli import main
from prefkit.storage import write_jsonl

pytestmark = pytest.mark.cluster

EMBEDDER = """
import pathlib, zlib

def encode(texts):
    with (pathlib.Path(__file__).parent / "asked.txt").open("a") as file:
        file.write("".join(f"{text}\\n" for text in texts))
    rows = []
    for text in texts:
        row = [0.0] * 64
        for word in text.lower().strip("?").split():
            row[zlib.crc32(word.encode()) % 64] += 1
        rows.append(row)
    return rows
"""


def test_ray_and_one_process_write_the_same_bytes_and_embed_once(workspace):
    (workspace.root / "mine.py").write_text(EMBEDDER)
    write_jsonl(workspace.root / "rows.jsonl", planted.examples())
    arguments = ["clean", "rows.jsonl", "--semantic", "0.7", "--embedder", "mine.py:encode", "-q"]
    arguments += ["--split-by", "example", "--near-duplicates", "0.95"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--out", "local"])
    assert stop.value.code == 0
    (workspace.root / "asked.txt").unlink()
    command = [sys.executable, "-m", "prefkit", *arguments, "--out", "ray", "--engine", "ray"]
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, env=environment)
    assert done.returncode == 0, done.stderr
    asked = (workspace.root / "asked.txt").read_text().splitlines()
    assert sorted(asked) == sorted(record.prompt[0].content for record in planted.examples())
    for split in ("train", "test"):
        local, ray = (
            (workspace.root / name / "data" / "examples" / f"{split}.jsonl").read_bytes()
            for name in ("local", "ray")
        )
        assert local == ray
    assert (
        b"semantic-duplicate"
        in (workspace.root / "ray" / "data" / "examples" / "train.jsonl").read_bytes()
        + (workspace.root / "ray" / "data" / "examples" / "test.jsonl").read_bytes()
    )
