import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.cleaning.normalise import (
    _respelled,
    _spelled,
    conversation_key,
    matching_key,
    normalise,
    normalised,
    repair,
    what_changed,
    words,
)
from prefkit.records import Example, PreferencePair, UnpairedPreference, assistant, user

PIECES = (
    *"a e\t \n\r`~<=()「か한😀",
    "\r\n",
    "```",
    "~~~",
    "    ",
    "\u200c",  # zero-width non-joiner
    "\u200d",  # zero-width joiner
    "\u200b",
    "\u202e",
    "\u0301",
    "\u0338",
    "\u2126",  # ohm sign, composes to omega
    "\u1fef",  # composes to a backtick
    "\u3000",
    "\ufe0f",
    "\U000e0100",
    "\u845b",
    "\u3099",
    "\u1100",
    "\u1161",
    "\ud800",
    "Ã",
    "©",
    "â€™",
    "â\x80\x99",
    "\x99",
    "caf\xe9",
)
texts = st.lists(st.one_of(st.characters(), st.sampled_from(PIECES)), max_size=14).map("".join)


@given(texts)
def test_normalising_twice_changes_nothing_more(text):
    once = normalise(text)
    assert normalise(once) == once
    assert what_changed(once) == ()
    assert once == text or what_changed(text)
    assert matching_key(once) == matching_key(text)


@given(texts)
def test_the_quick_look_agrees_with_the_steps(text):
    assert _spelled(text) == _respelled(text)


@pytest.mark.parametrize(
    ("text", "plain", "changes"),
    [
        ("cafe\u0301", "café", ("unicode",)),
        ("e\u200b\u0301", "é", ("invisible", "unicode")),
        ("one\r\ntwo\u2028three", "one\ntwo\nthree", ("line-ends",)),
        ("pass\u00adword\ufeff", "password", ("invisible",)),
        ("rm \u202efdp.exe\u202c", "rm fdp.exe", ("invisible",)),
        ("a\ufe0f b\U000e0120", "a b", ("invisible",)),
        ("\u263a\ufe0f\ufe01\ufe02 1\ufe0f\u20e3", "\u263a\ufe0f 1\ufe0f\u20e3", ("invisible",)),
        ("\u845b\U000e0100\U000e0101", "\u845b\U000e0100", ("invisible",)),
        ("join\u034fed", "joined", ("invisible",)),
        ("ig\U000e0069\U000e0067nore", "ignore", ("invisible",)),
        ("null\x00 bell\x07", "null bell", ("invisible",)),
        ("half \ud800", "half", ("invisible", "spaces")),
        ("  a  b\u00a0c \n\n\n\n d  ", "a b c\n\n d", ("spaces",)),
        ("- one\n  - two\n\ttab", "- one\n  - two\n\ttab", ()),
        ("x\n```\na  =  1\n\n\n\nb\n```\ny  z", "x\n```\na  =  1\n\n\n\nb\n```\ny z", ("spaces",)),
        ("میخواهم می\u200cخواهم", "میخواهم می\u200cخواهم", ()),
        ("👩\u200d🚒 ❤\ufe0f\u200d🔥", "👩\u200d🚒 ❤\ufe0f\u200d🔥", ()),
        ("pay\u200dpal", "paypal", ("invisible",)),
    ],
)
def test_one_spelling(text, plain, changes):
    assert normalise(text) == plain
    assert what_changed(text) == changes


def test_every_format_character_that_nobody_sees_goes():
    visible = {"ARABIC", "SYRIAC", "KAITHI", "MONGOLIAN", "EGYPTIAN"}
    stays = [
        name
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "Cf" and normalise(f"a{chr(code)}b") != "ab"
        if (name := unicodedata.name(chr(code)).split()[0]) not in visible
    ]
    assert stays == []
    assert normalise("a\u061cb") == "ab"  # Arabic letter mark: a bidirectional control


def test_texts_that_differ_in_case_width_or_sentence_marks_match():
    key = matching_key("What is the fee, per night?")
    assert key == matching_key(" what is the FEE per ｎｉｇｈｔ")
    assert key != matching_key("What is the fee per week?")


def test_signs_that_carry_meaning_do_not_match():
    for one, other in [("C++", "C#"), ("x < 5", "x > 5"), ("-5 °C", "5 °C"), ("1.5", "15")]:
        assert matching_key(one) != matching_key(other)
    assert matching_key("?!") != matching_key("...")


def test_a_conversation_matches_turn_by_turn():
    assert conversation_key(user("Who?")) == conversation_key(user("who"))
    assert conversation_key(user("Who?")) != conversation_key((*user("Who?"), *user("who")))


def test_words_are_counted_in_scripts_without_spaces():
    assert words("It's 5 o'clock – isn't it?") == ["It's", "5", "o'clock", "isn't", "it?"]
    assert len(words("山小屋は六時に")) == 7
    assert words("... -- !") == []


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        ("The cafÃ© opens.", "The café opens."),
        ("The hutâ€™s door", "The hut’s door"),
        ("schÃ¶n und groÃŸ", "schön und groß"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€", "Привет мир"),
        ("Ã la carte, until SÃO JOÃO", "à la carte, until SÃO JOÃO"),
        ("It costs â‚¬5.\nHe said “six”.", "It costs €5.\nHe said “six”."),
        ("hut\x92s door", "hut’s door"),
    ],
)
def test_wrongly_decoded_text_is_repaired(damaged, whole):
    assert repair(damaged) == whole
    assert "encoding" in what_changed(damaged)


@pytest.mark.parametrize(
    "text",
    [
        "SÃO JOÃO, MAÇÃ, NÃO É",
        "naïve café, “quoted”, it’s 5 € – or £4",
        "&amp; &eacute; stay",
        "ｗｉｄｅ and ﬁne",
        "x² ≤ y³, 20 °C ± 1",
        "山小屋は六時に開きます。",
        "Привет, как дела?",
        "Straße, Øre, Łódź, Čeština",
        "مرحبا بالعالم",
    ],
)
def test_whole_text_is_not_repaired(text):
    assert repair(text) == text


stored = texts.map(lambda text: text.encode(errors="ignore").decode())  # no lone surrogate
RECORDS = st.one_of(
    st.builds(Example, prompt=stored, reference=stored.filter(bool)),
    st.builds(PreferencePair, prompt=stored, chosen=stored, rejected=stored),
    st.builds(UnpairedPreference, prompt=stored, completion=stored, label=st.booleans()),
)


@given(RECORDS)
def test_a_normalised_record_stays_as_it_is(record):
    plain, changes = normalised(record)
    if plain is None:
        assert changes[0] in ("prompt", "reference", "chosen", "completion")
        return
    assert normalised(plain) == (plain, ())
    assert (plain == record) == (not changes)


def test_the_text_before_repair_can_be_had_back():
    damaged = PreferencePair(
        prompt=(*user("Where?"), *assistant("CafÃ©?"), *user("The hut.")),
        chosen="At the cafÃ©.",
        rejected="No cafe\u0301.",
    )
    plain, changes = normalised(damaged)
    assert changes == ("encoding", "unicode")
    assert plain.chosen[0].content == "At the café."
    assert plain.rejected[0].content == "No café."
    assert json.loads(plain.metadata["before_repair"]) == {
        "prompt[1]": "CafÃ©?",
        "chosen[0]": "At the cafÃ©.",
    }
    assert plain.metadata["id_before"] == damaged.id


def test_a_record_of_which_nothing_is_left_names_the_field():
    assert normalised(Example(prompt="Who?", reference="\u200b")) == (None, ("reference",))
    assert normalised(Example(prompt="\u200b", reference="Six.")) == (None, ("prompt",))
    silent = UnpairedPreference(prompt="Who?", completion="", label=False)
    assert normalised(silent) == (silent, ())  # to say nothing may well be a bad answer


@pytest.mark.parametrize("piece", ["a\u200b", "Ã©", " \n", "\u200d", "e\u0301", "\x07"])
def test_a_long_text_is_normalised_in_one_go(piece):
    text = piece * (200_000 // len(piece))
    assert len(normalise(text)) <= len(text)
