"""What `prefkit leakage` says of records and sets that are not as they should be."""

import json
import os
import signal
import subprocess
import sys

import pytest

from prefkit.cli import main

QUESTION = "How many sheep does the farmer have left in the morning after all but nine run away?"
GOOD = {"prompt": "A question of some kind", "reference": "r"}
FOUND = {"prompt": QUESTION, "reference": "nine"}
SET = {"question": QUESTION, "answer": "nine"}


def write(workspace, name, *rows):
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (workspace.root / name).write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def files(workspace):
    write(workspace, "t.jsonl", GOOD, FOUND)
    write(workspace, "s.jsonl", SET)
    return workspace


def leakage(capsys, *arguments, source="t.jsonl", against="s.jsonl"):
    with pytest.raises(SystemExit) as stop:
        main(["leakage", source, "--against", against, "--json", *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return stop.value.code, json.loads(out) if out else None, err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": None, "reference": "x"}, "t.jsonl:2: `prompt`"),
        ({"reference": "x"}, "t.jsonl:2: `prompt`: Field required"),
        ({"prompt": 5, "reference": "x"}, "t.jsonl:2: `prompt`"),
        ({"prompt": {"a": 1}, "reference": "x"}, "t.jsonl:2: `prompt`"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "t.jsonl:2: `reference`"),
        ({"prompt": "q\ud800", "reference": "x"}, "t.jsonl:2: `prompt`: half a character"),
        ("{broken", "t.jsonl:2: not valid JSON"),
        ("[1]", "t.jsonl:2: expected a JSON object"),
        (f'{{"prompt": {"[" * 100_000}{"]" * 100_000}}}', "t.jsonl:2: not valid JSON: nested"),
    ],
)
def test_a_bad_training_record_is_one_error_that_names_file_line_and_field(
    files, capsys, row, says
):
    write(files, "t.jsonl", GOOD, row)
    code, _, err = leakage(capsys)
    assert (code, says in err) == (1, True)
    assert len(err.strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.jsonl", b"", "t.jsonl: holds no examples"),
        ("t.jsonl", b"\n \n", "t.jsonl: holds no examples"),
        ("s.jsonl", b"", "s.jsonl: holds no row"),
        ("s.jsonl", b'{"question": 5}', "s.jsonl: no text in any of 1 rows"),
        ("s.jsonl", b'{"question": "a\\ud800"}', "s.jsonl:1: `question`: half a character"),
        ("s.jsonl", b'{"question": "a"}\n{"other": "b"}', "s.jsonl:2: no column that is known"),
        ("s.csv", b'question\n"open', "s.csv:2: not valid CSV"),
        ("s.csv", b"question\n\xff\xfe", "s.csv:2: not UTF-8"),
        ("s.json", b"{}", "s.json: expected a JSON array"),
        ("s.parquet", b"x", "s.parquet: cannot be read as parquet"),
    ],
)
def test_a_file_without_records_is_one_error(files, capsys, name, text, says):
    (files.root / name).write_bytes(text)
    against = name if name.startswith("s") else "s.jsonl"
    code, _, err = leakage(capsys, against=against)
    assert code in (1, 2)
    assert says in err


def test_empty_texts_one_text_many_times_and_long_ones_are_no_trouble(files, capsys):
    long = {"prompt": "word " * 2_100_000 + QUESTION, "reference": "x"}
    write(files, "t.jsonl", {"prompt": "", "reference": "x"}, *[FOUND] * 3000, long)
    write(files, "s.jsonl", *[SET] * 3000, {"question": ""})
    code, made, _ = leakage(capsys)
    [found] = made["results"]["sets"]
    assert code == 3
    assert (found["items"], found["unchecked"], found["contaminated"]) == (2, 1, 1)
    assert made["outputs"]["hits"] == 3001


def run_as(script):
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return done


COMMAND = "['leakage', 't.jsonl', '--against', 's.jsonl', '--out', 'run']"


def same_as_a_whole_run(files, capsys):
    assert leakage(capsys, "--resume", "run")[0] == 3
    leakage(capsys, "--out", "whole")
    for name in ("data/hits.jsonl", "leakage.json", "contaminated.txt"):
        one, other = (files.root / run / name for run in ("run", "whole"))
        assert one.read_bytes() == other.read_bytes()


def test_killed_and_resumed_it_ends_the_same(files, capsys):
    done = run_as(
        "import os, signal\n"
        "from prefkit.leakage import run\n"
        "run.verdicts = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from prefkit.cli import main\n"
        f"main({COMMAND})\n"
    )
    assert done.returncode == -signal.SIGKILL
    same_as_a_whole_run(files, capsys)


def test_a_full_disk_is_one_error_and_the_run_can_be_resumed(files, capsys):
    write(files, "t.jsonl", *[FOUND] * 500)
    done = run_as(
        "import resource, signal\n"
        "from prefkit.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))\n"
        f"main({COMMAND})\n"
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    same_as_a_whole_run(files, capsys)


@pytest.mark.parametrize("changed", ["t.jsonl", "s.jsonl"])
def test_inputs_that_changed_are_not_resumed(files, capsys, changed):
    leakage(capsys, "--out", "run")
    (files.root / changed).write_text(json.dumps(GOOD | SET))
    code, _, err = leakage(capsys, "--resume", "run")
    assert (code, "cannot be resumed" in err) == (1, True)
