import dataclasses
import json
import re

import pytest
from chat_server import Answer

from prefkit.audit import asking, counterfactual
from prefkit.audit.asking import open_judge
from prefkit.audit.audited import audited_of
from prefkit.audit.exchanged_pairs import twins
from prefkit.audit.run import plan_audit, run_audit
from prefkit.audit.term_lists import load_terms
from prefkit.chat.endpoint import EndpointModel
from prefkit.cleaning.rows import row_of
from prefkit.config import AuditConfig
from prefkit.judging.cards import load_judge
from prefkit.judging.pairwise import compare
from prefkit.records import Example, PreferencePair
from prefkit.runs import Settings
from prefkit.storage import read_json_lines, write_jsonl


def pair(number, chosen="He sang", rejected="She sang"):
    return PreferencePair(
        id=f"r{number:02d}",
        prompt=f"Who sang song {number}?",
        chosen=f"{chosen} song {number}.",
        rejected=f"{rejected} song {number}.",
        prompt_id=f"p{number}",
    )


def answers(asked):
    """What the judge was shown as answers A and B."""
    return [
        re.search(rf"<{name} (\w+)>\n(.*)\n</{name} \1>", asked.text, re.DOTALL)[2]
        for name in ("answer_a", "answer_b")
    ]


def for_men(asked):
    first, second = answers(asked)
    return "A" if "He " in first else "B" if "He " in second else "tie"


def longer(asked):
    first, second = map(len, answers(asked))
    return "A" if first > second else "B" if second > first else "tie"


@pytest.fixture
def judged(workspace, chat_server):
    def judged(records, reply, count=100, **config):
        chat_server.reply = reply
        audited = audited_of(records, AuditConfig(counterfactual=count, **config), workspace)
        judge = load_judge("helpfulness", workspace)
        model = EndpointModel("judge", base_url=chat_server.url)
        section = counterfactual.section(audited, judge=judge, model=model)
        return section, {f.key.partition(".")[2]: f for f in section.figures}

    return judged


def test_a_judge_that_prefers_men_changes_its_mind_and_raises_an_alarm(judged):
    records = [pair(n, *(("He sang", "She sang")[:: 1 if n % 3 else -1])) for n in range(12)]
    records += [pair(n, "The choir sang of her", "The band sang") for n in range(12, 16)]
    section, figures = judged(records, for_men)
    assert (figures["changed"].value, figures["changed"].n) == (0.75, 16)
    assert figures["turned"].value == 0.75
    assert (figures["flips"].value, figures["flips"].n) == (0.0, 32)
    assert figures["beyond"].value == 0.75
    assert figures["beyond"].low > 0
    assert figures["beyond"].alarm.startswith("The judge changes its answer")
    [by_list, turned] = section.tables
    assert by_list.rows[0][:2] == ("gender", "16")
    assert len(turned.rows) == 12
    assert len(section.data["pairs"]) == 16
    assert [call["raw"] for call in section.data["pairs"][0]["calls"]]


def test_a_judge_that_looks_at_length_keeps_its_mind(judged):
    records = [pair(n, "She sang the whole of", "He sang") for n in range(10)]
    section, figures = judged(records, longer)
    assert figures["changed"].value == 0
    assert figures["beyond"].value == 0
    assert not section.alarms


def test_a_judge_that_follows_the_slot_is_all_noise_and_says_nothing_of_terms(judged):
    section, figures = judged([pair(n) for n in range(10)], lambda asked: "A")
    assert figures["flips"].value == 1.0
    assert figures["changed"].value == 0.0
    assert figures["beyond"].value == -1.0
    assert section.alarms == (figures["flips"].alarm,)
    assert "says nothing of terms" in figures["flips"].alarm


def test_what_cannot_be_read_is_counted_apart_with_its_words(judged):
    def reply(asked):
        return "I would rather not say." if "song 3?" in asked.text else for_men(asked)

    section, figures = judged([pair(n) for n in range(5)], reply)
    assert (figures["unscored"].value, figures["unscored"].n) == (0.2, 5)
    assert figures["changed"].n == 4
    [broken] = [p for p in section.data["pairs"] if p["pair"] == "r03"]
    assert {call["raw"] for call in broken["calls"]} == {"I would rather not say."}
    assert {call["winner"] for call in broken["calls"]} == {None}
    assert all(call["reason"].startswith("the last line is not") for call in broken["calls"])


def test_an_endpoint_that_fails_makes_pairs_unscored(judged):
    _, figures = judged([pair(1)], lambda asked: Answer(status=400, message="no"))
    assert figures["unscored"].value == 1.0
    assert figures["changed"].value is None


def test_only_as_many_pairs_as_asked_for_and_the_same_in_any_order(workspace):
    rows = [row_of(pair(n)) for n in range(20)]
    lists = load_terms(workspace)
    drawn = twins(rows, lists, 7, seed=3)
    assert len(drawn) == 7
    assert twins(rows[::-1], lists, 7, seed=3) == drawn
    assert twins(rows, lists, 7, seed=4) != drawn


def test_pairs_of_rarer_lists_are_drawn_too(workspace):
    rows = [row_of(pair(n, "She said a muslim sang", "He said nobody sang")) for n in range(8)]
    drawn = twins(rows, load_terms(workspace), 8, seed=0)
    assert sorted(one.terms for one in drawn) == ["gender"] * 4 + ["religion"] * 4
    [first, *_] = [one for one in drawn if one.terms == "religion"]
    original, exchanged = first.items
    assert "a christian sang" in exchanged.a[0].content
    assert exchanged.a[0].content.startswith("She said")
    assert original.b == exchanged.b


def test_pairs_without_terms_are_not_asked_about(judged, chat_server):
    section, figures = judged([pair(n, "It sang", "They sang") for n in range(3)], for_men)
    assert chat_server.asked == []
    assert figures["changed"].value is None
    assert "No pair holds a term" in figures["changed"].note
    assert section.tables == ()


def test_nothing_is_asked_of_other_records_or_when_no_pairs_are_wanted(workspace):
    examples = [Example(prompt="Who is she?", reference="An aunt")]
    config = AuditConfig(counterfactual=5)
    assert counterfactual.section(audited_of(examples, config, workspace)) is None
    assert counterfactual.section(audited_of([pair(1)], AuditConfig(), workspace)) is None


def test_a_rule_judges_by_the_reference_which_is_exchanged_too(workspace):
    run = workspace.root / "runs" / "clean-1"
    examples = [
        Example(id=f"p{n}", prompt=f"Who sang song {n}?", reference=f"He sang song {n}.")
        for n in range(4)
    ]
    write_jsonl(run / "data" / "examples.jsonl", examples)
    config = AuditConfig(counterfactual=9, judge="rule:reference")
    audited = audited_of([pair(n) for n in range(6)], config, workspace)
    section = counterfactual.section(dataclasses.replace(audited, runs=(run,)))
    figures = {f.key.partition(".")[2]: f for f in section.figures}
    assert (figures["changed"].value, figures["changed"].n) == (0.0, 4)
    assert "2 pairs lack the reference it needs" in figures["changed"].note
    assert {call["winner"] for p in section.data["pairs"] for call in p["calls"]} == {"a"}
    assert open_judge("rule:reference", workspace).needs == "reference"


def test_an_interrupted_run_goes_on_where_it_was_and_ends_with_the_same_verdicts(
    workspace, chat_server, monkeypatch
):
    records = [pair(n, "He sang", "She sang badly") for n in range(10)]
    write_jsonl(workspace.root / "pairs.jsonl", records)
    config = AuditConfig(counterfactual=10, model="openai:judge", base_url=chat_server.url)
    plan = plan_audit("pairs.jsonl", config, workspace)
    settings = Settings(workspace=workspace, out=workspace.root / "runs" / "whole", workers=1)
    chat_server.reply = for_men
    whole = run_audit(plan, settings).path
    results = json.loads((whole / "audit.json").read_text(encoding="utf-8"))
    data = results["sections"]["counterfactual"]
    assert data["figures"]["counterfactual.turned"]["value"] == 1.0
    verdicts = [row for _, row in read_json_lines(whole / "data" / "verdicts.jsonl")]
    assert len(verdicts) == len(chat_server.asked) == 40
    assert {verdict["raw"] for verdict in verdicts} == {"A", "B"}
    manifest = json.loads((whole / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["outputs"]["verdicts"] == manifest["totals"]["calls"] == 40
    assert manifest["plugins"][0]["name"] == "helpfulness"

    asked = []

    def compare_twice(judge, model, items):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append([item.sample_id for item in items])
        return compare(judge, model, items)

    part = workspace.root / "runs" / "part"
    monkeypatch.setattr(asking, "compare", compare_twice)
    with pytest.raises(KeyboardInterrupt):
        run_audit(plan, dataclasses.replace(settings, out=part))
    before = asked.copy()
    asked.clear()
    run_audit(plan, dataclasses.replace(settings, out=None, resume=str(part)))
    assert len(before) == 2
    assert len(asked) == 1
    assert not {*before[0], *before[1]} & set(asked[0])
    same = (part / "data" / "verdicts.jsonl").read_bytes()
    assert same == (whole / "data" / "verdicts.jsonl").read_bytes()
