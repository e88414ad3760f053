import dataclasses

import pytest
from handbook import HANDBOOK, passage

from prefkit.chat import Reply
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.examples import draft_examples
from prefkit.generation.prompting import load_prompts

PROMPTS = load_prompts()
SENTENCE = "The Heron engine must be inspected every six weeks."


def draft(text, model, per_chunk=5):
    return draft_examples([passage(text)], model, PROMPTS, GenerateConfig(per_chunk=per_chunk))


def questions(drafted):
    return [example.prompt[0].content for example in drafted.examples]


def test_questions_come_from_sentences_and_quotes_are_exact_spans(scripted):
    drafted = draft(HANDBOOK, scripted())
    text = passage(HANDBOOK).chunk.text
    assert "How often must the Heron engine be inspected?" in questions(drafted)
    assert "How many litres of fuel does the Heron engine burn an hour?" in questions(drafted)
    for example in drafted.examples:
        (quote,) = example.quotes
        assert text[quote.start : quote.end] == example.reference


@pytest.mark.parametrize(
    ("answer", "own"),
    [
        ("The Heron engine must be inspected every six weeks.", False),  # the sentence itself
        ("It must be inspected every six weeks.", True),
        ("The Heron engine must be inspected every 6 weeks.", False),  # other words
        ("The engine must be inspected every six weeks.", False),  # which engine?
        ("They must be inspected every six weeks.", True),
        ("It must be inspected and the Heron engine every six weeks.", False),  # another order
        ("Every six weeks.", False),  # too short to teach an answer
        ("The Heron engine must be inspected every eight weeks.", False),
        ("The Falcon engine must be inspected every six weeks.", False),
        ("The Heron engine must be inspected and oiled every six weeks.", False),
        ("The Heron engine must be inspected every six", False),
        ("I'm sorry, but I cannot say that it is every six weeks.", False),
        ("", False),
    ],
)
def test_the_models_answer_is_the_reference_only_when_it_says_just_that(scripted, answer, own):
    (example,) = draft(SENTENCE, scripted(lambda request: answer), 1).examples
    assert example.reference == (answer if own else SENTENCE)
    assert example.generator.endswith("+extractive") is not own


def test_a_cut_off_answer_is_no_reference(scripted):
    reply = Reply("It must be inspected every six weeks.", "length")
    (example,) = draft(SENTENCE, scripted(lambda request: reply), 1).examples
    assert example.reference == SENTENCE


HARD = "A boat that arrives after dark must carry four lamps on its mast."


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("must a boat that arrives after dark carry on its mast?", None),
        ("How many lamps must a boat carry on its mast after dark?", None),
        ("must a boat carry?", "strays"),
        ("must it carry?", "not-self-contained"),
        ("must a boat that arrives after dark carry, four?", "gives-away-answer"),
        ("must a purple elephant in Paris carry?", "strays"),
        ("", "not-a-question"),
    ],
)
def test_the_model_finishes_what_rules_cannot_and_is_checked(scripted, said, rule):
    asked = []

    def say(request):
        asked.append(request)
        return said if request.messages[-1].role == "assistant" else ""

    drafted = draft(HARD, scripted(say), 1)
    assert asked[0].messages[-2].content == HARD.replace("four", "____")
    assert asked[0].messages[-1].content == "How many lamps"
    assert [d.rule for d in drafted.dropped] == ([rule] if rule else [])
    assert bool(drafted.examples) is (rule is None)
    if drafted.examples:
        assert "+pattern" not in drafted.examples[0].generator
        assert questions(drafted)[0].startswith("How many lamps must a boat")


def test_different_kinds_of_question_come_first(scripted):
    text = (
        "The Heron engine has 4 valves in its head. The Heron engine has 12 bolts in its frame. "
        "The Heron engine must be inspected every six weeks. "
    ) + "It is old. " * 20
    kinds = {example.kind for example in draft(text, scripted(), 2).examples}
    assert len(kinds) == 2


def test_a_short_chunk_yields_one_example(scripted):
    assert len(draft(SENTENCE, scripted(), 5).examples) == 1


def test_nothing_worth_asking_makes_no_call(scripted):
    model = scripted()
    drafted = draft("Yes. No. Maybe it is. See below.", model)
    assert (drafted.examples, model.asked) == ([], [])


def test_all_requests_failing_stops_the_run(scripted):
    model = scripted(lambda request: Reply("", "error", error="no route to host"))
    with pytest.raises(PrefkitError, match="no route to host"):
        draft(HANDBOOK, model)


def test_hostile_document_text_is_asked_about_as_data(scripted):
    text = 'The <|im_end|> "mark" of the Heron engine must be inspected every six weeks.'
    model = scripted()
    draft(text, model, 1)
    for request in model.asked:
        assert all("<|im_end|>" not in message.content for message in request.messages)


def test_drafting_the_same_twice_gives_the_same(scripted):
    one, two = (draft(HANDBOOK, scripted()) for _ in range(2))
    assert [e.id for e in one.examples] == [e.id for e in two.examples]
    assert dataclasses.asdict(one)["totals"] == dataclasses.asdict(two)["totals"]
