"""What a query finds, as Elasticsearch's simple_query_string with Argilla's options finds it."""

import pytest
from argilla_server.errors.future import UnprocessableEntityError

PLAIN = {
    "fox": ("The quick brown fox jumps over the lazy dog.", "A fox is quick."),
    "dog": ("The lazy dog sleeps", "Dogs don't jump"),
    "wall": ("A well-known fact: 3.14 is near pi, 1,000 times", "foo_bar example.com U.S.A."),
    "cjk": ("机器学习 很有用", "東京タワー"),
    "rtl": ("שלום עולם", "مرحبا بالعالم"),
    "emoji": ("nice 👍 work", "😀"),
    "accents": ("Café naïve", "ΣΟΦΟΣ"),
}
ALL = "accents cjk dog emoji fox rtl wall"


@pytest.fixture(scope="module")
def plain(world):
    made = world.dataset(fields={"prompt": "text", "answer": "text"})
    for name, (prompt, answer) in PLAIN.items():
        made.add(name, {"prompt": prompt, "answer": answer})
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # terms, in any case, joined by AND over all fields
        ("quick", "fox"),
        ("QUICK", "fox"),
        ("quick lazy", "fox"),
        ("lazy dog", "dog fox"),
        ("sleeps jump", "dog"),
        ("quick sleeps", ""),
        ("quick\tlazy\n", "fox"),
        # no stop words, no stemming, no folding of accents
        ("the", "dog fox"),
        ("is", "fox wall"),
        ("jump", "dog"),
        ("dogs", "dog"),
        ("cafe", ""),
        ("café", "accents"),
        ("CAFÉ", "accents"),
        ("σοφοσ", "accents"),
        # OR, AND, NOT
        ("fox | sleeps", "dog fox"),
        ("fox|sleeps", "dog fox"),
        ("lazy +dog", "dog fox"),
        ("lazy -fox", "dog"),
        ("lazy + -fox", "dog"),
        ("-lazy", "accents cjk emoji rtl wall"),
        ("-lazy -café", "cjk emoji rtl wall"),
        ("--fox", "fox"),
        ("---fox", "accents cjk dog emoji rtl wall"),
        ("- fox", "fox"),
        ("fox | -lazy", "accents cjk emoji fox rtl wall"),
        ("-fox | -sleeps", ALL),
        # operators bind from left to right
        ("café | quick lazy", "fox"),
        ("lazy quick | café", "accents fox"),
        ("café | (quick lazy)", "accents fox"),
        ("café | quick -lazy", "accents"),
        ("(café | quick) (lazy | naïve)", "accents fox"),
        ("-(fox | sleeps | café)", "cjk emoji rtl wall"),
        ("((lazy) ((dog)))", "dog fox"),
        # phrases, within one field
        ('"lazy dog"', "dog fox"),
        ('"LAZY, dog"', "dog fox"),
        ('"dog lazy"', ""),
        ('"quick fox"', ""),
        ('"dog sleeps dogs"', ""),
        ('-"lazy dog"', "accents cjk emoji rtl wall"),
        ('"lazy dog" -sleeps', "fox"),
        ('"brown fox" | "dog sleeps"', "dog fox"),
        ('"fox"', "fox"),
        # phrases with slop
        ('"quick fox"~1', "fox"),
        ('"fox quick"~1', "fox"),
        ('"fox quick"~0', ""),
        ('"dog lazy"~1', ""),
        ('"dog lazy"~2', "dog fox"),
        ('"the dog"~1', "dog fox"),
        ('"quick dog"~5', ""),
        ('"quick dog"~6', "fox"),
        ('"quick dog"~x', ""),
        ('-"quick fox"~1', "accents cjk dog emoji rtl wall"),
        # prefixes, not analysed beyond lower case
        ("jum*", "dog fox"),
        ("JUM*", "dog fox"),
        ("jumps*", "fox"),
        ("ju* -dogs", "fox"),
        ("well-kn*", ""),
        ("kn*", "wall"),
        ("caf*", "accents"),
        ("タワ*", "cjk"),
        ("3.*", "wall"),
        ("*", ALL),
        (" * ", ALL),
        ("**", ""),
        ("* fox", "fox"),
        ("f*x", ""),
        # typing errors
        ("foxx~1", "fox"),
        ("qick~", "emoji fox"),
        ("fxo~1", ""),
        ("fxo~2", "fox"),
        ("lzay~2", "dog fox"),
        ("quikc~0", ""),
        ("quick~x", "fox"),
        ("quick~9 lazy", "fox"),
        # words of several tokens: all of them in one field
        ("well-known", "wall"),
        ("known-well", "wall"),
        ("sleeps-jump", ""),
        ("lazy/dog", "dog fox"),
        # what is one token, and what is not
        ("3.14", "wall"),
        ("3", ""),
        ("1,000", "wall"),
        ("000", ""),
        ("foo_bar", "wall"),
        ("foo", ""),
        ("example.com", "wall"),
        ("example", ""),
        ("U.S.A.", "wall"),
        ("usa", ""),
        ("don't", "dog"),
        ("don", ""),
        # other scripts
        ("机", "cjk"),
        ("机器", "cjk"),
        ("器机", "cjk"),
        ('"器机"', ""),
        ('"机器学习"', "cjk"),
        ("机猫", ""),
        ("東京タワー", "cjk"),
        ("タワ", ""),
        ("שלום", "rtl"),
        ("مرحبا", "rtl"),
        ("👍", "emoji"),
        ("😀", "emoji"),
        ("🎉", ""),
        # nothing to search for
        ("", ""),
        ("   ", ""),
        ("&", ""),
        ("!!! ...", ""),
        ("-", ""),
        ("+", ""),
        ("|", ""),
        ("()", ""),
        ('""', ""),
        ('"', ""),
        ("(", ""),
        ("\\", ""),
        ("fox & quick", "fox"),
        ('fox "&"', "fox"),
        # what makes no sense as an operator is left out
        ("(fox", "fox"),
        ("fox)", "fox"),
        ('"fox', "fox"),
        ('fox"', "fox"),
        ("((fox)", "fox"),
        ("| fox", "fox"),
        ("+ fox", "fox"),
        ("fox |", "fox"),
        ("fox | | sleeps", "dog fox"),
        ("fox + | sleeps", ""),
        ("fox () sleeps", ""),
        ("fox -", "fox"),
        ("fox~", "dog fox"),
        ("~fox", "fox"),
        # escapes
        ("\\-fox", "fox"),
        ("fo\\*", ""),
        ("fox\\ quick", "fox"),
        ("sleeps\\ jump", ""),
        ("\\(fox\\)", "fox"),
        ('\\"lazy dog\\"', "dog fox"),
        ('"lazy \\"dog"', "dog fox"),
    ],
)
def test_a_query_finds(plain, query, found):
    assert plain.found(query) == found


@pytest.mark.parametrize(
    ("query", "field", "found"),
    [
        ("fox", "answer", "fox"),
        ("brown", "answer", ""),
        ("brown", "prompt", "fox"),
        ("sleeps jump", "prompt", ""),
        ("-brown", "answer", ALL),
        ('"a fox"', "answer", "fox"),
        ('"a fox"', "prompt", ""),
        ("do*", "answer", "dog"),
        ("foxx~1", "answer", "fox"),
        ('"fox quick"~1', "prompt", ""),
        ("机器", "answer", ""),
        ("*", "answer", ALL),
    ],
)
def test_a_query_on_one_field_finds(plain, query, field, found):
    assert plain.found(query, field) == found


@pytest.fixture(scope="module")
def mixed(world):
    made = world.dataset(
        fields={"prompt": "text", "chat": "chat", "custom": "custom", "image": "image"}
    )
    said = [
        {"role": "user", "content": "brown bread please"},
        {"role": "assistant", "content": "fox bread is sold out"},
    ]
    made.add("chat", {"prompt": "hello", "chat": said})
    made.add("custom", {"prompt": "hello", "custom": {"kind": "zebra", "n": 5}})
    made.add("image", {"image": "http://host/zebra.png"})
    made.add("nothing", {"prompt": None, "chat": None})
    return made


@pytest.mark.parametrize(
    ("query", "field", "found"),
    [
        ("bread", None, "chat"),
        ("bread fox", None, "chat"),
        ("please-fox", None, "chat"),
        ('"brown bread"', "chat", "chat"),
        ('"please fox"', None, ""),
        ('"please fox"~99', None, ""),
        ('"please fox"~100', None, "chat"),
        # a role is a keyword: whole and in its own case
        ("user", None, "chat"),
        ("User", None, ""),
        ("use*", None, "chat"),
        ("USE*", None, ""),
        ("assistnt~1", None, "chat"),
        ('"assistant"', None, "chat"),
        ("user bread", "chat", "chat"),
        ("user", "prompt", ""),
        # where there is a keyword, a lone sign is a term for it
        ("bread &", None, ""),
        ("hello &", "prompt", "chat custom"),
        # a custom field is its text
        ("zebra", None, "custom"),
        ("kind 5", "custom", "custom"),
        ("'zebra'", None, "custom"),
        # images are not searched
        ("zebra", "image", ""),
        ("png", None, ""),
        ("-hello", None, "image nothing"),
    ],
)
def test_chat_custom_and_image_fields(mixed, query, field, found):
    assert mixed.found(query, field) == found


def test_better_matches_come_first(world):
    made = world.dataset()
    made.add("once", "apple " + "filler " * 30)
    made.add("often", "apple apple apple")
    made.add("none", "pear")
    assert made.search("apple") == ["often", "once"]
    scores = [item.score for item in made.responses("apple").items]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[1] > 0


def test_without_a_query_every_score_is_one_and_the_order_is_that_of_making(world):
    made = world.dataset()
    for name in "cab":
        made.add(name, "x")
    assert made.search() == ["c", "a", "b"]
    assert {item.score for item in made.responses().items} == {1.0}
    assert {item.score for item in made.responses("*").items} == {1.0}
    assert {item.score for item in made.responses("-y").items} == {1.0}


def test_large_fields_are_found_to_their_ends(world):
    made = world.dataset()
    words = [f"word{number}" for number in range(20_000)]
    made.add("large", " ".join(words))
    made.add("repeated", "again " * 20_000 + "the end")
    assert made.found("word19999") == "large"
    assert made.found('"word19998 word19999"') == "large"
    assert made.found('"word19999 word19998"') == ""
    assert made.found('"again the end"') == "repeated"


def test_a_record_of_megabytes_can_be_stored_and_found(world):
    made = world.dataset()
    made.add("huge", " ".join(f"{number:x}{number:07d}" for number in range(300_000)))
    assert made.found("00000000") == "huge"


def test_tokens_are_cut_after_255_characters(world):
    made = world.dataset()
    made.add("long", "a" * 300)
    assert made.found("a" * 255) == "long"
    assert made.found("a" * 45) == "long"
    assert made.found("a" * 254) == ""
    assert made.found("a" * 300) == "long"


@pytest.mark.parametrize("text", ["\0", "a\0b", "'; DROP TABLE records; --", "%", "_"])
def test_odd_characters_are_no_error(plain, text):
    plain.search(text)
    plain.search(f'"{text} fox"~3')
    plain.search(f"{text}*")
    plain.search(f"{text}~1")


def test_markup_is_text(world):
    made = world.dataset()
    made.add("script", "<script>alert('hi')</script> \\ ' \" % _ :x ${y}")
    assert made.found("script alert") == "script"
    assert made.found('"alert hi"') == "script"


@pytest.mark.parametrize("query", ["a " * 1025, "a | b " * 200, "(fox " * 45 + ")" * 45])
def test_a_query_beyond_all_measure_is_refused_with_a_reason(plain, query):
    with pytest.raises(UnprocessableEntityError, match="too large"):
        plain.search(query)


@pytest.mark.parametrize("query", ["(" * 500 + "fox", "(fox " * 18 + ")" * 18])
def test_deep_queries_are_answered(plain, query):
    plain.search(query)


def test_a_page_and_its_total(plain):
    found = plain.responses("-zzz", offset=2, limit=3)
    assert found.total == len(PLAIN)
    assert plain.names(found) == ["wall", "cjk", "rtl"]
    assert plain.responses(offset=100).items == []
    assert plain.responses(limit=0).items == []
    assert plain.responses(limit=0).total == len(PLAIN)


def test_a_dataset_that_was_never_indexed_is_empty(world):
    made = world.dataset()
    assert made.search("x") == []
    assert made.search() == []
