"""What `prefkit pairs` says of records that are not as they should be."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from prefkit.cli import main

EXAMPLES = [{"id": f"p{n}", "prompt": f"question {n}?", "reference": "r"} for n in range(3)]
CANDIDATES = [
    {"id": f"c{n}{side}", "prompt_id": f"p{n}", "completion": f"text {n} {side}", "model": "m"}
    for n in range(3)
    for side in "ab"
]
JUDGMENTS = [
    {"prompt_id": f"p{n}", "ranks": {f"c{n}a": 1, f"c{n}b": 2}, "annotator": "a", "source": "human"}
    for n in range(3)
]
FILES = {"j": JUDGMENTS, "c": CANDIDATES, "e": EXAMPLES}
HUGE = 10**400


def write(workspace, name, rows):
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (workspace.root / name).write_text("".join(f"{line}\n" for line in lines))


def with_second(rows, **changes):
    """Rows whose second one has other fields; ... takes a field away."""
    second = {key: value for key, value in (rows[1] | changes).items() if value is not ...}
    return [rows[0], second, *rows[2:]]


@pytest.fixture
def files(workspace):
    for name, rows in FILES.items():
        write(workspace, f"{name}.jsonl", rows)
    return workspace


def pairs(capsys, *arguments, judgments="j.jsonl", candidates="c.jsonl", examples="e.jsonl"):
    named = ("--candidates", candidates, "--examples", examples)
    with pytest.raises(SystemExit) as stop:
        main(["pairs", judgments, *named, "--json", *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return (stop.value.code, json.loads(out) if out else None, err)


@pytest.mark.parametrize(
    ("which", "changes", "says"),
    [
        ("j", {"prompt_id": ...}, "j.jsonl:2: `prompt_id`: Field required"),
        ("j", {"prompt_id": None}, "j.jsonl:2: `prompt_id`"),
        ("j", {"prompt_id": 7}, "j.jsonl:2: `prompt_id`: Input should be a valid string"),
        ("j", {"source": ...}, "j.jsonl:2: `source`: Field required"),
        ("j", {"source": "model"}, "j.jsonl:2: `source`: Input should be 'human', 'judge' or"),
        ("j", {"annotator": "a\ud800"}, "j.jsonl:2: `annotator`: half a character"),
        ("j", {"edit": "x\ud800"}, "j.jsonl:2: `edit`: half a character"),
        ("j", {"ranks": ["c1a", "c1b"]}, "j.jsonl:2: `ranks`: Input should be a valid dictionary"),
        ("j", {"ranks": {"c1a": "best", "c1b": 2}}, "j.jsonl:2: `ranks.c1a`"),
        ("j", {"ranks": {"c1a": "1", "c1b": "2"}}, "j.jsonl:2: `ranks.c1a`"),
        ("j", {"ranks": {"c1a": True, "c1b": False}}, "j.jsonl:2: `ranks.c1a`"),
        ("j", {"ranks": {"c1a": 1.5, "c1b": 2}}, "j.jsonl:2: `ranks.c1a`"),
        ("j", {"ranks": {"c1a": None, "c1b": 2}}, "j.jsonl:2: `ranks.c1a`"),
        ("j", {"ranks": {"c1a": HUGE, "c1b": 2}}, "j.jsonl:2: `ranks.c1a`"),
        ("j", {"ratings": {"c1a": "good"}}, "j.jsonl:2: `ratings.c1a`"),
        ("j", {"rnks": {"c1a": 1}, "metadata": {}}, "j.jsonl:2: `rnks` is not a field of Judgment"),
        ("c", {"completion": None}, "c.jsonl:2: `completion`"),
        ("c", {"completion": {"text": "x"}}, "c.jsonl:2: `completion`"),
        ("c", {"completion": ["x"]}, "c.jsonl:2: `completion.0`"),
        ("c", {"completion": "x\ud800"}, "c.jsonl:2: `completion`: half a character"),
        ("c", {"model": ...}, "c.jsonl:2: `model`: Field required"),
        ("c", {"id": 7}, "c.jsonl:2: `id`: Input should be a valid string"),
        ("c", {"id": "c0a"}, "c.jsonl: two different candidates have the id c0a"),
        ("e", {"prompt": None}, "e.jsonl:2: `prompt`"),
        ("e", {"reference": ...}, "e.jsonl:2: `reference`: Field required"),
        ("e", {"split": "validation"}, "e.jsonl:2: `split`"),
        ("e", {"id": "p0"}, "e.jsonl: two different examples have the id p0"),
    ],
)
def test_a_bad_field_is_one_error_that_names_file_line_and_field(
    files, capsys, which, changes, says
):
    write(files, f"{which}.jsonl", with_second(FILES[which], **changes))
    code, _, err = pairs(capsys)
    assert code == 1
    assert says in err
    assert len(err.strip().splitlines()) == 2  # what, and what to do


@pytest.mark.parametrize(
    ("which", "text", "says"),
    [
        ("j", b"", "j.jsonl: holds no judgments"),
        ("j", b"\n  \n", "j.jsonl: holds no judgments"),
        ("c", b"", "c.jsonl: holds no candidates"),
        ("e", b"", "e.jsonl: holds no examples"),
        ("j", b"{broken\n", "j.jsonl:1: not valid JSON"),
        ("j", b"[1, 2]\n", "j.jsonl:1: expected a JSON object, found list"),
        ("j", b"\x00\x01\x02", "j.jsonl:1: not valid JSON"),
        ("j", '{"annotator": "é"}'.encode("latin1"), "j.jsonl:1: not UTF-8"),
    ],
)
def test_a_file_that_holds_no_records_is_one_error(files, capsys, which, text, says):
    (files.root / f"{which}.jsonl").write_bytes(text)
    code, _, err = pairs(capsys)
    assert (code, says in err) == (1, True)


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [
        ({"ranks": None}, {"says-nothing": 1, "no-judgment": 1}),
        ({"ranks": {}}, {"says-nothing": 1, "no-judgment": 1}),
        ({"ranks": {"zz": 1, "c1b": 2}}, {"unknown-candidate": 1, "no-judgment": 1}),
        ({"ranks": {"c2a": 1, "c1b": 2}}, {"unknown-candidate": 1, "no-judgment": 1}),
        ({"prompt_id": "zz"}, {"unknown-prompt": 1, "no-judgment": 1}),
        ({"ranks": None, "ratings": {"c1a": float("nan"), "c1b": 2}},
         {"no-number": 1, "one-candidate": 1, "no-label": 1}),
        ({"ranks": None, "ratings": {"c1a": float("inf"), "c1b": float("nan")}},
         {"says-nothing": 1, "no-judgment": 1}),
    ],
)  # fmt: skip
def test_a_judgment_that_cannot_count_is_dropped_with_its_reason(files, capsys, changes, dropped):
    write(files, "j.jsonl", with_second(JUDGMENTS, **changes))
    code, made, _ = pairs(capsys)
    assert code == 0
    assert made["outputs"]["pairs/train"] == 2
    assert made["dropped"] == dropped


@pytest.mark.parametrize(
    "ratings", [{"c1a": "4", "c1b": "2"}, {"c1a": 1e308, "c1b": -1e308}, {"c1a": 1, "c1b": 0}]
)
def test_ratings_of_any_size_and_numbers_as_text_count(files, capsys, ratings):
    write(files, "j.jsonl", with_second(JUDGMENTS, ranks=None, ratings=ratings))
    assert pairs(capsys)[1]["outputs"]["pairs/train"] == 3


def test_all_strangers_say_which_file_does_not_match(files, capsys):
    write(files, "c.jsonl", [row | {"id": f"x{row['id']}"} for row in CANDIDATES])
    assert "give the matching --candidates" in pairs(capsys)[2]
    write(files, "e.jsonl", [row | {"id": f"x{row['id']}"} for row in EXAMPLES])
    assert "give the matching --examples" in pairs(capsys)[2]


def test_one_id_for_two_raters_is_an_error_and_for_a_revision_is_not(files, capsys):
    write(files, "j.jsonl", [row | {"id": "same"} for row in JUDGMENTS])
    assert "j.jsonl: judgment same is there twice, with the prompt p0 and p1" in pairs(capsys)[2]
    first, turned = JUDGMENTS[0] | {"id": "j"}, {"c0a": 2, "c0b": 1}
    later = first | {"ranks": turned, "answered_at": "2026-11-23"}
    write(files, "j.jsonl", [later, first])
    assert pairs(capsys)[1]["outputs"]["pairs/train"] == 1
    (run,) = [run for run in files.run_folders("pairs") if (run / "data").exists()]
    pair = json.loads((run / "data/pairs/train.jsonl").read_text())
    assert (pair["chosen_id"], pair["votes_against"]) == ("c0b", 0)


@pytest.mark.parametrize("kind", ["csv", "parquet", "extra"])
def test_tables_of_any_kind_keep_the_ids_they_go_by(files, capsys, kind):
    for name, rows in (("c", CANDIDATES), ("e", EXAMPLES)):
        if kind == "csv":
            lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
            (files.root / f"{name}.csv").write_text("\n".join(lines))
        elif kind == "parquet":
            pyarrow.parquet.write_table(pa.Table.from_pylist(rows), files.root / f"{name}.parquet")
        else:
            write(files, f"{name}.extra.jsonl", [row | {"team": "north"} for row in rows])
    suffix = "extra.jsonl" if kind == "extra" else kind
    code, made, _ = pairs(capsys, candidates=f"c.{suffix}", examples=f"e.{suffix}")
    assert (code, made["outputs"]["pairs/train"]) == (0, 3)


def test_ranks_of_parquet_have_no_gaps(files, capsys):
    path = files.root / "j.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist(JUDGMENTS), path)  # each row has all keys
    assert pairs(capsys, judgments="j.parquet")[1]["outputs"]["pairs/train"] == 3


def test_a_text_of_ten_megabytes_is_a_text(files, capsys):
    write(files, "c.jsonl", with_second(CANDIDATES, completion="word " * 2_100_000))
    assert pairs(capsys)[1]["outputs"]["pairs/train"] == 3


def test_one_annotator_over_and_over_has_one_last_word(files, capsys):
    turned = [JUDGMENTS[0] | {"answered_at": f"2026-01-01T{n:06d}"} for n in range(999)]
    rows = [row | {"id": f"j{n}"} for n, row in enumerate(turned)]
    rows[-1] |= {"ranks": {"c0a": 2, "c0b": 1}}
    write(files, "j.jsonl", rows)
    _, made, _ = pairs(capsys)
    assert made["dropped"]["repeated-vote"] == 998
    assert made["outputs"]["pairs/train"] == 1


def test_inputs_that_changed_are_not_resumed(files, capsys):
    pairs(capsys, "--out", "run")
    write(files, "j.jsonl", JUDGMENTS[:2])
    code, _, err = pairs(capsys, "--resume", "run")
    assert code == 1
    assert "cannot be resumed" in err
    assert "inputs" in err


LIMITED = (
    "import resource, signal\n"
    "from prefkit.cli import main\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))\n"
    "main(['pairs', 'j.jsonl', '--candidates', 'c.jsonl', '--examples', 'e.jsonl',"
    " '--out', 'run'])\n"
)


def test_a_full_disk_is_one_error_and_the_run_can_be_resumed(files, capsys):
    write(files, "c.jsonl", [row | {"completion": row["id"] * 2000} for row in CANDIDATES])
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr
    assert not list((files.root / "run" / "data").rglob("*.jsonl"))
    assert pairs(capsys, "--resume", "run")[0] == 0
    pairs(capsys, "--out", "whole")
    for name in ("pairs/train", "unpaired/train"):
        one, other = (files.root / run / "data" / f"{name}.jsonl" for run in ("run", "whole"))
        assert one.read_bytes() == other.read_bytes()
