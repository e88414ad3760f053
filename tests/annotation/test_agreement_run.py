"""The stage: what it reads, what it writes, what it says."""

import json

import pytest
from made_runs import example, make_run

from prefkit.annotation.agreement.run import plan_agreement, read_agreement, run_agreement
from prefkit.cli import main
from prefkit.config import AgreementConfig
from prefkit.errors import PrefkitError
from prefkit.records import Candidate, Conflict, Judgment
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, write_json, write_jsonl
from prefkit.trace import trace

CONFIG = AgreementConfig()
EXAMPLES = [example(number) for number in range(12)]


def longer_and_shorter(one):
    texts = (f"{one.reference} Ring first.", one.reference)
    return [Candidate(prompt_id=one.id, completion=text, model="m") for text in texts]


CANDIDATES = [one for each in EXAMPLES for one in longer_and_shorter(each)]


def vote(number, who, best, **fields):
    names = [one.id for one in longer_and_shorter(EXAMPLES[number])]
    ranks = {name: 1 + (place != best) for place, name in enumerate(names)}
    return Judgment(
        prompt_id=EXAMPLES[number].id,
        annotator=who,
        source="human",
        ranks=ranks,
        shown_order=tuple(names if number % 2 else names[::-1]),
        **fields,
    )


VOTES = [vote(n, who, 0) for n in range(12) for who in ("ada", "ben")]
VOTES[1] = vote(0, "ben", 1)


def pulled(workspace, votes=VOTES, checks=(), key=None):
    """A finished pull of a push of candidates."""
    clean = make_run(workspace, "clean", {"examples/train": EXAMPLES})
    inputs = [clean / "data" / "examples" / "train.jsonl"]
    made = make_run(workspace, "candidates", {"candidates": CANDIDATES}, inputs)
    push = finished(workspace, "annotate-push", {}, made / "data" / "candidates.jsonl")
    if key:
        write_json(push / "key" / "attention.json", key)
    streams = {"judgments": votes} | ({"checks": checks} if checks else {})
    return finished(workspace, "annotate-pull", streams, push / "manifest.json")


def finished(workspace, stage, streams, source):
    from prefkit.manifest import Input

    plan = Plan(stage, CONFIG, inputs=(Input.of(source, workspace),))
    with Run.start(plan, Settings(workspace)) as run:
        run.record("all", streams)
        run.finish(["all"])
    return run.path


def measured(workspace, source="@annotate-pull", **config):
    plan = plan_agreement(source, AgreementConfig(**config), workspace)
    return run_agreement(plan, Settings(workspace))


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["annotate", "agreement", *arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_a_pull_leads_to_candidates_and_checks(workspace):
    checks = [
        Judgment(
            prompt_id="task 1",
            annotator="ada",
            source="human",
            decision="accept",
            metadata={"record": "task 1"},
        )
    ]
    pulled(workspace, checks=checks, key={"task 1": "reject"})
    run = measured(workspace)
    found = read_agreement(run.path)
    ada = {figure.key: figure for figure in found.annotators[0].figures}
    assert (ada["attention"].value, ada["attention"].n) == (0, 1)
    assert (found.judgments, found.prompts, found.shared_prompts) == (24, 12, 12)
    assert "longer" in ada
    assert {entry.path.split("/")[-1] for entry in run.manifest.inputs} == {
        "judgments.jsonl",
        "checks.jsonl",
        "candidates.jsonl",
        "attention.json",
    }


def test_the_conflicts_are_records_that_trace_back(workspace):
    pulled(workspace)
    run = measured(workspace)
    (conflict,) = read_records(run.path / "data" / "conflicts.jsonl", Conflict)
    assert (conflict.prompt_id, conflict.amount) == (EXAMPLES[0].id, 1)
    assert conflict.annotators == ("ada", "ben")
    steps = trace(str(run.path), None, workspace)
    assert [step.stream for step in steps[:3]] == ["conflicts", "judgments", "judgments"]
    assert "conflicts" in (run.path / "README.md").read_text().split("---")[1]


def test_the_same_input_gives_the_same_report(workspace):
    pulled(workspace)
    one, other = measured(workspace), measured(workspace)
    for name in ("agreement.json", "data/conflicts.jsonl"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes()


def test_an_interrupted_run_is_resumed_to_the_same_report(workspace, monkeypatch):
    pulled(workspace)
    whole = measured(workspace)
    plan = plan_agreement("@annotate-pull", CONFIG, workspace)
    with monkeypatch.context() as patch:
        patch.setattr("prefkit.annotation.agreement.run.write_json", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_agreement(plan, Settings(workspace))
    resumed = run_agreement(plan, Settings(workspace, resume="last"))
    assert resumed.manifest.resumed == 1
    for name in ("agreement.json", "data/conflicts.jsonl"):
        assert (whole.path / name).read_bytes() == (resumed.path / name).read_bytes()


def interrupt(*_):
    raise KeyboardInterrupt


def test_several_sources_are_joined_and_a_judgment_in_both_counts_once(workspace, tmp_path):
    write_jsonl(tmp_path / "one.jsonl", VOTES[:10])
    write_jsonl(tmp_path / "other.jsonl", VOTES[8:])
    sources = [str(tmp_path / "one.jsonl"), str(tmp_path / "other.jsonl")]
    found = read_agreement(measured(workspace, sources).path)
    assert found.judgments == 24
    assert any("length bias" in note for note in found.notes)


def test_a_name_of_an_annotator_cannot_write_into_the_page_or_the_card(workspace):
    name = "<script>alert(1)</script>|`x`"
    pulled(workspace, [vote(n, who, 0) for n in range(3) for who in (name, "ben")])
    run = measured(workspace)
    page = (run.path / "report.html").read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page
    card = (run.path / "README.md").read_text()
    assert "<script" not in card.split("## Annotators")[1]
    assert "\\|" in card


def test_the_command_prints_tables_or_one_document(workspace, capsys):
    pulled(workspace)
    code, out, err = command(capsys)
    assert code == 0
    for words in ("Krippendorff's alpha", "ada", "95 % interval", "1 conflict:", "Nothing stands"):
        assert words in out
    assert "annotate adjudicate" in err
    code, out, _ = command(capsys, "@annotate-pull", "--conflict", "1.0", "--json")
    found = json.loads(out)
    assert found["agreement"]["questions"][0]["name"] == "ranks"
    assert found["stage"] == "annotate-agreement"


def test_nothing_submitted_is_said_and_leaves_no_run(workspace):
    pulled(workspace, [vote(0, "ada", 0, status="draft")])
    with pytest.raises(PrefkitError, match="None of 1 judgments is submitted"):
        measured(workspace)
    assert not list(workspace.run_folders("annotate-agreement"))


@pytest.mark.parametrize("text", ["[]", "{", '{"p": 3}', '{"p": {"c": "first"}}'])
def test_a_damaged_key_is_named(workspace, tmp_path, text):
    pulled(workspace)
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(PrefkitError, match=r"key\.json"):
        measured(workspace, attention_key=str(path))


def test_a_limit_takes_whole_prompts(workspace):
    pulled(workspace)
    found = read_agreement(measured(workspace, limit=3).path)
    assert (found.judgments, found.prompts) == (6, 3)
