import pytest

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import load_rules
from prefkit.cleaning.rules.language import language_of
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Example, PreferencePair, Quote, UnpairedPreference
from prefkit.workspace import Workspace


def names(record, passage=None, **config):
    rules = load_rules(CleanConfig(**config), Workspace.find())
    return [finding.rule for finding in rules.findings(row_of(record), passage=passage)]


def of_answer(text, prompt="When does the hut open?", **config):
    return names(Example(prompt=prompt, reference=text), **config)


@pytest.mark.parametrize(
    "text",
    [
        "Certainly! Here is a summary of the hut rules: it opens at six.",
        "Sure, here's the list you asked for: six and seven.",
        "Of course! I'd be happy to help. It opens at six.",
        "Absolutely! The hut opens at six.",
        "Great question! It opens at six.",
        "Here is a brief summary of the passage: it opens at six.",
        "I'd be happy to help with the hut.",
        "Thank you for your question. It opens at six.",
        "I hope this email finds you well.",
    ],
)
def test_small_talk_at_the_start_is_boilerplate(text):
    assert of_answer(text) == ["boilerplate"]


@pytest.mark.parametrize(
    "text",
    [
        "Certainly the warden opens it.",
        "Sure footing is needed on the ridge.",
        "Here is where the hut stands.",
        "Of course the hut opens at six.",
        "Absolutely no dogs are allowed.",
        "Here are six beds and a stove.",
        "Great questions are asked at six.",
    ],
)
def test_a_plain_answer_is_no_boilerplate(text):
    assert of_answer(text) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("wiki-markup", "The [[Alder hut|hut]] opens at six."),
        ("wiki-markup", "The '''hut''' opens at six."),
        ("wiki-markup", "== Hours ==\nIt opens at six."),
        ("wiki-markup", "It opens at six.[citation needed]"),
        ("wiki-markup", "It opens at six.[1][2]"),
        ("wiki-markup", "[b]It[/b] opens at six."),
        ("wiki-markup", "See [the hours]() for more."),
        ("html-markup", "It opens at six.<!-- check -->"),
        ("html-markup", 'See <a href="x">hours</a>.'),
        ("html-markup", "Caf&#233; at six&hellip;"),
        ("repetition", "hahahahahahahahahahahahahaha " + "ha" * 60),
        ("repetition", "六時に開きます。" * 12),
        ("repetition", "The hut opens. The HUT opens. the hut opens. It closes."),
        ("refusal", "I'm just an AI and have no hut."),
        ("truncated", "It opens at six.\n\n2."),
    ],
)
def test_residue_is_found(rule, text):
    assert rule in of_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "Use `[[ -f hut ]]` in bash, or:\n\n```\nif [[ -f hut ]]; then '''x''' fi\n```",
        "a == b and x[1][2] holds in `code`: a[1][2].",
        "# Hours\n\n- **Six** in summer\n- *Seven* in winter",
        "| Hut | Hour |\n|---|---|\n| Alder | 6 |",
        "See [the hours](https://alder.invalid/hours) for more.",
        "If 3 < 4 and 5 > 4, AT&T opens.",
        "It is very, very, very high.",
        "-" * 100 + "\nIt opens at six.\n" + "=" * 100,
        "The hash is " + "0123456789abcdef" * 6,
        "1. Six.\n2. Seven.",
    ],
)
def test_code_tables_and_lists_pass(text):
    assert of_answer(text) == []


def test_a_rejected_answer_may_be_bad():
    bad = "I'm sorry, but I can't help with the"
    good = "The warden opens it at six."
    assert names(PreferencePair(prompt="Who opens it?", chosen=good, rejected=bad)) == []
    assert "refusal" in names(PreferencePair(prompt="Who opens it?", chosen=bad, rejected=good))
    thumb = {"prompt": "Who opens it?", "completion": bad}
    assert names(UnpairedPreference(**thumb, label=False)) == []
    assert "refusal" in names(UnpairedPreference(**thumb, label=True))


def test_chosen_and_rejected_that_say_the_same_go():
    same = {"prompt": "Who opens it?", "chosen": "The warden opens it."}
    assert names(PreferencePair(**same, rejected="the  warden opens it")) == ["same-answers"]
    assert names(PreferencePair(**same, rejected="The warden shuts it.")) == []


def test_word_limits_are_for_references():
    long = "It opens at six, and so on. " + " ".join(f"w{n}" for n in range(200)) + "."
    assert of_answer(long) == ["too-long"]
    assert names(PreferencePair(prompt="Who opens it?", chosen=long, rejected="No.")) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("It opens at 6, costs 12 crowns and has 40 beds.", ["ungrounded-number"]),
        ("It opens at six and costs 12 crowns.", []),
        ("There are two ways; it costs 12.", []),
        ("Hut 7 opens at 6.", []),  # the prompt says 7
    ],
)
def test_a_number_comes_from_the_passage(text, wrong):
    example = Example(
        prompt="When does hut 7 open?",
        reference=text,
        quotes=(Quote(chunk_id="c", start=0, end=9),),
    )
    passage = "The hut opens at 6 and costs twelve crowns."
    assert names(example, passage) == wrong
    assert names(example.model_copy(update={"metadata": {"passage": passage}})) == wrong
    assert names(example) == []  # without the passage there is nothing to compare with
    assert names(example.model_copy(update={"quotes": ()}), passage) == []


GERMAN = "Die Hütte öffnet im Sommer um sechs Uhr und schließt um neun Uhr abends."


def test_another_language_is_refused_when_it_is_clear():
    assert of_answer(GERMAN) == []  # off by default
    assert of_answer(GERMAN, languages=("en",)) == ["language"]
    assert of_answer(GERMAN, languages=("en", "de")) == []
    assert of_answer("Die Hütte öffnet.", languages=("en",)) == []  # too short to tell
    assert of_answer("山小屋は夏の朝六時に開きます。", languages=("en",)) == ["language"]
    assert of_answer("Kofi Annan, Ban Ki-moon, António Guterres, U Thant", languages=("en",)) == []
    assert of_answer(f"Say:\n\n```\n{GERMAN}\n```", languages=("en",)) == []
    english = "The hut opens at six in the morning during summer, and closes at nine."
    assert of_answer(english, languages=("en",)) == []
    assert language_of(english)[0] == "en"


def test_a_text_too_short_to_tell_its_language_tells_its_script():
    for text in ("у мене все добре", "نعم بالطبع", "네, 물론이죠", "はい", "是的"):
        assert of_answer(text, languages=("en",)) == ["language"]
    assert of_answer("у мене все добре", languages=("en", "uk")) == []
    assert of_answer("The sum is Σ.", languages=("en",)) == []
    assert of_answer("Docker Compose", languages=("ru",)) == []


def test_an_unknown_language_is_refused():
    with pytest.raises(PrefkitError, match="`english` is no language"):
        load_rules(CleanConfig(languages=("english",)), Workspace.find())


LONG = 200_000
HOSTILE = {
    "spaces": " a" * LONG,
    "one word": "a" * LONG,
    "braces": "{{" * LONG,
    "brackets": "[[" * LONG,
    "tags": "<a " * LONG,
    "newlines": "\n#" * LONG,
    "ticks": "`" * LONG,
    "digits": "1" * LONG,
    "spaced digits": "1 2" * LONG,
    "dots": "1." * LONG,
    "colons": "a:" * LONG,
    "ats": "a@" * LONG,
    "address": "a.b@c." * LONG,
    "keys": "key=" * LONG,
    "tokens": "eyJ-" * LONG,
    "accounts": "GB29 " * LONG,
    "url": "a://b:c" * LONG,
    "quotes": "'''a" * LONG,
    "prose": "The hut on the north face opens at six, says the warden. " * LONG,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_rule_goes_quadratic_on_a_long_text(kind):
    # A quadratic rule would take hours here, and the test would be stopped by its time limit.
    text = HOSTILE[kind][:LONG]
    record = PreferencePair(prompt="When?", chosen=text, rejected=text[:-1])
    rules = load_rules(CleanConfig(languages=("en",)), Workspace.find())
    for finding in rules.findings(row_of(record)):
        assert len(finding.detail) < 300


@pytest.mark.parametrize(
    "reference",
    [
        "আমি " + "সব ধরনের জিনিসে আগ্রহী " * 8 + "।",
        "میں " + "ہر چیز میں دلچسپی رکھتا ہوں " * 6 + "۔",
        "ฉันสนใจ " + "ทุกอย่าง " * 30,
    ],
)
def test_an_end_in_the_script_of_the_text_is_an_end(reference):
    assert "truncated" not in of_answer(reference)
