"""What `prefkit clean` does with bad input and bad luck: one error that says where, or a drop."""

import errno
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefkit.cleaning.clean import clean
from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.cli import main
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import read_manifest
from prefkit.records import Dropped, Example, PreferencePair
from prefkit.runs import Settings
from prefkit.storage import read_records, write_jsonl

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel")
GOOD = [{"prompt": f"Who keeps {n}?", "reference": f"The warden of {n} does."} for n in NAMES]
FILES = ("data/examples/train.jsonl", "data/examples/test.jsonl", "dropped.jsonl")
SURROGATE = "half a character (U+D800)"
NINES = "9" * 5000


def lines(*rows):
    rows = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in (*GOOD, *rows)]
    return b"\n".join(rows) + b"\n"


def sheet(*rows, head="prompt,reference,note"):
    good = [f"{row['prompt']},{row['reference']},\r\n".encode() for row in GOOD]
    return head.encode() + b"\r\n" + b"".join([*good, *rows])


def array(*rows):
    return json.dumps([*GOOD, *rows]).encode()


def parquet(*rows, columns=None):
    table = pa.Table.from_pylist([*GOOD, *rows]) if columns is None else pa.table(columns)
    held = io.BytesIO()
    pq.write_table(table, held)
    return held.getvalue()


def not_utf8():
    texts = pa.array([row["prompt"].encode() for row in GOOD[:7]] + [b"Who \xff?"])
    prompts = pa.Array.from_buffers(pa.string(), 8, texts.buffers())
    return parquet(columns={"prompt": prompts, "reference": [row["reference"] for row in GOOD]})


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["clean", *arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


BAD = {
    "null prompt": ("m.jsonl", lines({"prompt": None, "reference": "a b"}), "m.jsonl:9: `prompt`"),
    "no reference": ("m.jsonl", lines({"prompt": "a b"}), "m.jsonl:9: `reference`"),
    "nested": ("m.jsonl", lines({"prompt": {"a": 1}, "reference": "a b"}), "m.jsonl:9: `prompt`"),
    "deep in a turn": (
        "m.jsonl",
        lines({"prompt": [{"role": "user", "content": {"a": 1}}], "reference": "a b"}),
        "m.jsonl:9: `prompt.0.content`",
    ),
    "unknown role": (
        "m.jsonl",
        lines({"prompt": [{"role": "robot", "content": "a"}], "reference": "a b"}),
        "m.jsonl:9: `prompt.0.role`",
    ),
    "mixed types": ("m.jsonl", lines({"prompt": 3, "reference": ["a"]}), "m.jsonl:9: `prompt`"),
    "no turns": ("m.jsonl", lines({"prompt": [], "reference": "a b"}), "m.jsonl:9: `prompt`"),
    "half a character": (
        "m.jsonl",
        lines({"prompt": "a \ud800?", "reference": "b c"}),
        f"m.jsonl:9: `prompt`: {SURROGATE}",
    ),
    "half in a note": (
        "m.jsonl",
        lines({"prompt": "a?", "reference": "b c", "note": {"x": ["\ud800"]}}),
        f"m.jsonl:9: `note`: {SURROGATE}",
    ),
    "half in a name": (
        "m.jsonl",
        lines({"prompt": "a?", "reference": "b c", "\ud800": 1}),
        rf"m.jsonl:9: `\ud800`: {SURROGATE}",
    ),
    "half in raw bytes": (
        "m.jsonl",
        lines(b'{"prompt": "a \xed\xa0\x80", "reference": "b c"}'),
        "m.jsonl:9: not UTF-8 (byte 14",
    ),
    "NUL in raw bytes": (
        "m.jsonl",
        lines(b'{"prompt": "a \x00", "reference": "b c"}'),
        "m.jsonl:9: not valid JSON",
    ),
    "torn last line": ("m.jsonl", lines(b'{"prompt": "a b", "refe'), "m.jsonl:9: not valid JSON"),
    "endless number": (
        "m.jsonl",
        lines(f'{{"prompt": "a", "reference": "b c", "n": {NINES}}}'.encode()),
        "m.jsonl:9: not valid JSON: a number too long",
    ),
    "nested without end": (
        "m.jsonl",
        lines(b'{"prompt": "a", "n": ' + b"[" * 99_999 + b"]" * 99_999 + b"}"),
        "m.jsonl:9: not valid JSON: nested too deeply",
    ),
    "UTF-16": ("m.jsonl", lines().decode().encode("utf-16"), "`iconv -f UTF-16"),
    "compressed": ("m.jsonl", b"\x1f\x8b\x08" + os.urandom(90), "`gunzip -c m.jsonl"),
    "csv null": ("m.csv", sheet(b",a b c,\r\n"), "m.csv:10: `prompt`"),
    "csv short row": ("m.csv", sheet(b"only\r\n"), "m.csv:10: `reference`"),
    "csv long row": ("m.csv", sheet(b"a,b c,d,e\r\n"), "m.csv:10: 4 cells, but the header names 3"),
    "csv bytes": ("m.csv", sheet(b"a,b\xff c,d\r\n"), "m.csv:10: not UTF-8 (byte 3"),
    "csv row of two lines": ("m.csv", sheet(b'"a\r\nb",c d,\r\nbad\r\n'), "m.csv:12: `reference`"),
    "csv torn quote": ("m.csv", sheet(b'a,"b c\r\nd,e f,\r\n'), "m.csv:10: not valid CSV"),
    "csv twins": ("m.csv", sheet(head="prompt,prompt,reference"), "2 columns are called `prompt`"),
    "csv no header": ("m.csv", sheet(head="Who?,The warden.,"), "m.csv:2: `prompt`"),
    "json null": ("m.json", array({"prompt": None, "reference": "a b"}), "m.json:9: `prompt`"),
    "json mixed rows": ("m.json", array(3), "m.json:9: expected a JSON object, found int"),
    "json half": (
        "m.json",
        array({"prompt": "\ud800", "reference": "a b"}),
        f"m.json:9: `prompt`: {SURROGATE}",
    ),
    "json torn": ("m.json", array()[:-9], "m.json: cannot be read as json"),
    "json object": ("m.json", b'{"data": []}', "expected a JSON array of objects, found dict"),
    "json deep": ("m.json", b"[" * 99_999, "m.json: cannot be read as json: nested too deeply"),
    "json UTF-16": ("m.json", array().decode().encode("utf-16"), "m.json: not UTF-8 (byte 0)"),
    "parquet null": (
        "m.parquet",
        parquet({"prompt": None, "reference": "a b"}),
        "m.parquet:9: `prompt`",
    ),
    "parquet types": (
        "m.parquet",
        parquet(columns={"prompt": [1, 2], "reference": ["a b", "c d"]}),
        "m.parquet:1: `prompt`",
    ),
    "parquet column": ("m.parquet", parquet(columns={"prompt": ["a"]}), "m.parquet:1: `reference`"),
    "parquet bytes": ("m.parquet", not_utf8(), "m.parquet:8: `prompt`: not UTF-8 (byte 4"),
    "parquet torn": ("m.parquet", parquet()[:-20], "m.parquet: cannot be read as parquet"),
    "parquet page": (
        "m.parquet",
        parquet()[:30] + bytes(60) + parquet()[90:],
        "m.parquet: cannot be read as parquet",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_is_one_error_that_names_file_row_and_field(workspace, capsys, fault):
    name, data, says = BAD[fault]
    (workspace.root / name).write_bytes(data)
    code, out, err = command(capsys, name)
    assert (code, out) == (1, "")
    assert says in err
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    assert not workspace.runs.exists()


@pytest.mark.parametrize(
    "fault",
    [name for name in BAD if ":9: " in BAD[name][2] or ":10: " in BAD[name][2]] + ["parquet bytes"],
)
def test_a_bad_row_can_go_with_its_place_and_reason(workspace, fault):
    name, data, says = BAD[fault]
    (workspace.root / name).write_bytes(data)
    config = CleanConfig(bad_rows="drop", test_share=0)
    run = run_clean(plan_clean(name, config, workspace), Settings(workspace))
    (drop,) = read_records(run.path / "dropped.jsonl", Dropped)
    assert drop.rule == "malformed"
    assert says.startswith(f"{drop.record_id}: ")
    assert says.removeprefix(f"{drop.record_id}: ") in drop.detail


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.jsonl", b"\xef\xbb\xbf" + lines()),
        ("m.jsonl", lines().replace(b"\n", b"\r\n")),
        ("m.jsonl", lines().replace(b"\n", b"\n\n").rstrip()),
        ("m.csv", b"\xef\xbb\xbf" + sheet()),
        ("m.csv", sheet().replace(b"\r\n", b"\n").rstrip()),
        ("m.json", b"\xef\xbb\xbf" + array()),
        ("m.parquet", parquet()),
    ],
)
def test_marks_and_line_ends_of_other_systems_change_nothing(workspace, name, data):
    write_jsonl(workspace.root / "plain.jsonl", [Example(**row) for row in GOOD])
    (workspace.root / name).write_bytes(data)
    made = [
        run_clean(plan_clean(file, CleanConfig(), workspace), Settings(workspace)).path
        for file in ("plain.jsonl", name)
    ]
    for file in FILES[:2]:
        assert (made[0] / file).read_bytes() == (made[1] / file).read_bytes()


def test_csv_is_cut_between_rows_and_its_lines_are_counted_through(workspace, monkeypatch):
    monkeypatch.setattr("prefkit.slices.SIZE", 100)
    quoted = [f'"Who is\r\n""{n}""?","{n}, the warden.",\r\n'.encode() for n in NAMES]
    (workspace.root / "m.csv").write_bytes(b"prompt,reference,note\r\n" + b"".join(quoted))
    plan = plan_clean("m.csv", CleanConfig(test_share=0), workspace)
    assert len(plan.slices) > 2
    assert [piece.first for piece in plan.slices] == sorted({p.first for p in plan.slices})
    run = run_clean(plan, Settings(workspace))
    kept = list(read_records(run.path / FILES[0], Example))
    assert [example.reference for example in kept] == [f"{n}, the warden." for n in NAMES]
    assert kept[0].prompt[0].content == 'Who is\n"Alder"?'
    (workspace.root / "m.csv").write_bytes(b"prompt,reference\r\n" + b"".join([*quoted, b"x\r\n"]))
    with pytest.raises(PrefkitError, match=r"m\.csv:2: 3 cells"):
        plan_clean("m.csv", CleanConfig(), workspace)


def test_a_null_character_goes_like_any_that_nobody_sees():
    came = Example(prompt="Who\0 leads?", reference="The \0warden.")
    (kept,) = clean([came], CleanConfig(test_share=0)).kept
    assert (kept.prompt[0].content, kept.reference) == ("Who leads?", "The warden.")


def test_rows_of_one_id_are_copies_or_an_error_that_names_both_lines(workspace, capsys):
    first = {"id": "x", "prompt": "Who leads?", "reference": "The warden.", "metadata": {}}
    (workspace.root / "m.jsonl").write_bytes(lines(first, first))
    code, out, _ = command(capsys, "m.jsonl", "--json")
    assert (code, json.loads(out)["dropped"]) == (0, {"exact-duplicate": 1})
    (workspace.root / "m.jsonl").write_bytes(lines(first, first | {"reference": "Nobody does."}))
    code, _, err = command(capsys, "m.jsonl")
    assert code == 1
    assert "have the id `x`: m.jsonl:9 and m.jsonl:10" in err
    with pytest.raises(PrefkitError, match="record 1 and record 2"):
        clean([Example(**first), Example(**first | {"reference": "Nobody."})], CleanConfig())


def test_in_memory_half_a_character_is_named_by_its_record():
    bad = Example(prompt="Who \ud800?", reference="The warden.")
    with pytest.raises(PrefkitError, match=r"record 2: `prompt`: half a character"):
        clean([Example(**GOOD[0]), bad], CleanConfig())


def test_pairs_with_a_bad_side_name_it(workspace, capsys):
    good = {"prompt": "Who?", "chosen": "The warden.", "rejected": "Nobody."}
    rows = [good, good | {"rejected": None}]
    (workspace.root / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, _, err = command(capsys, "m.jsonl")
    assert (code, "m.jsonl:2: `rejected`" in err) == (1, True)
    with pytest.raises(PrefkitError, match="record 1: `chosen`: half"):
        clean([PreferencePair(**good | {"chosen": "\ud800"})], CleanConfig())


def test_a_text_ten_thousand_times_and_one_of_ten_megabytes(workspace):
    line = json.dumps(GOOD[0]) + "\n"
    huge = json.dumps({"prompt": "What is in it?", "reference": "the book says so and " * 500_000})
    rest = "".join(json.dumps(row) + "\n" for row in GOOD[1:])
    (workspace.root / "m.jsonl").write_text(line * 10_000 + huge + "\n" + rest)
    config = CleanConfig(skip_rules=("too-long", "repetition", "truncated"), test_share=0)
    run = run_clean(plan_clean("m.jsonl", config, workspace), Settings(workspace, workers=1))
    assert run.manifest.dropped == {"exact-duplicate": 9_999}
    assert run.manifest.outputs["examples/train"] == 9


RULE = """
import os, pathlib, signal, sys

def empty(row):
    return " "

def leaves(row):
    sys.exit(0)

def dies_once(row):
    marker = pathlib.Path("died")
    if "Hazel" in row.question and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"rules": {"mine": "mine.py:empty"}}, "mine: TypeError: gave an empty text"),
        ({"rules": {"mine": "mine.py:leaves"}}, "mine: SystemExit"),
        ({"drop_when": {"mine": "1 / (words(prompt) - 3) > 0"}}, "mine: ZeroDivisionError"),
        ({"drop_when": {"mine": "number(metadata['n']) > 0"}}, "mine: ValueError"),
        ({"drop_when": {"mine": "matches('(.+)+!$', prompt)"}}, "mine: TookTooLong: took more"),
    ],
)
def test_a_rule_that_fails_stops_at_its_line_or_is_counted(workspace, monkeypatch, table, says):
    monkeypatch.setattr("prefkit.cleaning.rules.expressions.SECONDS", 0.02)
    asked = "Who keeps the only key of the safe?" if "matches" in str(table) else "Who keeps it?"
    rows = [*GOOD[:2], {"prompt": asked, "reference": "The warden."}]
    if "mine.py" in str(table):
        rows = rows[::-1]
    (workspace.root / "mine.py").write_text(RULE)
    (workspace.root / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CleanConfig(use_rules=("mine",), test_share=0, **table)
    with pytest.raises(PrefkitError, match=r"^m\.jsonl:\d: a rule failed: ") as stopped:
        run_clean(plan_clean("m.jsonl", config, workspace), Settings(workspace))
    assert says in stopped.value.message
    config = config.model_copy(update={"on_rule_error": "count"})
    run = run_clean(plan_clean("m.jsonl", config, workspace), Settings(workspace))
    kept = list(read_records(run.path / FILES[0], Example))
    marks = [example.metadata["flags"] for example in kept if "flags" in example.metadata]
    assert run.manifest.totals["flagged_rule-failed"] == len(marks) > 0
    assert says in marks[0]


def test_a_killed_worker_is_replaced_and_how_many_there_are_cannot_be_seen(workspace, monkeypatch):
    monkeypatch.setattr("prefkit.slices.SIZE", 100)
    (workspace.root / "mine.py").write_text(RULE)
    (workspace.root / "m.jsonl").write_bytes(lines(GOOD[3]))
    config = CleanConfig(rules={"mine": "mine.py:dies_once"})
    run = run_clean(plan_clean("m.jsonl", config, workspace), Settings(workspace, workers=2))
    assert (workspace.root / "died").exists()
    again = run_clean(plan_clean("m.jsonl", config, workspace), Settings(workspace, workers=1))
    for file in FILES:
        assert (run.path / file).read_bytes() == (again.path / file).read_bytes()


WRITTEN = ("config.json", "digest.json", "manifest.json", "chunks.", "rows.", "keys.", "compared-1")
WRITTEN += ("splits.", "records.", "train.jsonl", "test.jsonl", "dropped.jsonl", "README.md")


@pytest.mark.parametrize("name", WRITTEN)
def test_a_disk_that_is_full_at_any_file_names_it_and_leaves_nothing_half(
    workspace, capsys, monkeypatch, name
):
    (workspace.root / "m.jsonl").write_bytes(lines({"prompt": "Who?", "reference": "Me"}))
    whole = run_clean(plan_clean("m.jsonl", CleanConfig(), workspace), Settings(workspace))
    replace = Path.replace

    def full(part, target):
        if Path(target).name.startswith(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(part, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        code, out, err = command(capsys, "m.jsonl", "--out", "full")
    assert (code, out) == (1, "")
    assert err.startswith("Error: No space left on device (")
    assert name in err
    assert not list(workspace.root.rglob("*.part"))
    folder = workspace.root / "full"
    if name in WRITTEN[:3]:
        assert not folder.exists()
        return
    assert "--resume" in err
    assert read_manifest(folder).status in ("failed", "running")
    code, _, err = command(capsys, "m.jsonl", "--resume", "full")
    assert code == 0, err
    for file in FILES:
        assert (folder / file).read_bytes() == (whole.path / file).read_bytes()


def broken_off(workspace, monkeypatch):
    """A run that stopped before its end."""
    (workspace.root / "m.jsonl").write_bytes(lines())
    with monkeypatch.context() as patch:
        patch.setattr("prefkit.cleaning.run._deliver", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_clean(plan_clean("m.jsonl", CleanConfig(), workspace), Settings(workspace))


def test_a_run_is_not_resumed_with_other_settings_or_another_input(workspace, capsys, monkeypatch):
    broken_off(workspace, monkeypatch)
    flags = ("--near-duplicates", "0.8", "--skip-rule", "echo")
    code, _, err = command(capsys, "m.jsonl", "--resume", "last", *flags)
    assert code == 1
    assert "config.near_duplicates: 0.7 -> 0.8" in err
    assert "config.skip_rules: [] -> ['echo']" in err
    with (workspace.root / "m.jsonl").open("ab") as file:
        file.write(b'{"prompt": "Who?", "reference": "It is me."}\n')
    code, _, err = command(capsys, "m.jsonl", "--resume", "last")
    assert (code, "\n  inputs: [" in err) == (1, True)


def test_what_a_killed_run_was_writing_goes_when_it_is_resumed(workspace, monkeypatch):
    broken_off(workspace, monkeypatch)
    (folder,) = workspace.run_folders("clean")
    (folder / "data/examples").mkdir(parents=True)
    (folder / "data/examples/.train.jsonl.0a1b2c3d.part").write_bytes(b"torn")
    settings = Settings(workspace, resume="last")
    run = run_clean(plan_clean("m.jsonl", CleanConfig(), workspace), settings)
    assert run.path == folder
    assert not list(folder.rglob("*.part"))


def test_a_file_that_changes_while_it_is_read_is_refused(workspace, monkeypatch):
    (workspace.root / "m.jsonl").write_bytes(lines())
    plan = plan_clean("m.jsonl", CleanConfig(), workspace)
    with (workspace.root / "m.jsonl").open("ab") as file:
        file.write(b'{"prompt": "Who?", "reference": "It is me."}\n')
    with pytest.raises(PrefkitError, match=r"m\.jsonl: changed while it was read"):
        run_clean(plan, Settings(workspace))
    (folder,) = workspace.run_folders("clean")
    assert not (folder / "data").exists()
    assert not (folder / "work").exists()
