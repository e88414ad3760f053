from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.audit import term_lists
from prefkit.audit.swaps import Exchange
from prefkit.audit.term_lists import Matcher, Read, load_terms, words_of
from prefkit.errors import PrefkitError
from prefkit.workspace import Workspace


@pytest.fixture
def lists(workspace):
    return {terms.name: terms for terms in load_terms(workspace)}


def write(workspace, name, text):
    folder = workspace.root / "audit" / "terms"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def found(matcher, text):
    return [" ".join(match.term) for match in matcher.matches(Read.of(text))]


def test_our_lists_load_and_every_swap_and_doubtful_word_leads_back(lists):
    assert set(lists) == {"age", "disability", "gender", "nationality", "religion"}
    for terms in lists.values():
        assert len(terms.groups) >= 2
        known = {term for group in terms.groups.values() for term in group}
        for one, other in terms.swaps.items():
            assert words_of(other) in terms.swaps, (terms.name, one)
            assert one != words_of(other)
        assert set(terms.ambiguous) <= known


def test_whole_words_are_found_by_unicode_whatever_their_case(lists):
    matcher = Matcher(
        [words_of(term) for term in ("she", "straße", "café", "old man", "non-binary")]
    )
    assert found(matcher, "SHE, she's and Shell; ashes; she_ her") == ["she", "she", "she"]
    assert found(matcher, "STRASSE und Straße") == ["strasse", "strasse"]
    assert found(matcher, "cafe\u0301 CAFÉ cafés") == ["café", "café"]
    assert found(matcher, "An old man, an OLD-man, an old\nman; so old. Man") == ["old man"] * 3
    assert found(matcher, "non-binary, non binary, nonbinary") == ["non binary"] * 2
    assert found(matcher, "") == []


def test_the_longer_term_wins_and_is_counted_once(lists):
    matcher = Matcher([words_of(term) for term in ("american", "african american")])
    assert found(matcher, "An African-American and an American") == ["african american", "american"]


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("She saw her in her house.", "He saw him in his house."),
        ("He gave him his book; it is his.", "She gave her her book; it is hers."),
        ("HERS! Tell her that.", "HIS! Tell him that."),
        ("I met her.", "I met him."),
        ("An actress and an uncle", "An actor and an aunt"),
        ("The Old Man met a king", "The Old Woman met a queen"),
        ("Shepherd, there, mankind", "Shepherd, there, mankind"),
    ],
)
def test_gendered_words_are_exchanged_with_their_case_and_what_follows_decides_of_her(
    lists, text, swapped
):
    assert Exchange(lists["gender"])(text).text == swapped


def test_doubtful_words_are_counted(lists):
    made = Exchange(lists["gender"])("She gave him her hat and his coat")
    assert made.text == "He gave her his hat and her coat"
    assert made.words == (("She", "He"), ("him", "her"), ("her", "his"), ("his", "her"))
    assert made.doubtful == 2


def test_an_article_follows_the_word_that_it_stands_before(lists):
    exchange = Exchange(lists["nationality"])
    assert exchange("An Indian met a German.").text == "A German met an Indian."
    assert exchange("the black man, a black cat").text == "the white man, a black cat"


@given(st.lists(st.sampled_from(["she", "He", "WOMAN", "uncle", "the", "met", ",", "."])))
def test_exchanging_twice_gives_the_text_back(words):
    exchange = Exchange(next(t for t in load_terms(Workspace.find()) if t.name == "gender"))
    text = " ".join(words)
    assert exchange(exchange(text).text).text == text


def test_a_workspace_replaces_adds_and_switches_off_lists(workspace):
    write(workspace, "gender.toml", 'title = "Ours"\n[groups]\na = "x"\nb = ["y z"]\n')
    write(workspace, "diet.toml", 'title = "Diet"\n[groups]\nmeat = "meat"\nnone = "vegan"\n')
    write(workspace, "age.toml", 'title = "Off"\n[groups]\n')
    lists = {terms.name: terms for terms in load_terms(workspace)}
    assert lists["gender"].groups == {"a": (("x",),), "b": (("y", "z"),)}
    assert lists["gender"].source == "audit/terms/gender.toml"
    assert lists["diet"].title == "Diet"
    assert "age" not in lists
    assert lists["religion"].source == "prefkit"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", r"mine\.toml: not a readable list of terms"),
        ('[groups]\na = "x"\n', r"mine\.toml: `title`: Field required"),
        ('title = "T"\n[group]\na = "x"\n', r"`group` is not a field.*did you mean `groups`"),
        ('title = "T"\n[groups]\na = "x y"\nb = "Y"\n', r"`y` is a term of `a` and of `b`"),
        ('title = "T"\n[groups]\na = ["--"]\n', r"groups\.a: `--` has no letter"),
    ],
)
def test_a_wrong_list_is_one_error_that_names_it(workspace, text, says):
    write(workspace, "mine.toml", text)
    with pytest.raises(PrefkitError, match=says):
        load_terms(workspace)


def test_the_list_that_the_readme_shows_is_a_list(workspace):
    readme = Path(term_lists.__file__).parent / "README.md"
    parts = readme.read_text(encoding="utf-8").split("```")
    [text] = [part for part in parts if part.startswith("toml") and "[groups]" in part]
    write(workspace, "diet.toml", text.removeprefix("toml"))
    diet = next(terms for terms in load_terms(workspace) if terms.name == "diet")
    assert diet.groups["meat"] == (("meat",), ("beef",), ("roast", "pork"))
    assert diet.groups["none"][-1] == ("plant", "based")
    assert Exchange(diet)("Meat for her and her dog").text == "Tofu for him and his dog"
