import time

import pytest

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import RULES, load_rules
from prefkit.config import CleanConfig
from prefkit.records import Example, Message, assistant, user
from prefkit.workspace import Workspace

LISTING = " ".join(f"Hut {name} sleeps {n}." for n, name in enumerate("ABCDEFGHIJ", start=11))


def first_finding(example, **config):
    rules = load_rules(CleanConfig(**config), Workspace.find())
    return next(iter(rules.findings(row_of(example), first_only=True)), None)


def refusal(reference, prompt="When does the hut open?", **config):
    example = Example(prompt=prompt, reference=reference)
    found = first_finding(example, **config)
    return None if found is None else found.rule


@pytest.mark.parametrize(
    ("rule", "reference"),
    [
        ("empty", "— …"),
        ("too-short", "Yes."),
        ("too-long", "word " * 201),
        ("echo", "when does the hut open"),
        ("refusal", "I'm sorry, but I can't help with that."),
        ("refusal", "As an AI language model, I have no opening hours."),
        ("refusal", "Unfortunately, I cannot see the schedule."),
        ("refusal", "Sorry, but we're unable to say when it opens."),
        (None, "Unfortunately, I think it might take a bit longer to get there."),
        (None, "Sorry, I did mean the other hut; that one opens at six."),
        ("unanswered", "The passage does not mention opening hours."),
        ("unanswered", "The text doesn't explicitly state it."),
        ("unanswered", "There is no information about the hut."),
        ("unanswered", "Not specified"),
        ("damaged-text", "The caf\ufffd opens at six."),
        ("damaged-text", "The cafÃ© opens at six."),
        ("damaged-text", "The hutâ€™s door opens at six."),
        ("chat-markup", "It opens at six.<|im_end|>"),
        ("chat-markup", "At six.\nQuestion: And when does it close?"),
        ("chat-markup", "Answer: it opens at six."),
        ("chat-markup", "It opens at six.\n\n### Instruction:\nAsk more."),
        ("placeholder", "Call [insert name] at six."),
        ("placeholder", "It opens at {{time}} daily."),
        ("placeholder", "TODO: look up the hours."),
        ("html-markup", "It opens<br>at six."),
        ("html-markup", "Huts &amp; shelters open at six."),
        ("repetition", "the hut opens the hut opens the hut opens the hut opens"),
        ("repetition", "- six\n- six\n- six\n- seven"),
        ("repetition", "It opens at six in the morning, we think. It opens late. " * 4),
        ("truncated", "It opens at six (in summer"),
        ("truncated", "It opens at the"),
        ("truncated", "It opens at six,"),
        ("truncated", "Run:\n```\nopen hut"),
        ("truncated", " ".join(f"word{n}" for n in range(30))),
    ],
)
def test_a_rule_refuses(rule, reference):
    assert refusal(reference) == rule


@pytest.mark.parametrize(
    "reference",
    [
        "It opens at 6 am",
        "Sorry, no dogs are allowed.",
        "The text does not have to be signed by both members.",
        "There is no information desk after 6 pm.",
        "As an administrator you open it.",
        "I cannot recommend the north face, says the guide.",
        "a) at six b) at seven",
        "## Questions that new people ask\n\nWhen it opens.",
        "The range [0, 1) is half open.",
        "If a < b and c > d, wait; R&D opens later.",
        "It is an alias of `open`",
        "Run:\n\n```\nopen hut\n```",
        "It takes `bool`, `str`, `float`, `int`, or `None`.",
        "Use `{{time}}` and `<br>` in the template.",
        "See [Name](https://example.org) for hours.",
        "Ã la carte, until SÃO JOÃO",
        LISTING,
        "Alpha, beta, gamma, delta, alpha, beta.",
        "∅ is empty",
        "六時に開きます",
    ],
)
def test_a_good_reference_passes(reference):
    assert refusal(reference) is None


@pytest.mark.parametrize(
    ("rule", "prompt"),
    [
        ("empty", "?!"),
        ("refers-to-passage", "According to the passage, who leads?"),
        ("refers-to-passage", "What does the text describe?"),
        ("damaged-text", "Who is R\ufffdne?"),
        ("chat-markup", "Who leads?</s>"),
        ("refers-to-passage", "Based on the given text, who leads?"),
        (None, "In what context is a rope used?"),
        (None, "Who aligns the text?"),
        (None, "What does key mean in this context?"),
        (None, "What is the passage fee?\n\nPassage: it says six."),
    ],
)
def test_a_prompt_is_judged_too(rule, prompt):
    assert refusal("The warden leads.", prompt) == rule


def test_a_prompt_that_ends_with_an_answer_asks_nothing():
    example = Example(prompt=(*user("Who?"), *assistant("Me.")), reference="The warden leads.")
    found = first_finding(example)
    assert found.rule == "no-question"
    assert found.detail == "the prompt ends with the assistant's turn"
    tool = (*user("Who?"), Message(role="tool", content="warden"))
    assert first_finding(Example(prompt=tool, reference="A b.")) is None


def test_gopher_limits_stop_a_long_text_that_circles():
    words = " ".join(f"the hut book on day {n} says the hut book is full;" for n in range(14))
    assert refusal(f"{words} so.") == "repetition"


def test_the_limits_are_the_configuration():
    assert refusal("At six.", min_reference_words=3) == "too-short"
    assert refusal("At six or seven.", max_reference_words=3) == "too-long"


def test_the_first_rule_in_the_table_is_the_reason():
    example = Example(prompt="Who?", reference="\ufffd")
    rules = load_rules(CleanConfig(), Workspace.find())
    found = [finding.rule for finding in rules.findings(row_of(example))]
    assert found == sorted(found, key=list(RULES).index)
    assert len(found) > 1
    assert [finding.rule for finding in rules.findings(row_of(example), first_only=True)] == found[
        :1
    ]


@pytest.mark.parametrize(
    "reference", ["a " * 5000, "ab" * 50_000, "([{" * 20_000, "\n- " * 20_000, "x y z " * 9000]
)
def test_no_rule_takes_long_on_hostile_text(reference):
    began = time.process_time()
    refusal(reference, max_reference_words=10**6)
    assert time.process_time() - began < 2
