"""What an evaluation asks for, checked before any weight is loaded."""

import json
import subprocess
import sys

import pytest

from prefkit.config import EvalConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.evaluation.overlap import find_overlap
from prefkit.evaluation.run import plan_eval
from prefkit.evaluation.sanity import watermark
from prefkit.evaluation.suites import load_suite
from prefkit.manifest import Input, Manifest
from prefkit.records import Example, PreferencePair, Quote, assistant, user
from prefkit.storage import write_json, write_jsonl


def example(number, split="test", **more):
    return Example(
        prompt=user(f"Question {number}?"), reference=f"Answer {number}.", split=split, **more
    )


@pytest.fixture
def data(workspace):
    write_jsonl(workspace.root / "examples.jsonl", [example(i) for i in range(5)])
    (workspace.root / "adapter").mkdir()
    write_json(workspace.root / "adapter" / "adapter_config.json", {})
    return workspace


def plan(workspace, **more):
    config = EvalConfig(**{"adapter": "adapter", "funnel": True} | more)
    return plan_eval("examples.jsonl", config, workspace)


def test_a_plan_counts_what_would_be_done_without_loading_torch(data):
    described = plan(data).describe()
    assert described["counts"] == {"examples": 5, "pairs": 0, "suite items": 104}
    assert described["expected"]["completions"] == 10
    assert described["expected"]["judge calls, at most"] == 2 * 5 + 6 * 4
    command = [sys.executable, "-m", "prefkit", "eval", "examples.jsonl", "--funnel"]
    code = (
        "import sys; from prefkit.cli import main\n"
        f"try: main({[*command[3:], '--adapter', 'adapter', '--dry-run']!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["examples"] == 5


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"adapter": None}, "nothing to compare"),
        ({"adapter": "elsewhere"}, "elsewhere"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "must run in this process"),
        ({"model": "openai:some"}, "must run in this process"),
        ({"judge_base_url": "http://127.0.0.1:1/v1"}, "no model on it"),
        ({"suites": ("none",)}, "no suite called"),
        ({"suites": ("basics", "basics")}, "named twice"),
        ({"judge": "none"}, "no judge called"),
        ({"judge": "groundedness"}, "needs the passage"),
        ({"preferences": "none.jsonl"}, "none.jsonl"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_clear_error(data, more, says):
    with pytest.raises(PrefkitError, match=says) as caught:
        plan(data, **more)
    assert caught.value.hint
    assert caught.value.exit_code in (1, EXIT_USAGE)


def test_training_data_alone_is_refused(data):
    write_jsonl(data.root / "examples.jsonl", [example(1, "train")])
    with pytest.raises(PrefkitError, match="none is held out"):
        plan(data)


def test_of_a_mixed_source_only_the_test_split_is_used(data):
    rows = [example(1, "train"), example(2), example(3)]
    write_jsonl(data.root / "examples.jsonl", rows)
    assert [e.id for e in plan(data).examples] == [rows[1].id, rows[2].id]


def test_a_file_without_splits_is_held_out_as_a_whole(data):
    write_jsonl(data.root / "examples.jsonl", [example(1, None), example(2, None)])
    assert len(plan(data).examples) == 2


def test_pairs_that_teach_nothing_and_repeats_are_dropped_with_a_reason(data):
    good = PreferencePair(prompt=user("Q"), chosen=assistant("a"), rejected=assistant("b"))
    same = PreferencePair(prompt=user("Q"), chosen=assistant("a"), rejected=assistant("a"))
    write_jsonl(data.root / "pairs.jsonl", [good, same, good])
    planned = plan(data, preferences="pairs.jsonl")
    assert planned.pairs == (good,)
    assert [drop.rule for drop in planned.dropped] == ["chosen-is-rejected", "repeated"]


def make_run(workspace, name, stage, inputs=(), files=None):
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    for file, records in (files or {}).items():
        write_jsonl(folder / "data" / file, records)
    manifest = Manifest(
        stage=stage, status="finished", digest="0", argv=[], started=name,
        inputs=[Input.of(path, workspace) for path in inputs],
    )  # fmt: skip
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return folder


@pytest.fixture
def trained(data):
    """A DPO adapter on an SFT adapter, with their data."""
    clean = make_run(data, "clean-1", "clean", files={
        "examples/train.jsonl": [example(100, "train")], "examples/test.jsonl": [example(1)],
    })  # fmt: skip
    pair = PreferencePair(
        prompt=user("Paired?"), chosen=assistant("a"), rejected=assistant("b"), split="train"
    )
    held = pair.model_copy(update={"prompt": user("Held out?"), "split": "test", "id": "h"})
    pairs = make_run(data, "pairs-1", "pairs", [clean / "data/examples/train.jsonl"], files={
        "pairs/train.jsonl": [pair], "pairs/test.jsonl": [held],
    })  # fmt: skip
    sft = make_run(data, "train-sft-1", "train-sft", [clean / "data/examples/train.jsonl"])
    write_json(sft / "adapter" / "adapter_config.json", {})
    dpo = make_run(data, "train-dpo-1", "train-dpo", [
        pairs / "data/pairs/train.jsonl", pairs / "data/pairs/test.jsonl", sft / "adapter",
    ])  # fmt: skip
    write_json(dpo / "adapter" / "adapter_config.json", {})
    return dpo / "adapter"


def pair_of(prompt, chosen="a", rejected="b"):
    return PreferencePair(
        prompt=user(prompt), chosen=assistant(chosen), rejected=assistant(rejected)
    )


def test_lineage_finds_what_was_trained_on_and_passes_what_was_held_out(data, trained):
    held = [example(1), example(7), example(100)]
    found = find_overlap(held, [pair_of("PAIRED"), pair_of("Held out?")], trained, data)
    assert found.runs == ("train-dpo-1", "train-sft-1")
    assert found.rows == 2
    assert found.unknown == ()
    assert found.verdict == "contaminated"
    assert set(found.seen) == {"PAIRED", "Question 100?"}
    assert found.questions == 5
    assert {hit.where for hit in found.hits} == {
        "runs/pairs-1/data/pairs/train.jsonl:1", "runs/clean-1/data/examples/train.jsonl:1",
    }  # fmt: skip


def test_an_answer_that_was_trained_on_is_leakage_too(data, trained):
    answer = "The hut opens at nine and the warden keeps two keys for the upper store room."
    held = Example(prompt=user("And when does it open?"), reference=answer)
    assert find_overlap([held], [], trained, data).verdict == "clean"
    seen = pair_of("Tell me about the hut.", f"Well: {answer.upper()}")
    pairs = data.runs / "pairs-1" / "data" / "pairs" / "train.jsonl"
    write_jsonl(pairs, [seen])
    found = find_overlap([held], [], trained, data)
    assert [(hit.part, hit.field) for hit in found.hits] == [("reference", "chosen")]
    assert "has changed since" in found.unknown[0]


def test_nothing_found_is_clean_and_needs_no_watermark(data, trained):
    found = find_overlap([example(1)], [], trained, data)
    assert found.verdict == "clean"
    assert watermark(found, allow_leakage=False) == ""
    assert watermark(found, allow_leakage=True) == ""


def test_a_suite_that_was_trained_on_is_watermarked_and_the_held_out_figures_stand(data, trained):
    suite = load_suite("basics", data)
    asked = suite.context(suite.samples[0])
    pairs = data.runs / "pairs-1" / "data" / "pairs" / "train.jsonl"
    write_jsonl(pairs, [pair_of("Paired?"), pair_of(f"Tell me. {asked}")])
    found = find_overlap([example(1)], [], trained, data, [suite])
    (seen,) = found.suites
    assert (seen.name, seen.seen, seen.items) == ("suite basics", 1, len(suite.samples))
    assert found.hits == ()
    mark = watermark(found, allow_leakage=False)
    assert f"Of suite basics, 1 of {len(suite.samples)} items stand in the training data" in mark
    assert "Leakage not checked" in mark  # the file changed since
    write_jsonl(pairs, [pair_of("Paired?")])
    assert find_overlap([example(1)], [], trained, data, [suite]).suites == ()


def test_held_out_pairs_are_found_in_the_adapters_lineage(data, trained):
    planned = plan(data, adapter="@train-dpo")
    assert [pair.id for pair in planned.pairs] == ["h"]


def test_training_data_that_is_gone_is_unknown_and_watermarked(data, trained):
    (data.runs / "clean-1" / "data" / "examples" / "train.jsonl").unlink()
    found = find_overlap([example(1)], [], trained, data)
    assert found.verdict == "unknown"
    assert len(found.unknown) == 1
    assert "train-sft-1 is gone" in found.unknown[0]
    foreign = find_overlap([example(1)], [], data.root / "adapter", data)
    assert (foreign.verdict, foreign.runs) == ("unknown", ())
    assert "Leakage not checked" in watermark(foreign, allow_leakage=False)


def test_passages_are_found_for_a_judge_that_needs_them(data):
    from prefkit.records import Chunk

    chunk = Chunk(document_id="d", text="The hut opens at nine.", start=0, end=22)
    quote = Quote(chunk_id=chunk.id, start=0, end=3)
    make_run(data, "clean-2", "clean", files={
        "examples/test.jsonl": [example(1, quotes=(quote,))], "chunks.jsonl": [chunk],
    })  # fmt: skip
    config = EvalConfig(adapter="adapter", funnel=True, judge="groundedness")
    planned = plan_eval("@clean", config, data)
    assert planned.passages == {planned.examples[0].id: "The hut opens at nine."}
