import json
import random
import string

import concepts
import planted
import pytest

from prefkit.cli import main
from prefkit.config import SimilarConfig
from prefkit.errors import PrefkitError
from prefkit.records import Example, SimilarPair
from prefkit.runs import Settings
from prefkit.semantic import store
from prefkit.semantic.run import RESULTS, plan_similar, run_similar
from prefkit.storage import read_records, write_jsonl


def similar(workspace, records, **config):
    write_jsonl(workspace.root / "mine.jsonl", records)
    plan = plan_similar("mine.jsonl", SimilarConfig(**config), workspace)
    return run_similar(plan, Settings(workspace))


def pairs_of(run):
    return list(read_records(run.path / "data" / "similar.jsonl", SimilarPair))


def results(run):
    return json.loads((run.path / RESULTS).read_text())


def prompts(records, pair):
    by_id = {record.id: record.prompt[0].content for record in records}
    return by_id[pair.left_id], by_id[pair.right_id]


def test_planted_paraphrases_are_found_and_look_alikes_are_not(workspace, embedder):
    records = planted.examples()
    found = pairs_of(similar(workspace, records, embedder=embedder, threshold=0.85))
    same = [prompts(records, pair) for pair in found if pair.same_facts]
    assert sorted(same) == sorted(planted.PARAPHRASES)
    assert not {pair for pair in found if pair.cosine < 0.85}


def test_pairs_of_other_facts_are_named_but_are_no_duplicates(workspace, embedder):
    records = planted.examples()
    run = similar(workspace, records, embedder=embedder, threshold=0.7)
    others = {prompts(records, pair) for pair in pairs_of(run) if not pair.same_facts}
    assert set(planted.LOOK_ALIKES[2:]) <= others
    assert {pair.cluster for pair in pairs_of(run) if not pair.same_facts} == {""}
    assert results(run)["counts"]["pairs_of_other_facts"] == len(others)


def test_the_order_of_the_rows_changes_nothing(workspace, embedder):
    records = planted.examples()
    first = similar(workspace, records, embedder=embedder, threshold=0.7)
    random.Random(1).shuffle(records)
    second = similar(workspace, records, embedder=embedder, threshold=0.7)
    for name in ("data/similar.jsonl", RESULTS):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()


def test_clusters_are_a_partition(workspace, embedder):
    found = pairs_of(similar(workspace, planted.examples(), embedder=embedder, threshold=0.5))
    cluster = {}
    for pair in found:
        if pair.same_facts:
            assert pair.cluster
            for name in (pair.left_id, pair.right_id):
                assert cluster.setdefault(name, pair.cluster) == pair.cluster
    assert all(cluster[name] == name for name in cluster.values())


def test_a_threshold_is_suggested_with_its_reason_and_pairs_on_both_sides(workspace, embedder):
    records = planted.examples()[:16]
    records += [
        planted.example(ord(letter), f"Zorp{letter} quux{letter} snark{letter}?")
        for letter in string.ascii_lowercase
    ]
    run = similar(workspace, records, embedder=embedder)
    found = results(run)
    assert found["threshold"] == found["suggested"]["threshold"] < 1
    assert "random pairs" in found["suggested"]["reason"]
    assert found["random_pairs"]["q99.99"]["n"] == 42 * 41 // 2
    bands = found["sample"]
    assert bands[0]["low"] >= found["threshold"] > bands[-1]["low"]
    assert all(len(band["shown"]) <= max(4, band["pairs"]) for band in bands)
    assert sum(len(band["shown"]) for band in bands) > 4
    card = (run.path / "README.md").read_text()
    assert "prefkit clean mine.jsonl --semantic" in card


def test_the_page_escapes_every_text(workspace, embedder):
    records = planted.examples()
    records += [
        Example(id="<b>", prompt="<script>how long</script> goggles", reference="It is so."),
        Example(id="<i>", prompt="<script>duration</script> glasses", reference="It is so too."),
    ]
    page = (similar(workspace, records, embedder=embedder).path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;how long" in page
    assert "&lt;b&gt;" in page


def test_equal_texts_are_embedded_once(workspace, embedder):
    records = [
        planted.example(n, "How long is it, and where?" if n % 2 else f"Question {n}?")
        for n in range(20)
    ]
    run = similar(workspace, records, embedder=embedder, threshold=0.9)
    assert sum(concepts.CALLS) == 11
    assert results(run)["counts"] | {"records": 20, "distinct": 11} == results(run)["counts"]


def test_interrupted_and_resumed_no_text_is_embedded_twice(workspace, embedder, monkeypatch):
    monkeypatch.setattr(store, "BLOCK", 8)
    whole = similar(workspace, planted.examples(), embedder=embedder, threshold=0.7)
    concepts.CALLS.clear()
    encode = concepts.encode

    def stops(texts):
        if len(concepts.CALLS) == 3:
            raise KeyboardInterrupt
        return encode(texts)

    plan = plan_similar("mine.jsonl", SimilarConfig(embedder=embedder, threshold=0.7), workspace)
    with monkeypatch.context() as patch:
        patch.setattr(concepts, "encode", stops)
        store.opened.cache_clear()
        with pytest.raises(KeyboardInterrupt):
            run_similar(plan, Settings(workspace))
    store.opened.cache_clear()
    assert concepts.CALLS == [8, 8, 8]
    run = run_similar(plan, Settings(workspace, resume="last"))
    assert sum(concepts.CALLS) == len(planted.examples())
    assert run.manifest.resumed == 1
    for name in ("data/similar.jsonl", RESULTS):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()


@pytest.mark.parametrize("field", ["prompt", "completion", "both"])
def test_what_is_compared_is_what_the_field_says(workspace, embedder, field):
    run = similar(workspace, planted.pairs(), embedder=embedder, threshold=0.95, field=field)
    found = {(pair.left_id, pair.right_id) for pair in pairs_of(run)}
    expected = {
        "prompt": {("p000", "p002")},  # not p001: another answer to one prompt is a candidate
        "completion": set(),  # p000 and p002 have one text, so they are one unit
        "both": {("p000", "p002")},
    }
    assert {pair for pair in found if max(pair) < "p003"} == expected[field]


def test_other_system_turns_are_other_prompts(workspace, embedder):
    records = [
        Example(
            id=f"s{n}",
            prompt=(
                {"role": "system", "content": f"You are {who}."},
                {"role": "user", "content": planted.PARAPHRASES[0][n % 2]},
            ),
            reference=f"Reference of {who} number {n}.",
        )
        for n, who in enumerate(("terse", "terse", "chatty", "chatty"))
    ]
    found = pairs_of(similar(workspace, records, embedder=embedder, threshold=0.9))
    assert [(pair.left_id, pair.right_id) for pair in found] == [("s0", "s1"), ("s2", "s3")]


def test_the_farthest_text_is_an_outlier_with_its_reason(workspace, embedder):
    records = [*planted.examples()[16:], planted.example(999, "Zorp quux flibber snark?")]
    found = results(similar(workspace, records, embedder=embedder, threshold=0.9))
    assert [one["id"] for one in found["farthest"] if one["outlier"]] == ["r999"]
    assert found["farthest"][0]["z"] < -3.5


def test_sources_that_lie_apart_come_first(workspace, embedder):
    records = [
        record.model_copy(update={"metadata": {"source": "zoo" if number > 45 else "house"}})
        for number, record in enumerate(planted.examples())
    ]
    found = results(similar(workspace, records, embedder=embedder, threshold=0.9))
    assert {one["source"] for one in found["sources"]} == {"zoo", "house"}
    assert sum(one["texts"] for one in found["sources"]) == len(records)


@pytest.mark.parametrize("count", [1, 2])
def test_one_row_and_two_are_enough(workspace, embedder, count):
    run = similar(workspace, planted.examples()[:count], embedder=embedder)
    assert results(run)["counts"]["records"] == count
    assert (run.path / "report.html").stat().st_size > 1000


def test_no_rows_are_one_clear_error(workspace, embedder):
    with pytest.raises(PrefkitError, match="holds no examples"):
        similar(workspace, [], embedder=embedder)


def test_records_without_a_visible_character_are_left_out_and_counted(workspace, embedder):
    blank = Example(id="blank", prompt="\u200b", reference="\u200b")
    run = similar(workspace, [blank, *planted.examples()[:3]], embedder=embedder)
    assert (results(run)["empty"], results(run)["counts"]["records"]) == (1, 3)
    nothing = similar(workspace, [blank], embedder=embedder)
    assert results(nothing)["counts"]["records"] == 0


def test_the_lexical_embedder_needs_nothing(workspace):
    run = similar(workspace, planted.examples(), embedder="tfidf", field="both")
    card = (run.path / "README.md").read_text()
    assert "a paraphrase in other words is not found" in card
    assert {plugin["name"] for plugin in run.manifest.plugins} == {"tfidf"}


def test_from_the_command_line(workspace, embedder, capsys):
    write_jsonl(workspace.root / "mine.jsonl", planted.examples())
    arguments = ["similar", "mine.jsonl", "--embedder", embedder, "--threshold", "0.85", "--json"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    said = json.loads(capsys.readouterr().out)
    assert stop.value.code == 0
    assert said["outputs"] == {"similar": 4}
    totals = said["totals"]
    assert (totals["pairs"], totals["pairs_of_other_facts"], totals["would_go"]) == (3, 1, 3)


def test_a_bad_embedder_on_the_command_line_is_wrong_usage(workspace, capsys):
    write_jsonl(workspace.root / "mine.jsonl", planted.examples())
    with pytest.raises(SystemExit) as stop:
        main(["similar", "mine.jsonl", "--embedder", "nowhere"])
    assert stop.value.code == 2
    assert "nowhere: no such embedder" in capsys.readouterr().err


@pytest.mark.model
def test_minilm_finds_the_planted_paraphrases(workspace):
    run = similar(workspace, planted.examples(), threshold=0.6)
    records = planted.examples()
    same = {prompts(records, pair) for pair in pairs_of(run) if pair.same_facts}
    assert set(planted.PARAPHRASES) <= same
    assert same.isdisjoint(planted.LOOK_ALIKES)
