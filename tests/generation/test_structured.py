import json

import pytest
from handbook import HANDBOOK, passage

from prefkit.chat import Reply
from prefkit.config import GenerateConfig
from prefkit.generation.examples import draft_examples
from prefkit.generation.prompting import load_prompts
from prefkit.generation.structured import SCHEMA, parse

GOOD = {
    "question": "How often must the Heron engine be inspected?",
    "answer": "It has to be inspected every six weeks.",
    "quote": "The Heron  engine must be inspected\nevery six weeks",
    "kind": "factual",
}


def draft(scripted, *items, text=None, per_chunk=8):
    reply = json.dumps({"items": list(items)}) if text is None else text
    model = scripted(lambda request: reply, structured=True)
    config = GenerateConfig(per_chunk=per_chunk)
    return model, draft_examples([passage(HANDBOOK)], model, load_prompts(), config)


def test_a_grounded_item_becomes_an_example_with_its_exact_quote(scripted):
    model, drafted = draft(scripted, GOOD)
    (example,) = drafted.examples
    (quote,) = example.quotes
    assert passage(HANDBOOK).chunk.text[quote.start : quote.end] == (
        "The Heron engine must be inspected every six weeks"
    )
    assert example.reference == GOOD["answer"]
    assert example.generator == "scripted/structured"
    assert drafted.totals["valid"] == 1
    assert model.asked[0].schema == SCHEMA
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"quote": "The Heron engine is inspected weekly"}, "ungrounded-quote"),
        ({"quote": "The Heron"}, "ungrounded-quote"),
        ({"answer": "Every 8 weeks."}, "ungrounded-number"),
        ({"answer": "Ask ACME Limited every six weeks."}, "ungrounded-name"),
        ({"answer": "Six metres."}, "ungrounded-unit"),
        ({"answer": "Whenever purple elephants dance merrily."}, "ungrounded-words"),
        ({"answer": ""}, "malformed"),
        ({"answer": "I cannot answer that."}, "refusal"),
        ({"question": "Inspect the Heron engine."}, "not-a-question"),
        ({"question": "What does the passage say about engines?"}, "refers-to-passage"),
        ({"question": None}, "malformed"),
    ],
)
def test_an_item_that_breaks_a_rule_is_dropped_with_it(scripted, change, rule):
    _, drafted = draft(scripted, GOOD | change)
    assert drafted.examples == []
    (dropped,) = drafted.dropped
    assert dropped.rule == rule


def test_the_same_question_counts_once(scripted):
    _, drafted = draft(scripted, GOOD, GOOD | {"question": GOOD["question"].upper()})
    assert len(drafted.examples) == 1
    assert drafted.dropped[0].rule == "duplicate-question"


def test_an_unknown_kind_is_no_reason_to_drop(scripted):
    _, drafted = draft(scripted, GOOD | {"kind": "trivia", "note": "x"})
    assert drafted.examples[0].kind == "factual"


@pytest.mark.parametrize(
    ("text", "items", "outcome"),
    [
        (json.dumps({"items": [GOOD]}), 1, "valid"),
        (json.dumps({"items": []}), 0, "valid"),
        (f"```json\n{json.dumps({'items': [GOOD]})}\n```", 1, "repaired"),
        (f"Here you are:\n{json.dumps(GOOD)}", 1, "repaired"),
        (json.dumps([GOOD, GOOD]), 2, "repaired"),
        (json.dumps({"items": [GOOD]})[:-2] + ",]}", 1, "repaired"),
        (json.dumps({"items": [GOOD, GOOD]})[:-40], 1, "repaired"),
        ("I would rather not.", 0, "rejected"),
        ('{"items": "none"}', 0, "rejected"),
        ("[" * 100_000, 0, "rejected"),
        ("", 0, "rejected"),
    ],
)
def test_replies_are_parsed_repaired_or_rejected(text, items, outcome):
    found, how = parse(text)
    assert (len(found), how) == (items, outcome)


def test_a_rejected_reply_and_a_failed_one_are_counted(scripted):
    _, drafted = draft(scripted, text="no JSON here")
    assert (drafted.totals["rejected"], drafted.dropped[0].rule) == (1, "malformed")
    replies = iter([Reply("", "error", error="500"), Reply(json.dumps({"items": [GOOD]}))])
    model = scripted(lambda request: next(replies), structured=True)
    both = [passage(HANDBOOK), passage(HANDBOOK + "\n\nMore text.")]
    drafted = draft_examples(both, model, load_prompts(), GenerateConfig())
    assert [d.rule for d in drafted.dropped] == ["model-error"]
    assert len(drafted.examples) == 1


def test_no_more_items_are_kept_than_were_asked_for(scripted):
    others = [GOOD | {"question": f"How often must engine {n} be inspected?"} for n in range(9)]
    _, drafted = draft(scripted, *others, per_chunk=2)
    assert len(drafted.examples) + len(drafted.dropped) == 2
