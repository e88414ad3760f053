import pytest

from prefkit.generation.question_types import TYPES, ordered, type_of, types_of

ASKED = [
    ("en", "What does a blue flag mean?", "what"),
    ("en", "Which valve closes first?", "what"),
    ("en", "Who may open the engine?", "who"),
    ("en", "By whom must it be signed?", "who"),
    ("en", "When must the engine be inspected?", "when"),
    ("en", "At what time does the office open?", "when"),
    ("en", "Where is the spare key kept?", "where"),
    ("en", "Why is swimming forbidden?", "why"),
    ("en", "For what reason is the valve closed?", "why"),
    ("en", "How often must the pump be oiled?", "how"),
    ("en", "For how long is a permit valid?", "how"),
    ("en", "Is swimming allowed under a blue flag?", "yes-no"),
    ("en", "Doesn’t the pump run on diesel?", "yes-no"),
    ("en", "When the pump stops, what must be done?", "what"),
    ("en", "If the pump stops, who is called?", "who"),
    ("en", "When must it be checked, and by whom?", "when"),
    ("en", "Name the colour of the flag.", "other"),
    ("de", "Welche Flagge verbietet das Baden?", "what"),
    ("de", "Wer darf den Motor öffnen?", "who"),
    ("de", "Wann öffnet das Büro?", "when"),
    ("de", "Aus welchem Grund ist das Ventil zu?", "why"),
    ("de", "Wie oft wird die Pumpe geölt?", "how"),
    ("de", "Darf man hier baden?", "yes-no"),
    ("de", "Wenn die Pumpe ausfällt, wo ist der Ersatz?", "where"),
    ("fr", "Qu'est-ce qu'un drapeau bleu ?", "what"),
    ("fr", "Quelle est la couleur du drapeau ?", "what"),
    ("fr", "À quelle heure ouvre le bureau ?", "when"),
    ("fr", "Qui peut ouvrir le moteur ?", "who"),
    ("fr", "Pour quelle raison la vanne est-elle fermée ?", "why"),
    ("fr", "Combien de litres faut-il ?", "how"),
    ("fr", "Est-ce que la baignade est permise ?", "yes-no"),
    ("fr", "Peut-on nager ici ?", "yes-no"),
    ("es", "¿Qué significa la bandera azul?", "what"),
    ("es", "¿Quién puede abrir el motor?", "who"),
    ("es", "¿A qué hora abre la oficina?", "when"),
    ("es", "¿Por qué está prohibido nadar?", "why"),
    ("es", "¿Cuántos litros consume?", "how"),
    ("es", "¿Se puede nadar aquí?", "yes-no"),
    ("nl", "Wat betekent een blauwe vlag?", "opens with wat"),
    ("zh", "蓝旗是什么意思?", "opens with 蓝"),
    ("", "Vad betyder flaggan?", "opens with vad"),
    ("en", "", "other"),
    ("en", "???", "other"),
]


@pytest.mark.parametrize(("language", "question", "kind"), ASKED)
def test_a_question_has_the_type_of_its_words(language, question, kind):
    assert type_of(question, language) == kind


def test_types_are_counted_and_stand_in_a_fixed_order():
    counts = types_of([("Why so?", "en"), ("What now?", "en"), ("Wat nu?", "nl"), ("Why?", "en")])
    assert counts == {"why": 2, "what": 1, "opens with wat": 1}
    assert ordered(counts) == ["what", "why", "opens with wat"]
    assert ordered(reversed(TYPES)) == list(TYPES)
