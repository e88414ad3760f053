"""Questions and answers that speak of their passage are freed of it, or dropped."""

import json

import pytest
from handbook import passage

from prefkit.config import GenerateConfig
from prefkit.generation.examples import draft_examples
from prefkit.generation.prompting import load_prompts
from prefkit.generation.trust.pointing import dangling, freed, points

TEXT = "# Pumps\n\nThe cellar pump must be inspected every six weeks. Its seal wears out.\n"


@pytest.mark.parametrize(
    ("language", "text", "left"),
    [
        ("en", "According to the passage, how deep is the lake?", "How deep is the lake?"),
        ("en", "How deep, according to the text, is the lake?", "How deep is the lake?"),
        ("en", "How deep is the lake based on the document above?", "How deep is the lake?"),
        ("en", "The passage states that the lake is deep.", "The lake is deep."),
        ("en", "As mentioned above, the lake is deep.", "The lake is deep."),
        ("de", "Laut dem Text, wie tief ist der See?", "Wie tief ist der See?"),
        ("de", "Wie tief ist der See laut Text?", "Wie tief ist der See?"),
        ("fr", "Selon le texte, quel est le lac profond ?", "Quel est le lac profond ?"),
        ("es", "Según el pasaje, ¿cuál es el lago?", "¿Cuál es el lago?"),
    ],
)
def test_what_points_at_the_passage_is_taken_out_where_the_rest_stands(language, text, left):
    found = freed(text, language)
    assert found.text == left
    assert found.removed
    assert points(left, "", language) == ""
    assert freed(left, language).text == left


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "What does the passage say about the lake?"),
        ("en", "What is described in this section?"),
        ("en", "According to the text: yes."),
        ("de", "Laut dem Text ist der See tief."),
        ("de", "Was sagt dieser Abschnitt über den See?"),
        ("fr", "De quoi parle ce passage sur le lac ?"),
        ("es", "¿Qué dice este texto sobre el lago?"),
    ],
)
def test_what_cannot_be_taken_out_is_named(language, text):
    assert freed(text, language).text == text
    assert points(text, "The lake is deep.", language)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Who signs the document?", "The keeper signs the document."),
        ("How long may the text of a radio call be?", "Keep the text of a call short."),
        ("According to the Harbour handbook, who opens the gate?", ""),
        ("Which passage do boats take to the quay?", ""),
    ],
)
def test_documents_and_texts_that_are_the_subject_may_be_named(text, known):
    assert freed(text, "en").text == text
    assert points(text, known, "en") == ""


@pytest.mark.parametrize(
    ("language", "question", "hangs"),
    [
        ("en", "How long does it take?", True),
        ("de", "Wie lange dauert es?", True),
        ("fr", "Combien coûte-t-elle ?", True),
        ("es", "¿Cuánto tiempo tarda esto?", True),
        ("en", "How long does the crossing take?", False),
        ("de", "Wie viele Boote gibt es im Hafen?", False),
        ("fr", "Comment faut-il nettoyer la pompe ?", False),
        ("es", "¿Cuánto tarda la travesía?", False),
    ],
)
def test_a_question_names_its_subject(language, question, hangs):
    assert bool(dangling(question, language)) is hangs


def test_a_strong_model_may_speak_of_the_passage_only_where_that_can_be_undone(scripted):
    quote = "The cellar pump must be inspected every six weeks."
    said = [
        ("According to the passage, how often must the cellar pump be inspected?",
         "According to the passage, it must be inspected every six weeks."),
        ("What does the passage say about the cellar pump?", quote),
        ("Why must the cellar pump be checked so often?",
         "Its seal wears out, as the above text explains to the reader."),
    ]  # fmt: skip
    items = [{"question": q, "answer": a, "quote": quote, "kind": "factual"} for q, a in said]
    model = scripted(lambda request: json.dumps({"items": items}), structured=True)
    config = GenerateConfig(per_chunk=3)
    long = passage(TEXT + "\n" + "The keeper notes every visit of a boat in the book. " * 12)
    drafted = draft_examples([long], model, load_prompts(), config)
    (example,) = drafted.examples
    assert example.prompt[-1].content == "How often must the cellar pump be inspected?"
    assert example.reference == "It must be inspected every six weeks."
    assert "According to the passage" in example.metadata["removed"]
    assert [dropped.rule for dropped in drafted.dropped] == ["refers-to-passage"] * 2
