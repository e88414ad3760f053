import json
import os
import signal
import subprocess
import sys

import pytest

from prefkit.cli import main
from prefkit.config import CandidatesConfig, CleanConfig, JudgeConfig, PairsConfig
from prefkit.manifest import Input, read_manifest
from prefkit.pairs import plan_pairs, run_pairs
from prefkit.records import Candidate, Example, Judgment, PreferencePair, UnpairedPreference
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, write_jsonl
from prefkit.trace import trace

EXAMPLES = [
    Example(prompt=f"q{n}?", reference=f"r{n}", split="test" if n % 3 == 0 else "train")
    for n in range(9)
]
CANDIDATES = [
    Candidate(prompt_id=example.id, completion=f"{text} {example.reference}", model="m")
    for example in EXAMPLES
    for text in ("good", "a rather bad one for")
]
JUDGMENTS = [
    Judgment(
        prompt_id=example.id,
        ratings={CANDIDATES[2 * n].id: 0.8, CANDIDATES[2 * n + 1].id: 0.1},
        annotator="rule:reference",
        source="rule",
    )
    for n, example in enumerate(EXAMPLES)
]


def finished(workspace, config, stream, records, *inputs):
    entries = tuple(Input.of(path, workspace) for run in inputs for path in data(run))
    with Run.start(Plan(config.table, config, entries), Settings(workspace)) as run:
        run.record("all", {stream: records})
        run.finish(["all"])
    return run


def data(run):
    return sorted((run.path / "data").rglob("*.jsonl"))


def judged(workspace, judgments=JUDGMENTS, examples=EXAMPLES):
    """Finished clean, candidates and judge runs."""
    clean = finished(workspace, CleanConfig(), "examples", examples)
    candidates = finished(workspace, CandidatesConfig(), "candidates", CANDIDATES, clean)
    return finished(workspace, JudgeConfig(), "judgments", judgments, candidates)


def made(workspace, sources="@judge", **config):
    return run_pairs(plan_pairs(sources, PairsConfig(**config), workspace), Settings(workspace))


def stream(run, name, model=PreferencePair):
    return list(read_records(run.path / "data" / f"{name}.jsonl", model))


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["pairs", *arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_a_judge_run_leads_to_candidates_and_examples(workspace):
    judged(workspace)
    run = made(workspace)
    train, test = stream(run, "pairs/train"), stream(run, "pairs/test")
    assert (len(train), len(test)) == (6, 3)
    assert {pair.source for pair in train} == {"rule"}
    thumbs = stream(run, "unpaired/train", UnpairedPreference)
    assert sorted(thumb.label for thumb in thumbs) == [False] * 6 + [True] * 6
    assert run.manifest.totals["chosen_longer"] == 0
    assert run.manifest.totals["chosen_shorter"] == 9
    assert run.manifest.totals["desirable"] == run.manifest.totals["undesirable"] == 6
    card = (run.path / "README.md").read_text()
    assert "9 of 9 judged prompts give a pair" in card
    assert "rule:reference: 0 worst, 1 best (read off 18 ratings)" in card
    assert "0.0% of 9 pairs" in card
    assert "`desirable_weight=1, undesirable_weight=1`" in card


def test_the_run_loads_in_datasets_with_the_columns_that_trl_wants(workspace):
    import datasets

    judged(workspace)
    run = made(workspace)
    pairs = datasets.load_dataset(str(run.path), "pairs")
    assert {"prompt", "chosen", "rejected"} <= set(pairs["train"].column_names)
    assert pairs["train"][0]["chosen"][0]["role"] == "assistant"
    thumbs = datasets.load_dataset(str(run.path), "unpaired")
    assert {"prompt", "completion", "label"} <= set(thumbs["train"].column_names)


def test_several_sources_are_joined(workspace):
    first = judged(workspace, JUDGMENTS[:5])
    human = [
        Judgment(
            prompt_id=EXAMPLES[8].id,
            ranks={CANDIDATES[16].id: 2, CANDIDATES[17].id: 1},
            annotator="ann",
            source="human",
        )
    ]
    write_jsonl(workspace.root / "human.jsonl", human)
    run = made(workspace, [str(first.path), "human.jsonl"])
    pairs = [*stream(run, "pairs/train"), *stream(run, "pairs/test")]
    assert sorted(pair.source for pair in pairs) == ["human"] + ["rule"] * 5
    assert len(run.manifest.inputs) == 4


def test_files_from_elsewhere_need_their_candidates_and_examples(workspace, capsys):
    for name, records in (("j", JUDGMENTS), ("c", CANDIDATES), ("e", EXAMPLES)):
        write_jsonl(workspace.root / f"{name}.jsonl", records)
    code, _, err = command(capsys, "j.jsonl")
    assert code == 1
    assert "--candidates FILE" in err
    code, _, err = command(capsys, "j.jsonl", "--candidates", "c.jsonl")
    assert (code, "--examples FILE" in err) == (1, True)
    names = ("j.jsonl", "--candidates", "c.jsonl", "--examples", "e.jsonl", "--json")
    code, out, _ = command(capsys, *names)
    assert code == 0
    assert json.loads(out)["outputs"]["pairs/train"] == 6


def test_a_run_without_judgments_names_the_stage_to_run(workspace, capsys):
    clean = finished(workspace, CleanConfig(), "examples", EXAMPLES)
    code, _, err = command(capsys, "@judge")
    assert (code, "prefkit judge" in err) == (1, True)
    finished(workspace, CandidatesConfig(), "candidates", CANDIDATES, clean)
    code, _, err = command(capsys, "@candidates")
    assert (code, "prefkit judge @candidates" in err) == (1, True)
    finished(workspace, JudgeConfig(), "judgments", JUDGMENTS, clean)
    code, _, err = command(capsys, "@judge")
    assert (code, "prefkit candidates @clean" in err) == (1, True)
    assert "Traceback" not in err


def test_nothing_but_ties_is_an_error_that_lists_why(workspace, capsys):
    ties = [j.model_copy(update={"ratings": dict.fromkeys(j.ratings, 0.5)}) for j in JUDGMENTS]
    judged(workspace, ties)
    code, _, err = command(capsys, "@judge")
    assert code == 1
    assert "9 prompts support no pair: 18 no-label, 9 tie" in err
    (folder,) = workspace.run_folders("pairs")
    assert len((folder / "dropped.jsonl").read_text().splitlines()) == 27


def test_thumbs_alone_are_a_result(workspace, capsys):
    judged(workspace)
    code, out, err = command(capsys, "@judge", "--margin", "0.9", "--json")
    assert code == 0
    assert json.loads(out)["outputs"]["pairs/train"] == 0
    assert "no pair is left to train on" in err


def test_edits_are_kept_with_the_pairs_that_name_them(workspace):
    edit = Judgment(prompt_id=EXAMPLES[1].id, edit="Better.", annotator="ann", source="human")
    judged(workspace, [*JUDGMENTS, edit])
    run = made(workspace)
    (written,) = stream(run, "edits", Candidate)
    (pair,) = [p for p in stream(run, "pairs/train") if p.prompt_id == EXAMPLES[1].id]
    assert pair.chosen_id == written.id
    steps = trace(str(run.path), pair.id, workspace)
    assert [(s.role, s.stream) for s in steps if s.role == "chosen"] == [("chosen", "edits")]


def test_examples_without_a_split_are_all_train_and_a_warning_says_so(workspace, capsys):
    loose = [example.model_copy(update={"split": None}) for example in EXAMPLES]
    judged(workspace, examples=loose)
    code, out, err = command(capsys, "@judge", "--json")
    assert json.loads(out)["outputs"]["pairs/test"] == 0
    assert "carry no split" in err
    assert code == 0


def test_length_that_tells_the_sides_apart_is_warned_of(workspace, capsys):
    turned = [
        j.model_copy(update={"ratings": {name: 1 - r for name, r in j.ratings.items()}})
        for j in JUDGMENTS
    ]
    judged(workspace, turned)
    _, _, err = command(capsys, "@judge")
    assert "the chosen side is the longer one in 100% of 9 pairs" in err


def test_limit_takes_the_first_judged_prompts_and_counts_no_other(workspace):
    judged(workspace)
    run = made(workspace, limit=2)
    assert sum(run.manifest.outputs[f"pairs/{s}"] for s in ("train", "test")) == 2
    assert run.manifest.dropped == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "no such file or run"),
        (["@judge", "--margin", "2"], "Invalid value for '--margin'"),
        (["@judge", "--rating-scale", "5", "1"], "the worst rating comes first"),
        (["@judge", "--source", "model"], "Invalid value for '--source'"),
        (["@judge", "--candidates", "none.jsonl"], "none.jsonl: no such file or run"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_call_is_one_error(workspace, capsys, arguments, says):
    judged(workspace)
    code, _, err = command(capsys, *arguments)
    assert code in (1, 2)
    assert says in err
    assert "Traceback" not in err


def test_a_broken_judgment_names_its_line(workspace, capsys):
    judged(workspace)
    (workspace.root / "j.jsonl").write_text('{"prompt_id": "a", "annotator": "b"}\n')
    code, _, err = command(capsys, "j.jsonl")
    assert code == 1
    assert "j.jsonl:1: `source`" in err


def test_killed_and_resumed_it_ends_the_same(workspace):
    judged(workspace)
    whole = made(workspace)
    script = (
        "import os, signal\n"
        "from prefkit.pairs import run\n"
        "write = run.write_jsonl\n"
        "def dies(path, records):\n"
        "    if path.parent.name == 'unpaired': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return write(path, records)\n"
        "run.write_jsonl = dies\n"
        "from prefkit.cli import main\n"
        "main(['pairs', '@judge'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    plan = plan_pairs("@judge", PairsConfig(), workspace)
    resumed = run_pairs(plan, Settings(workspace, resume="last"))
    assert resumed.path != whole.path
    for name in ("pairs/train", "pairs/test", "unpaired/train", "unpaired/test"):
        file = f"data/{name}.jsonl"
        assert (resumed.path / file).read_bytes() == (whole.path / file).read_bytes()
    assert read_manifest(resumed.path).totals == whole.manifest.totals
