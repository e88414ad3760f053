"""The query language by itself: what tree a string becomes, and what tokens a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefkit_argilla.engine import analysis
from prefkit_argilla.engine.query import (
    And,
    Everything,
    Fuzzy,
    Not,
    Nothing,
    Or,
    Phrase,
    Prefix,
    Word,
    parse,
)

A, B, C, D = map(Word, "abcd")


def tree(text):
    return parse(text, lambda leaf: not any(char.isalnum() for char in leaf.text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("a b", And((A, B))),
        ("a b c", And((A, B, C))),
        ("a | b | c", Or((A, B, C))),
        ("a | b c", And((Or((A, B)), C))),
        ("a b | c", Or((And((A, B)), C))),
        ("a | b c | d", Or((And((Or((A, B)), C)), D))),
        ("a (b | c)", And((A, Or((B, C))))),
        ("(a b) c", And((And((A, B)), C))),
        ("-a", Not(A)),
        ("--a", A),
        ("a -b", And((A, Not(B)))),
        ("a|-b", Or((A, Not(B)))),
        ("-(a b)", Not(And((A, B)))),
        ("a-b", Word("a-b")),
        ('"a b"', Phrase("a b")),
        ('"a b"~3', Phrase("a b", 3)),
        ('"a b"~', Phrase("a b")),
        ('"a b"~ c', And((Phrase("a b", 2), C))),
        ('"a b"~3 c', And((Phrase("a b", 3), C))),
        ('"a b"c', And((Phrase("a b"), C))),
        ("a*", Prefix("a")),
        ("a*b", Word("a*b")),
        ("a\\*", Word("a*")),
        ("ab~", Fuzzy("ab", 2)),
        ("ab~1 c", And((Fuzzy("ab", 1), C))),
        ("ab~5", Fuzzy("ab", 2)),
        ("ab~0", Word("ab")),
        ("ab~-1", Word("ab")),
        ("a\\ b", Word("a b")),
        ("a ! b", And((A, B))),
        ("a | ! b", And((A, B))),
        ("a () b", And((A, B))),
        ("*", Everything()),
        ("", Nothing()),
        ("()", Nothing()),
        ("(a", A),
        ("a)", A),
        ("(a (b)", And((A, B))),
    ],
)
def test_the_tree_of_a_query(text, expected):
    assert tree(text) == expected


@given(st.text(alphabet='ab "()+|-~*\\1', max_size=30))
def test_every_string_is_a_query(text):
    tree(text)


@given(st.text())
def test_every_text_has_tokens_without_spaces(text):
    for token in analysis.tokens(text):
        assert token
        assert len(token) <= analysis.MAX_TOKEN
        assert not any(char in " \t\n\0" for char in token)


@given(st.text(alphabet="abZ019_.,:;'- \"", max_size=30))
def test_plain_english_is_cut_as_any_other_text(text):
    in_english = analysis.tokens(text)
    assert in_english == [token for token in analysis.tokens(text + " é") if token != "é"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The QUICK fox", "the quick fox"),
        ("can't won't 'quoted'", "can't won't quoted"),
        ("3.14 1,000 1:2 v1.2", "3.14 1,000 1 2 v1.2"),
        ("a_b __init__ _ -", "a_b __init__"),
        ("x@y.com http://a.b/c?d=e", "x y.com http a.b c d e"),
        ("C++ C# .NET", "c c net"),
        ("你好 こんにちは", "你 好 こ ん に ち は"),
        ("カタカナ 한국어 ภาษาไทย", "カタカナ 한국어 ภาษาไทย"),
        ('צה"ל', 'צה"ל'),
        ("👍🏽 👩‍👩‍👧 🇩🇪🇫🇷 ©", "👍🏽 👩‍👩‍👧 🇩🇪 🇫🇷"),
        ("ΣΟΦΟΣ İstanbul", "σοφοσ istanbul"),
        ("e\u0301a", "e\u0301a"),
    ],
)
def test_the_tokens_of_a_text(text, tokens):
    assert analysis.tokens(text) == tokens.split()
