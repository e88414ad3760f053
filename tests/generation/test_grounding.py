import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefkit.generation.grounding import (
    find_quote,
    numbers,
    share_supported,
    shortens,
    unsupported,
)

TEXT = st.text(st.sampled_from(list("abc XYZ 123.,’'\"“—-\n\tﬁßé")), min_size=1, max_size=80)
LOOSENED = {"’": "'", "“": '"', "—": "-", "\n": "  ", "\t": " "}


@given(TEXT, st.data())
def test_a_quote_is_found_where_the_text_says_it_however_it_was_typed(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    quote = "".join(LOOSENED.get(c, c) for c in text[start:end]).swapcase().swapcase()
    span = find_quote(text, quote)
    assume(span is not None)  # a quote that begins or ends inside a word is none
    found = text[slice(*span)]
    assert squeezed(found) in squeezed(text)
    assert squeezed(quote).strip("\"'. ") in squeezed(found) or squeezed(found) in squeezed(quote)


def squeezed(text):
    import unicodedata

    text = "".join(LOOSENED.get(c, c) for c in unicodedata.normalize("NFKC", text))
    return "".join(text.casefold().split())


@given(
    st.lists(
        st.sampled_from(["The", "winch", "weighs", "31", "kg,", "“empty”", "–", "it’s"]),
        min_size=3,
        max_size=12,
    ),
    st.data(),
)
def test_whole_words_are_always_found(words, data):
    text = " ".join(words)
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    quote = "\n ".join(words[start:end]).upper().replace("’", "'").replace("–", "-")
    assume(any(c.isalnum() for c in quote))
    span = find_quote(text, quote)
    assert span is not None
    assert squeezed(text[slice(*span)]) in squeezed(text)


@pytest.mark.parametrize(
    "quote",
    ["not in there", "able", "", "   ", "The table ... is old", "the table is new"],
)
def test_what_the_text_does_not_say_is_no_quote(quote):
    assert find_quote("The table is old.", quote) is None


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("It weighs 31 kilograms.", None),
        ("It weighs thirty-one kilograms.", None),
        ("It weighs 32 kilograms.", "ungrounded-number"),
        ("It weighs 31 pounds.", "ungrounded-unit"),
        ("It costs 1200 crowns.", None),
        ("The Falcon winch weighs 31 kilograms.", "ungrounded-name"),
        ("Kestrel winches weigh 31 kilograms.", None),
        ("It was bought from ACME on 3 May 2001.", "ungrounded-date"),
        ("It was bought from ACME.", "ungrounded-name"),
    ],
)
def test_numbers_units_and_names_of_an_answer_stand_in_the_text(answer, rule):
    text = "The Kestrel winch weighs 31 kilograms and cost 1,200 crowns on 3 May."
    found = unsupported(answer, text)
    assert (found.rule if found else None) == rule


def test_numbers_are_compared_by_value():
    assert numbers("1,200 crowns, 3.50 m and twelve men at 08:00") == {"1200", "3.5", "12", "8:00"}


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ("It was moved from 20:30 to 20:15.", True),
        ("The time was moved from 20:15 to 20:30.", False),
        ("The time was never moved from 20:30 to 20:15.", False),
        ("The clock was moved from 20:30 to 20:15.", False),
        ("A time was moved from 20:30 to 20:15.", False),
    ],
)
def test_the_same_words_in_another_order_say_something_else(answer, same):
    assert shortens(answer, "The time was moved from 20:30 to 20:15 in May.") is same


def test_share_of_supported_words():
    assert share_supported("The winch lifts stones.", "A winch lifts boats.") == pytest.approx(
        2 / 3
    )
    assert share_supported("It is.", "nothing") == 1.0
