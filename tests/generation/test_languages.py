import json

import pytest
from handbook import parsed, passage

from prefkit import runs
from prefkit.config import GenerateConfig
from prefkit.generation.chunks import cut_chunks
from prefkit.generation.drafting import draft_tasks
from prefkit.generation.examples import passages_of
from prefkit.generation.grid import Cell, Grid, Task
from prefkit.generation.grounding import find_quote, numbers, unsupported
from prefkit.generation.kinds import Said, allows, refuse_follow_up, refuse_kind
from prefkit.generation.languages import WORDS, other_language, told
from prefkit.generation.planned import Corpus
from prefkit.generation.prompting import load_prompts
from prefkit.generation.retrieval import Index
from prefkit.generation.run import plan_generate, run_generate
from prefkit.records import Example
from prefkit.storage import read_records

PASSAGES = {
    "en": "The pump in the cellar must be inspected every six weeks because its seal wears out. "
    "It burns 4.5 litres of fuel an hour. Only the keeper may open it when it is cold.",
    "de": "Die Pumpe im Keller muss alle sechs Wochen geprüft werden, weil ihre Dichtung "
    "verschleißt. Sie verbraucht 4,5 Liter Treibstoff in der Stunde. Nur der Hüttenwart darf sie "
    "öffnen, wenn sie kalt ist.",
    "fr": "La pompe de la cave doit être contrôlée toutes les six semaines, parce que son joint "
    "s'use. Elle consomme 4,5 litres de carburant par heure. Seul le gardien peut l'ouvrir quand "
    "elle est froide.",
    "es": "La bomba del sótano debe revisarse cada seis semanas porque su junta se desgasta. "
    "Consume 4,5 litros de combustible por hora. Solo el guarda puede abrirla cuando está fría.",
    "zh": "地下室的水泵必须每六周检查一次，因为它的密封圈会磨损。水泵每小时消耗4.5升燃料。"
    "只有管理员可以在水泵冷却时打开它。",
}
NUMERIC = {
    "en": ("How much fuel does the pump in the cellar burn an hour?",
           "The pump burns 4.5 litres of fuel an hour.", "It burns 4.5 litres of fuel an hour"),
    "de": ("Wie viel Treibstoff verbraucht die Pumpe im Keller in der Stunde?",
           "Die Pumpe verbraucht 4,5 Liter Treibstoff in der Stunde.",
           "Sie verbraucht 4,5 Liter Treibstoff in der Stunde"),
    "fr": ("Combien de carburant la pompe de la cave consomme-t-elle par heure ?",
           "La pompe consomme 4,5 litres de carburant par heure.",
           "Elle consomme 4,5 litres de carburant par heure"),
    "es": ("¿Cuánto combustible consume por hora la bomba del sótano?",
           "La bomba consume 4,5 litros de combustible por hora.",
           "Consume 4,5 litros de combustible por hora"),
    "zh": ("地下室的水泵每小时消耗多少燃料？", "水泵每小时消耗4.5升燃料。", "每小时消耗4.5升燃料"),
}  # fmt: skip
WHY = {
    "en": "Why must the pump in the cellar be inspected?",
    "de": "Warum muss die Pumpe im Keller geprüft werden?",
    "fr": "Pourquoi la pompe de la cave doit-elle être contrôlée ?",
    "es": "¿Por qué debe revisarse la bomba del sótano?",
    "zh": "为什么必须检查地下室的水泵？",
}
UNKNOWN = {
    "en": ("Who built the pump in the cellar?",
           "The documents do not say who built it; they say when it is inspected."),
    "de": ("Wer hat die Pumpe im Keller gebaut?",
           "Der Hersteller wird nicht genannt; die Unterlagen sagen, wann sie geprüft wird."),
    "fr": ("Qui a construit la pompe de la cave ?",
           "Les documents ne le disent pas ; ils précisent quand elle doit être contrôlée."),
    "es": ("¿Quién construyó la bomba del sótano?",
           "Los documentos no lo dicen; indican cuándo debe revisarse y su combustible."),
    "zh": ("地下室的水泵是谁制造的？", "文件没有说明制造者，只说明了检查和燃料消耗。"),
}  # fmt: skip
FOLLOW = {
    "en": "And how much fuel does it burn?",
    "de": "Und wie viel verbraucht sie?",
    "fr": "Et combien consomme-t-elle ?",
    "es": "¿Y cuánto consume ella?",
    "zh": "那它消耗多少？",
}


def draft(scripted, language, kind, question, answer, *quotes):
    text = passage(PASSAGES[language])
    item = {"number": 1, "question": question, "answer": answer, "quotes": list(quotes)}
    model = scripted(lambda request: json.dumps({"items": [item]}), structured=True)
    grid = Grid((Task((text,), (Cell("c", kind),)),), planned=True)
    corpus = Corpus(index=Index([text.chunk]))
    made = draft_tasks(grid.tasks, model, load_prompts(), GenerateConfig(), grid, corpus)
    return model, made


@pytest.mark.parametrize("language", PASSAGES)
def test_a_passage_tells_its_language_and_the_prompt_asks_for_it(scripted, language):
    assert passage(PASSAGES[language]).language == language
    model, _ = draft(scripted, language, "factual", "?", "")
    names = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "zh": "Chinese"}
    assert f"in {names[language]}." in model.asked[0].messages[-1].content


@pytest.mark.parametrize("language", PASSAGES)
def test_a_grounded_draft_stays_in_every_language(scripted, language):
    _, made = draft(scripted, language, "numeric", *NUMERIC[language])
    assert [(d.rule, d.detail) for d in made.dropped] == []
    (example,) = made.examples
    assert example.metadata["language"] == language
    (quote,) = example.quotes
    assert PASSAGES[language][quote.start : quote.end] == NUMERIC[language][2]


@pytest.mark.parametrize("language", PASSAGES)
def test_a_wrong_number_goes_in_every_language(scripted, language):
    question, answer, quote = NUMERIC[language]
    wrong = answer.replace("4.5", "8.5").replace("4,5", "8,5")
    _, made = draft(scripted, language, "numeric", question, wrong, quote)
    assert [d.rule for d in made.dropped] == ["ungrounded-number"]


@pytest.mark.parametrize("language", PASSAGES)
@pytest.mark.parametrize("other", PASSAGES)
def test_a_draft_in_another_language_is_dropped(scripted, language, other):
    if other == language:
        return
    question, answer, _ = NUMERIC[other]
    _, made = draft(scripted, language, "numeric", question, answer, NUMERIC[language][2])
    assert [d.rule for d in made.dropped] == ["wrong-language"]


@pytest.mark.parametrize("language", PASSAGES)
def test_kinds_are_told_in_every_language(language):
    text = PASSAGES[language]
    for kind in ("numeric", "why", "condition", "comparative"):
        assert allows(kind, text, language)
    question, answer, quote = NUMERIC[language]
    assert refuse_kind("numeric", Said(question, answer, (quote,), language)) is None
    assert refuse_kind("why", Said(WHY[language], "", (quote,), language)) is None
    refused = refuse_kind("why", Said(question, answer, (quote,), language))
    assert refused
    assert "why" in refused.detail
    assert refuse_follow_up(FOLLOW[language], language) is None


@pytest.mark.parametrize("language", PASSAGES)
def test_an_honest_refusal_is_known_in_every_language(scripted, language):
    _, made = draft(scripted, language, "unanswerable", *UNKNOWN[language])
    assert [(d.rule, d.detail) for d in made.dropped] == []
    assert made.examples[0].quotes == ()
    question = UNKNOWN[language][0]
    _, made = draft(scripted, language, "unanswerable", question, NUMERIC[language][1])
    assert [d.rule for d in made.dropped] == ["wrong-kind"]


POINTS = {
    "de": "Was sagt der Text über die Pumpe im Keller?",
    "fr": "Que dit ce texte sur le gardien de la pompe ?",
    "es": "¿Qué dice este texto sobre el guarda y la bomba?",
    "zh": "根据文中内容，水泵每小时消耗多少燃料？",
}


@pytest.mark.parametrize("language", POINTS)
def test_a_question_that_points_at_its_text_goes_in_every_language(scripted, language):
    _, answer, quote = NUMERIC[language]
    _, made = draft(scripted, language, "factual", POINTS[language], answer, quote)
    rule = "not-self-contained" if language == "zh" else "refers-to-passage"
    assert [d.rule for d in made.dropped] == [rule]


def test_every_language_has_all_words():
    assert {"en", "de", "fr", "es", "zh"} == set(WORDS)
    assert not WORDS["de"].points.search("Was muss in der Hütte geprüft werden?")


def test_a_chunk_in_another_language_than_its_document_keeps_its_own():
    text = (
        f"# Hütte\n\n{PASSAGES['de']} {PASSAGES['de']} {PASSAGES['de']}\n\n# Hut\n\n"
        + (PASSAGES["en"])
    )
    document = parsed(text)
    found = {p.language for p in passages_of(document, cut_chunks(document, 60))}
    assert found == {"de", "en"}


@pytest.mark.parametrize(
    ("text", "wanted", "other"),
    [
        ("How much does the pump in the cellar burn?", "zh", "English"),
        ("The pump burns.", "zh", "Latin letters"),
        ("4.5 l", "zh", ""),
        ("水泵每小时消耗燃料", "en", "Chinese"),
        ("Pumpe", "en", ""),
        ("Jeg har en pumpe som bruker fire liter drivstoff i timen hver dag.", "da", ""),
        ("Whatever it is in, nobody asked for a language here.", "", ""),
    ],
)
def test_only_what_is_clearly_in_another_language_is_named(text, wanted, other):
    assert other_language(text, wanted) == other


def test_short_texts_tell_their_script():
    assert (told("水泵"), told("ポンプです"), told("ok")) == ("zh", "ja", "")


def test_quotes_numbers_and_nouns_of_other_scripts():
    assert find_quote(PASSAGES["zh"], "密封圈会磨损") is not None
    assert numbers("每小时消耗4.5升，共 3 台") == {"4.5", "3"}
    assert unsupported("Die Pumpe hat einen Deckel.", "Die Pumpe hat Deckel.", "de") is None
    assert unsupported("Die Pumpe XR7 läuft.", "Die Pumpe läuft.", "de") is not None


def test_the_small_way_says_that_it_writes_english_only(tmp_path, workspace, scripted, monkeypatch):
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: scripted())
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "de.md").write_text(PASSAGES["de"], encoding="utf-8")
    (docs / "en.md").write_text("The Heron engine must be inspected every six weeks.\n")
    run = run_generate(
        plan_generate(str(docs), GenerateConfig(), workspace), runs.Settings(workspace)
    )
    assert run.manifest.dropped == {"language-not-by-rule": 1}
    examples = list(read_records(run.path / "data" / "examples.jsonl", Example))
    assert {example.metadata["source"] for example in examples} == {"en.md"}
