"""Dates, units, names of several words and denials of an answer, against its passage."""

from pathlib import Path

import pytest
from handbook import passage
from hypothesis import given
from hypothesis import strategies as st

from prefkit.config import GenerateConfig
from prefkit.generation.chunks import cut_chunks
from prefkit.generation.documents import read_sources
from prefkit.generation.drafts import Draft, dated, first_refusal, not_denied, rightly_named
from prefkit.generation.drafts import supported as supported_by_passage
from prefkit.generation.examples import passages_of
from prefkit.generation.grounding import unsupported
from prefkit.generation.sentences import sentence_spans
from prefkit.generation.trust.dates import Date, dates, unstated
from prefkit.generation.trust.denials import contradicted
from prefkit.generation.trust.names import unknown_pairs
from prefkit.workspace import Workspace

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "documents"
FACTS = (dated, supported_by_passage, rightly_named, not_denied)
SPELLINGS = (
    *("2024-03-05", "5 March 2024", "March 5, 2024", "05.03.2024", "5 Mar 2024", "March 5th, 2024"),
    *("the 5th of March 2024", "5. März 2024", "5 mars 2024", "5 de marzo de 2024"),
)


@given(st.sampled_from(SPELLINGS), st.sampled_from(SPELLINGS))
def test_a_date_is_the_same_however_it_is_written(said, told):
    answer, text = f"It opened on {said}.", f"The hut opened on {told} at noon."
    assert unstated(answer, text) == []
    assert unsupported(answer, text) is None
    assert unsupported(answer, text.replace("5", "6")).rule == "ungrounded-date"


@pytest.mark.parametrize(
    ("answer", "text", "missing"),
    [
        ("in March 2024", "on 5 March 2024", []),
        ("on 5 March", "on 2024-03-05", []),
        ("on 5 March 2024", "In 2024 it opened on 5 March.", []),
        ("on 5 March 2025", "In 2024 it opened on 5 March.", ["5 March 2025"]),
        ("on 5 March 2024", "in March 2024", ["5 March 2024"]),
        ("on 5 March 2024", "on 5 March 2023, and again in 2024", ["5 March 2024"]),
        ("on 3 May 2024", "05/03/2024", []),
        ("on 5 March 2024", "05/03/2024", []),
        ("It may 5 times fail; we march 5 km.", "nothing", []),
    ],
)
def test_a_date_needs_one_that_says_as_much(answer, text, missing):
    assert unstated(answer, text) == missing


def test_what_only_looks_like_a_date_is_none():
    assert dates("It may 12 times fail at 12:30, see 1.2 and 13.13.2024.") == []
    assert dates("Mai 2024")[0].readings == (Date(2024, 5, 0),)


@pytest.mark.parametrize(
    ("answer", "text", "rule"),
    [
        ("It is 12 m long.", "The path is 12 km long.", "ungrounded-unit"),
        ("It is 12 kilometres long.", "The path is 12 km long.", None),
        ("It takes 90 minutes.", "It takes 1.5 hours.", "ungrounded-number"),
        ("It takes 90 minutes.", "It takes 1.5 hours (90 min).", None),
        ("It takes 1.5 h.", "It takes 1.5 hours.", None),
        ("It is 12 km long.", "The path is 12 to 15 km long.", None),
        ("It costs €12.", "It costs 12 euros.", None),
        ("It costs $12.", "It costs 12 euros.", "ungrounded-unit"),
        ("It boils at 90 °C.", "It boils at 90 degrees Celsius.", None),
        ("It runs 12 times a day.", "It runs 12 times per day.", None),
        ("It takes one hour.", "It takes an hour.", None),
        ("Sie braucht 4 Liter.", "Die Pumpe braucht 4 l.", None),
    ],
)
def test_a_number_keeps_its_unit_and_nothing_is_converted(answer, text, rule):
    found = unsupported(answer, text)
    assert (found.rule if found else None) == rule


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        ("Anna Lund leads it.", ["Anna Lund"]),
        ("It is led by Anna Berg.", []),
        ("On Monday Anna Berg leads it.", []),
        ("Members Anna Berg and Jonas Vik met.", []),
        ("The Bergen Harbour Office.", []),
        ("It is Anna Vik.", ["Anna Vik"]),
    ],
)
def test_a_name_of_several_words_is_not_put_together_from_two(answer, unknown):
    text = (
        "The group met in May. In it Anna Berg leads the Harbour Office of Bergen. Tom Lund and "
        "Anna Berg, Jonas Vik met."
    )
    assert unknown_pairs(answer, text) == unknown


DENIED = (
    "Swimming is not allowed in the harbour. The valve is open, but the pump is not running. "
    "Neither dogs nor cats may enter the hut. "
    "Boats may not leave the harbour until the horn sounds."
)


@pytest.mark.parametrize(
    ("answer", "denied"),
    [
        ("Swimming is allowed in the harbour.", True),
        ("No, swimming is not allowed in the harbour.", False),
        ("The valve is open.", False),
        ("The pump is running.", True),
        ("Dogs and cats may enter the hut.", True),
        ("Dogs and cats may not enter the hut.", False),
        ("Boats may leave the harbour only after the horn sounds.", False),
    ],
)
def test_an_answer_does_not_turn_its_text_round(answer, denied):
    assert bool(contradicted(answer, DENIED, "en")) is denied


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("de", "Die Pumpe darf geöffnet werden.", "Die Pumpe darf nicht geöffnet werden."),
        ("fr", "La pompe est froide.", "La pompe n'est pas froide."),
        ("es", "La bomba está fría.", "La bomba no está fría."),
    ],
)
def test_denials_are_known_in_other_languages(language, one, other):
    assert contradicted(one, other, language)
    assert contradicted(other, one, language)
    assert not contradicted(one, one, language)
    assert not contradicted(other, other, language)


def test_a_draft_says_what_is_wrong_with_its_facts():
    text = "Anna Berg opened the hut on 5 March 2024. Tom Lund may not enter the old hut."
    where = passage(f"# Huts\n\n{text}\n")

    def rule(answer):
        found = first_refusal(Draft((where,), "When on 6 March 2024?", answer), FACTS)
        return found.rule if found else None

    assert rule("Anna Berg opened the hut on 2024-03-05.") is None
    assert rule("Anna Berg opened the hut on 6 March 2024.") == "ungrounded-date"
    assert rule("Anna Lund opened the hut.") == "ungrounded-name"
    assert rule("Tom Lund may enter the old hut.") == "contradicts-passage"


def test_a_sentence_of_a_document_always_passes_as_its_own_answer(tmp_path):
    read = read_sources(str(QUICKSTART), GenerateConfig(), Workspace.find(tmp_path))
    refused, count = [], 0
    for document in read.documents:
        for where in passages_of(document, cut_chunks(document, 220)):
            text = where.chunk.text
            for start, end in sentence_spans(text):
                count += 1
                draft = Draft((where,), "What?", text[start:end], (text[start:end],))
                if problem := first_refusal(draft, FACTS):
                    refused.append((problem, text[start:end]))
    assert refused == []
    assert count > 900


PIECES = st.sampled_from(
    "On 5 March 2024, Anna Berg|the pump|is not|12 km|never runs|1,200 crowns|No boat|"
    "on 05.03.2024|may enter|but the valve of Bergen|opens|only at 08:00|without Tom Lund|"
    "half|an hour|€12".split("|")
)


@given(st.lists(PIECES, min_size=2, max_size=7), st.lists(PIECES, min_size=0, max_size=6))
def test_whatever_a_sentence_says_it_supports_itself(said, around):
    sentence = " ".join(said) + "."
    text = sentence + (" The rest: " + " ".join(around) + "." if around else "")
    where = passage(f"# Huts\n\n{text}\n")
    assert first_refusal(Draft((where,), "What?", sentence, (sentence,)), FACTS) is None
