import pytest

from prefkit.generation.asked import BLANK
from prefkit.generation.clauses import clause_of
from prefkit.generation.grounding import content_words
from prefkit.generation.questions import asked_of
from prefkit.generation.sentences import sentence_spans, stands_alone

COMMON = frozenset("rooms guests lost invoices".split())


def drafted(sentence):
    return [asked.drafted for asked in asked_of(sentence, COMMON) if asked.drafted]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        (
            "The Wren alarm must be replaced every seven years.",
            "How often must the Wren alarm be replaced?",
        ),
        (
            "The Cooperative has 412 member households.",
            "How many member households does the Cooperative have?",
        ),
        (
            "The rated load of the Kestrel winch is 400 kilograms.",
            "What is the rated load of the Kestrel winch?",
        ),
        (
            "The walk from Dunmarrow to Low Merrin Hut takes 1 hour 30 minutes.",
            "How long does the walk from Dunmarrow to Low Merrin Hut take?",
        ),
        (
            "A warning is removed from the record after 18 months.",
            "After how many months is a warning removed from the record?",
        ),
        ("A yellow tag means that the item may be used.", "What does a yellow tag mean?"),
        (
            "The treasurer presents the draft budget to the Council by 20 August.",
            "By when does the treasurer present the draft budget to the Council?",
        ),
        (
            "The Control Room is called Weir because the Depot stands in Weir Lane.",
            "Why is the Control Room called Weir?",
        ),
        (
            "If the engine does not start, the operator must close the fuel tap.",
            "What must the operator do if the engine does not start?",
        ),
        (
            "The Otter rope is 11 millimetres thick and 60 metres long.",
            "How thick is the Otter rope?",
        ),
        (
            "The Mole probe, part number AP-3, weighs 31 kilograms.",
            "How many kilograms does the Mole probe weigh?",
        ),
        (
            "The equipment steward may remove a red tag.",
            "Who may remove a red tag?",
        ),
        ("Rooms are ready from 15:00 and must be left by 09:30.", "When are rooms ready?"),
        (
            "Helicopter supply flights take place between 08:00 and 17:00 only.",
            "When do Helicopter supply flights take place?",
        ),
        (
            "The Cooperative answered 87 incidents.",
            "How many incidents did the Cooperative answer?",
        ),
        (
            "If a row has more fields than names, the rest is kept.",
            "What happens if a row has more fields than names?",
        ),
        ("The `run()` call returns a list of items.", "What does the `run()` call return?"),
        ("The Bell Spring is the source of the water.", "What is the Bell Spring?"),
    ],
)
def test_what_a_sentence_lets_one_ask(sentence, question):
    assert question in drafted(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "It holds 2.4 litres and weighs 31 kilograms.",
        "Returns the number of items if three are given.",
        "Nobody may re-enter until the alarm has been silent for 20 minutes.",
        "No supply flights are made in May and June.",
        "Every team that completes the door check may leave.",
    ],
)
def test_what_is_not_certain_is_not_drafted(sentence):
    assert drafted(sentence) == []


def test_the_answer_is_blanked_out_and_never_in_the_question():
    (asked, *_) = asked_of("The Plover station sends a report every 10 minutes.")
    assert asked.answer == "every 10 minutes"
    assert asked.cloze == f"The Plover station sends a report {BLANK}."
    assert "10" not in (asked.drafted or "")


def test_each_kind_is_asked_once_and_a_last_one_is_left_open():
    kinds = [asked.kind for asked in asked_of("The hut has 12 beds, 3 stoves and 4 lamps.")]
    assert kinds.count("quantity") == 1
    assert kinds[-1] == "open"


def test_a_clause_is_only_found_where_it_is_certain():
    clause = clause_of("At avalanche level 4, a team may travel on slopes.")
    assert (clause.lead, clause.subject, clause.auxiliary) == (
        "At avalanche level 4, ",
        "a team",
        "may",
    )
    assert clause_of("A party that has not arrived by 20:00 is overdue.") is None
    assert clause_of("What counts is the number.") is None


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One here. Two there.", ["One here.", "Two there."]),
        ("Dr. Smith came at 3.5 km. He left.", ["Dr. Smith came at 3.5 km.", "He left."]),
        ("Use e.g. a rope. Or J. S. Bach.", ["Use e.g. a rope.", "Or J. S. Bach."]),
        ("Work is Level C. A keeper asks.", ["Work is Level C.", "A keeper asks."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("1. Open the tap. Wait.", ["1. Open the tap.", "Wait."]),
        ("no stop at all", ["no stop at all"]),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    assert [text[slice(*span)] for span in sentence_spans(text)] == sentences


@pytest.mark.parametrize(
    ("sentence", "alone"),
    [
        ("The Kestrel winch weighs 31 kilograms when empty.", True),
        ("It weighs 31 kilograms and is carried by two people.", False),
        ("This rule was added after the winter of 1983.", False),
        ("The code must be changed every Monday by the office.", False),
        ("The codes are listed in the table below.", False),
        ("Too short here.", False),
        ("The storm reserve stands at 192,500 crowns.", True),
        ("However, the storm reserve stands at 192,500 crowns.", False),
        ("The winch weighs 31 kilograms and does not end", False),
    ],
)
def test_a_sentence_must_stand_alone(sentence, alone):
    assert stands_alone(sentence) is alone


def test_the_heading_can_name_the_subject():
    sentence = "The stretcher weighs 16 kilograms without its straps."
    assert stands_alone(sentence, content_words("The stretchers")) is True
    assert stands_alone(sentence) is False
