import json
import re

import pytest

from prefkit.config import JudgeConfig
from prefkit.errors import PrefkitError
from prefkit.judging.run import plan_judge, run_judge
from prefkit.manifest import read_manifest
from prefkit.records import Candidate, Chunk, Example, Judgment, Quote, Verdict
from prefkit.runs import Settings
from prefkit.storage import read_records, write_jsonl

PROMPTS = 20


@pytest.fixture
def candidates(workspace):
    """A candidates run made from an examples run with its chunks, all of them written by hand."""
    chunks = [Chunk(document_id="d", text=f"Valley {i} has {i} huts.", start=0, end=22)
              for i in range(PROMPTS)]  # fmt: skip
    examples = [
        Example(
            prompt=f"How many huts has valley {i}?",
            reference=f"It has {i} huts.",
            quotes=(Quote(chunk_id=chunks[i].id, start=0, end=5),),
        )
        for i in range(PROMPTS)
    ]
    answers = [
        Candidate(prompt_id=example.id, completion=text, model="m")
        for i, example in enumerate(examples)
        for text in (f"It has {i} huts.", "None.", f"it has {i}  huts.", "Ask at the office.")
    ]
    made = workspace.runs / "generate-1"
    write_jsonl(made / "data" / "examples.jsonl", examples)
    write_jsonl(made / "data" / "chunks.jsonl", chunks)
    _manifest(made, "generate", [])
    sampled = workspace.runs / "candidates-1"
    write_jsonl(sampled / "data" / "candidates.jsonl", answers)
    _manifest(sampled, "candidates", [{"path": "x", "sha256": "0", "run": "generate-1"}])
    return sampled


def _manifest(folder, stage, inputs):
    manifest = {
        "stage": stage, "status": "finished", "digest": "0", "argv": [], "inputs": inputs,
        "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:01+00:00",
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def right(first, second):
    """Prefers the answer that says how many huts."""
    one, two = ("huts" in text for text in (first, second))
    return "tie" if one == two else "A" if one else "B"


@pytest.fixture
def playing(monkeypatch, scripted):
    """Let a scripted model play every judge."""

    def play(say=right):
        model = scripted(say)
        monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: model)
        return model

    return play


def judged(workspace, source="@candidates", **config):
    plan = plan_judge(source, JudgeConfig(**config), workspace)
    return run_judge(plan, Settings(workspace))


def judgments_of(run):
    return list(read_records(run.path / "data" / "judgments.jsonl", Judgment))


def verdicts_of(run):
    return list(read_records(run.path / "data" / "verdicts.jsonl", Verdict))


def texts(candidates):
    found = read_records(candidates / "data" / "candidates.jsonl", Candidate)
    return {candidate.id: candidate.completion[0].content for candidate in found}


def test_the_rule_rates_every_candidate_without_a_model(workspace, candidates):
    run = judged(workspace)
    said = texts(candidates)
    judgments = judgments_of(run)
    assert len(judgments) == PROMPTS
    for judgment in judgments:
        assert (judgment.source, judgment.annotator) == ("rule", "rule:reference")
        by_text = {said[name]: rating for name, rating in judgment.ratings.items()}
        assert len(by_text) == 4
        assert max(by_text, key=by_text.get).casefold().startswith("it has")
    assert not (run.path / "data" / "verdicts.jsonl").exists()
    assert "a rule, no model" in (run.path / "README.md").read_text()
    assert [plugin["name"] for plugin in run.manifest.plugins] == ["rule:reference"]


def test_a_judge_ranks_by_what_held_in_both_orders(workspace, candidates, playing):
    model = playing()
    run = judged(workspace, judges=("helpfulness",))
    said, verdicts = texts(candidates), verdicts_of(run)
    for judgment in judgments_of(run):
        ranks = {said[name].casefold().split()[0]: r for name, r in judgment.ranks.items()}
        assert ranks["it"] == 1
        assert ranks["none."] == ranks["ask"] == 3  # two share the first place
        assert judgment.status == "submitted"
        assert judgment.annotator == "judge:helpfulness:scripted"
        assert len(judgment.guideline_sha256) == 64
        assert set(judgment.shown_order) <= set(judgment.ranks)
    assert len(verdicts) == len(model.asked) == 2 * 3 * PROMPTS
    assert {verdict.swapped for verdict in verdicts} == {False, True}
    totals = run.manifest.totals
    assert (totals["calls"], totals["unscored"], totals["flipped"]) == (120, 0, 0)
    assert totals["identical"] == PROMPTS  # `It has` and `it  has` are one answer
    assert totals["usd"] == pytest.approx(0.12)
    assert totals["unpriced"] == 0


def test_a_card_never_calls_a_judge_calibrated(workspace, candidates, playing):
    playing()
    card = (judged(workspace, judges=("helpfulness",)).path / "README.md").read_text()
    assert "an **uncalibrated** LLM judge (nobody has labelled pairs for it)" in card
    assert "flipped with the order: 0% of 60 pairs" in card
    assert "chose the answer shown first in 50% of its choices" in card


def test_a_judge_that_follows_the_slot_is_warned_about_and_ranks_nothing(
    workspace, candidates, playing, capsys
):
    playing(lambda first, second: "A")
    run = judged(workspace, judges=("helpfulness",))
    assert all(set(judgment.ranks.values()) == {1} for judgment in judgments_of(run))
    assert "warning: helpfulness changed its mind in 100% of 60 pairs" in capsys.readouterr().err
    assert "follows the slot" in (run.path / "README.md").read_text()


def test_an_unreadable_judge_gives_unscored_judgments_not_ties(
    workspace, candidates, playing, capsys
):
    playing(lambda first, second: "Both are fine answers.")
    run = judged(workspace, judges=("helpfulness",))
    for judgment in judgments_of(run):
        assert (judgment.status, judgment.ranks) == ("unscored", None)
    assert run.manifest.totals["unscored"] == 120
    assert {verdict.raw for verdict in verdicts_of(run)} == {"Both are fine answers."}
    assert "no readable verdict in 100% of 120 calls" in capsys.readouterr().err


def test_rules_and_judges_stand_side_by_side(workspace, candidates, playing):
    playing()
    run = judged(workspace, judges=("rule:reference", "helpfulness", "correctness"))
    sources = [judgment.annotator for judgment in judgments_of(run)]
    assert {name: sources.count(name) for name in sources} == {
        "rule:reference": PROMPTS,
        "judge:helpfulness:scripted": PROMPTS,
        "judge:correctness:scripted": PROMPTS,
    }


def test_a_judge_sees_the_passage_or_reference_it_needs(workspace, candidates, playing):
    model = playing()
    judged(workspace, judges=("groundedness",), limit=1)
    assert all("Valley 0 has 0 huts." in text for text in model.asked)
    model = playing()
    judged(workspace, judges=("correctness",), limit=1)
    assert all(re.search(r"<reference \w+>\nIt has 0 huts.\n", text) for text in model.asked)


def test_a_prompt_whose_passage_is_unknown_is_unscored(workspace, candidates, playing):
    source = workspace.runs / "generate-1" / "data" / "examples.jsonl"
    stripped = [e.model_copy(update={"quotes": ()}) for e in read_records(source, Example)]
    write_jsonl(source, stripped)
    model = playing()
    run = judged(workspace, judges=("groundedness",))
    assert model.asked == []
    assert {j.metadata["reason"] for j in judgments_of(run)} == {"the passage is not known"}
    assert {j.status for j in judgments_of(run)} == {"unscored"}


def test_a_run_that_was_stopped_ends_with_the_same_bytes(workspace, candidates, playing):
    playing()
    whole = judged(workspace, judges=("rule:reference", "helpfulness"))
    calls = []

    def dies(first, second):
        calls.append(1)
        if len(calls) == 60:
            raise KeyboardInterrupt
        return right(first, second)

    playing(dies)
    with pytest.raises(KeyboardInterrupt):
        judged(workspace, judges=("rule:reference", "helpfulness"))
    stopped = next(f for f in workspace.run_folders("judge") if f != whole.path)
    assert read_manifest(stopped).status == "interrupted"
    model = playing()
    plan = plan_judge(
        "@candidates", JudgeConfig(judges=("rule:reference", "helpfulness")), workspace
    )
    resumed = run_judge(plan, Settings(workspace, resume=str(stopped)))
    assert 0 < len(model.asked) < 120
    for name in ("judgments.jsonl", "verdicts.jsonl"):
        mine, theirs = (run.path / "data" / name for run in (resumed, whole))
        assert mine.read_bytes() == theirs.read_bytes()
    assert resumed.manifest.totals == whole.manifest.totals
    again = run_judge(plan, Settings(workspace, resume=str(stopped)))
    assert again.path == resumed.path


def test_an_edited_prompt_is_another_run(workspace, candidates, playing):
    playing()
    from prefkit.judging.cards import copy_card

    folder = copy_card("helpfulness", None, workspace)
    plan = plan_judge("@candidates", JudgeConfig(judges=("helpfulness",)), workspace)
    (folder / "prompt.txt").write_text("$question $prompt $answer_a $answer_b")
    other = plan_judge("@candidates", JudgeConfig(judges=("helpfulness",)), workspace)
    assert plan.digest() != other.digest()


def test_one_candidate_cannot_be_compared_and_strays_are_dropped_with_a_reason(
    workspace, candidates, playing
):
    file = candidates / "data" / "candidates.jsonl"
    first, *_ = read_records(file, Candidate)
    stray = Candidate(prompt_id="unknown", completion="x", model="m")
    write_jsonl(file, [first, stray])
    playing()
    run = judged(workspace, judges=("helpfulness",))
    assert run.manifest.dropped == {"unknown-prompt": 1, "one-candidate": 1}


def test_a_bare_file_of_candidates_needs_its_examples_named(workspace, candidates, tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_bytes((candidates / "data" / "candidates.jsonl").read_bytes())
    with pytest.raises(PrefkitError, match="does not say which prompts"):
        plan_judge(str(file), JudgeConfig(), workspace)
    plan = plan_judge(str(file), JudgeConfig(examples="generate-1"), workspace)
    assert plan.counts == {"prompts": PROMPTS, "candidates": 4 * PROMPTS}
    with pytest.raises(PrefkitError, match="none of 80 candidates answers a prompt"):
        other = tmp_path / "examples.jsonl"
        write_jsonl(other, [Example(prompt="?", reference="!")])
        plan_judge(str(file), JudgeConfig(examples=str(other)), workspace)


def test_the_plan_knows_how_many_calls_will_be_made(workspace, candidates, playing):
    model = playing()
    config = JudgeConfig(judges=("rule:reference", "helpfulness"), max_pairs_per_prompt=2)
    plan = plan_judge("@candidates", config, workspace)
    run_judge(plan, Settings(workspace))
    assert plan.expected["calls"] == len(model.asked) == 2 * 2 * PROMPTS
    assert plan_judge("@candidates", JudgeConfig(), workspace).expected == {"calls": 0, "usd": 0.0}


def test_two_judges_of_one_name_are_refused(workspace, candidates):
    with pytest.raises(PrefkitError, match="Two judges are called `rule:reference`"):
        plan_judge("@candidates", JudgeConfig(judges=("rule:reference",) * 2), workspace)


def test_no_model_is_opened_for_a_rule(workspace, candidates, monkeypatch):
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: pytest.fail("opened"))
    assert judged(workspace).manifest.stage == "judge"
