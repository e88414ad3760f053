import json
import random
import subprocess
import sys

import concepts
import planted
import pytest

from prefkit.cleaning.clean import clean
from prefkit.cleaning.explain import explain
from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.cli import main
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Dropped, assistant
from prefkit.runs import Settings
from prefkit.semantic import store
from prefkit.storage import read_records, write_jsonl

DUPLICATES = [("r001", "r000"), ("r003", "r002"), ("r005", "r004")]


def config(**more):
    known = {"semantic": 0.85, "embedder": "python:concepts:encode", "near_duplicates": 0.95}
    return CleanConfig(**(known | {"split_by": "example"} | more))


def flags(cleaned):
    return {
        record.id: record.metadata["flags"] for record in cleaned.kept if "flags" in record.metadata
    }


def run_of(workspace, records, settings, **more):
    write_jsonl(workspace.root / "mine.jsonl", records)
    return run_clean(
        plan_clean("mine.jsonl", config(**settings), workspace), Settings(workspace, **more)
    )


def data_of(run):
    return {
        path.relative_to(run.path).as_posix(): path.read_bytes()
        for path in sorted([*run.path.glob("data/**/*.jsonl"), *run.path.glob("dropped.jsonl")])
    }


def test_duplicates_are_marked_with_keeper_and_score_and_all_stay(embedder):
    records = planted.examples()
    cleaned = clean(records, config())
    assert len(cleaned.kept) == len(records)
    marked = flags(cleaned)
    assert [(name, marked[name]) for name, _ in DUPLICATES] == [
        (name, f"semantic-duplicate: cosine 1.000 with {keeper}") for name, keeper in DUPLICATES
    ]
    assert cleaned.figures.flagged["semantic-duplicate"] == 3
    assert cleaned.figures.semantic["pairs"] == 3


def test_dropped_ones_name_keeper_and_score_and_the_look_alikes_stay(embedder):
    records = planted.examples()
    cleaned = clean(records, config(semantic_drop=True))
    assert [(drop.record_id, drop.keeper, drop.score, drop.rule) for drop in cleaned.dropped] == [
        (name, keeper, 1.0, "semantic-duplicate") for name, keeper in DUPLICATES
    ]
    assert len(cleaned.kept) == len(records) - 3


def test_numbers_names_and_turning_words_keep_texts_apart(embedder):
    cleaned = clean(planted.examples(), config(semantic=0.6, semantic_drop=True))
    gone = {drop.record_id for drop in cleaned.dropped}
    with_other_facts = {f"r{number:03}" for number in range(10, 16)}
    assert gone.isdisjoint(with_other_facts)
    assert cleaned.figures.semantic["other_facts"] >= 3


def test_two_answers_to_one_prompt_are_candidates(embedder):
    cleaned = clean(planted.pairs(), config(semantic_drop=True, semantic=0.95))
    assert {record.id for record in cleaned.kept} >= {"p000", "p001"}
    assert [(drop.record_id, drop.keeper) for drop in cleaned.dropped] == [("p002", "p000")]


def test_with_both_the_answers_must_be_near_too(embedder):
    records = planted.pairs()
    other = records[2].model_copy(update={"id": "p999", "chosen": assistant("Ask the union.")})
    cleaned = clean(
        [*records, other], config(semantic_drop=True, semantic=0.95, semantic_field="both")
    )
    assert [(drop.record_id, drop.keeper) for drop in cleaned.dropped] == [("p002", "p000")]


def test_what_stays_is_not_near_to_anything_that_stays(embedder):
    """a - b - c with a and c apart: b goes, c stays, though all are one cluster."""
    chain = ["key goggles leave wage", "key goggles leave hut", "key goggles tent hut"]
    records = [planted.example(n, f"Say: {text}?") for n, text in enumerate(chain)]
    records += planted.examples()[16:]
    records = [r.model_copy(update={"id": f"c{n:03}"}) for n, r in enumerate(records)]
    cleaned = clean(records, config(semantic=0.78, semantic_drop=True))
    gone = {drop.record_id: drop.keeper for drop in cleaned.dropped}
    assert gone.get("c001") == "c000"
    assert "c002" not in gone


def test_cleaning_what_is_clean_changes_nothing(embedder):
    first = clean(planted.examples(), config(semantic_drop=True))
    second = clean(first.kept, config(semantic_drop=True))
    assert second.dropped == ()
    assert second.kept == first.kept


def test_neither_order_nor_slices_nor_workers_change_the_result(workspace, embedder, monkeypatch):
    records = planted.examples()
    first = run_of(workspace, records, {"semantic": 0.8})
    random.Random(3).shuffle(records)
    monkeypatch.setattr("prefkit.slices.SIZE", 1500)
    monkeypatch.setattr(store, "BLOCK", 5)
    second = run_of(workspace, records, {"semantic": 0.8}, workers=1)

    def lines(run):
        return {name: sorted(data.splitlines()) for name, data in data_of(run).items()}

    assert lines(first) == lines(second)


def test_duplicates_land_in_one_split(embedder):
    records = planted.examples()
    for seed in range(4):
        cleaned = clean(records, config(seed=seed, test_share=0.5))
        split = {record.id: record.split for record in cleaned.kept}
        assert all(split[name] == split[keeper] for name, keeper in DUPLICATES)


def test_without_the_option_they_may_be_torn_apart(workspace):
    records = planted.examples()
    torn = 0
    for seed in range(4):
        cleaned = clean(records, config(semantic=None, seed=seed, test_share=0.5))
        split = {record.id: record.split for record in cleaned.kept}
        torn += sum(split[name] != split[keeper] for name, keeper in DUPLICATES)
    assert torn


def test_flag_only_marks_what_would_be_dropped(embedder):
    cleaned = clean(planted.examples(), config(flag_only=True, semantic_drop=True))
    assert cleaned.dropped == ()
    marked = flags(cleaned)
    assert all(
        f"semantic-duplicate: cosine 1.000 with {keeper}" in marked[name]
        for name, keeper in DUPLICATES
    )
    assert all(split_of(cleaned, name) == split_of(cleaned, keeper) for name, keeper in DUPLICATES)


def split_of(cleaned, name):
    return next(record.split for record in cleaned.kept if record.id == name)


@pytest.mark.parametrize("drop", [True, False])
def test_outliers_are_marked_and_never_dropped(embedder, drop):
    records = [*planted.examples()[16:], planted.example(999, "Zorp quux flibber snark?")]
    cleaned = clean(records, config(semantic_drop=drop))
    assert flags(cleaned)["r999"].startswith("outlier: mean cosine 0.0")
    assert "r999" not in {drop.record_id for drop in cleaned.dropped}


def test_near_duplicates_go_first_and_only_what_stays_is_embedded(embedder):
    records = planted.examples()
    copy = records[0].model_copy(update={"id": "z", "reference": f"{records[0].reference}!"})
    clean([*records, copy], config())
    assert sum(concepts.CALLS) == len(records)


def test_explain_shows_both_texts(workspace, embedder):
    run = run_of(workspace, planted.examples(), {"semantic_drop": True})
    found = explain(str(run.path), "r001", workspace)
    assert (found.rule, found.keeper, found.score) == ("semantic-duplicate", "r000", 1.0)
    shown = "\n".join(found.lines())
    assert all(text in shown for text in planted.PARAPHRASES[0])


def test_explain_shows_both_texts_of_what_is_only_marked(workspace, embedder):
    run = run_of(workspace, planted.examples(), {})
    found = explain(str(run.path), "r001", workspace)
    assert found.kept
    assert found.notes["flags"] == "semantic-duplicate: cosine 1.000 with r000"
    assert {name for name, _, _ in found.texts} == {"r000", "r001"}


def test_killed_and_resumed_it_ends_the_same_and_embeds_nothing_twice(
    workspace, embedder, monkeypatch
):
    monkeypatch.setattr(store, "BLOCK", 8)
    records = planted.examples()
    whole = run_of(workspace, records, {})
    concepts.CALLS.clear()
    plan = plan_clean("mine.jsonl", config(), workspace)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("prefkit.cleaning.steps.semantic.pairs", _interrupted)
        run_clean(plan, Settings(workspace))
    assert sum(concepts.CALLS) == len(records)
    run = run_clean(plan, Settings(workspace, resume="last"))
    assert sum(concepts.CALLS) == len(records)
    assert data_of(run) == data_of(whole)


def _interrupted(*arguments):
    raise KeyboardInterrupt


def test_the_embedder_is_in_the_manifest_and_another_one_cannot_resume(workspace, embedder):
    run = run_of(workspace, planted.examples(), {})
    assert [plugin["kind"] for plugin in run.manifest.plugins] == ["embedder"]
    digests = {
        plan_clean("mine.jsonl", config(embedder=name), workspace).digest()
        for name in (embedder, "tfidf")
    }
    assert len(digests) == 2


def test_the_card_says_how_they_were_found(workspace, embedder):
    run = run_of(workspace, planted.examples(), {})
    card = (run.path / "README.md").read_text()
    assert "cosine of at least 0.85 by `python:concepts:encode`" in card
    assert run.manifest.totals["semantic_pairs"] == 3
    written = [*read_records(run.path / "dropped.jsonl", Dropped)] if run.manifest.dropped else []
    assert written == []


def test_a_bad_embedder_is_one_error_before_anything_is_read(workspace):
    write_jsonl(workspace.root / "mine.jsonl", planted.examples())
    with pytest.raises(PrefkitError, match="nowhere: no such embedder"):
        plan_clean("mine.jsonl", config(embedder="nowhere"), workspace)


def test_with_nothing_left_to_compare_it_says_what_dropped_it(workspace, embedder):
    refusals = [planted.example(n, f"Question {n}?", "I'm sorry, but I can't.") for n in range(3)]
    with pytest.raises(PrefkitError, match="No example is left after cleaning 3: 3 refusal"):
        run_of(workspace, refusals, {})


def test_from_the_command_line(workspace, embedder, capsys):
    write_jsonl(workspace.root / "mine.jsonl", planted.examples())
    arguments = ["clean", "mine.jsonl", "--semantic", "0.85", "--semantic-drop", "--json"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--embedder", embedder, "--split-by", "example"])
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["dropped"] == {"semantic-duplicate": 3}


def test_without_the_option_no_embedder_is_loaded(workspace):
    write_jsonl(workspace.root / "mine.jsonl", planted.examples())
    code = (
        "import sys; from prefkit.cli import main\n"
        "try: main(['clean', 'mine.jsonl', '--split-by', 'example', '-q'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"
