"""Random queries over random records, against a matcher so plain that it can be believed."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
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

WORDS = ["a", "b", "ab", "abc", "bc", "c", "it's", "机", "éa"]
FIELDS = ("one", "two")

words = st.sampled_from(WORDS)
texts = st.lists(words, max_size=6).map(" ".join)
leaves = st.one_of(
    words,
    st.lists(words, min_size=1, max_size=3).map(lambda said: '"' + " ".join(said) + '"'),
    st.tuples(st.lists(words, min_size=2, max_size=3), st.integers(0, 4)).map(
        lambda part: '"' + " ".join(part[0]) + f'"~{part[1]}'
    ),
    words.map(lambda word: word + "*"),
    st.tuples(words, st.integers(0, 2)).map(lambda part: f"{part[0]}~{part[1]}"),
    st.lists(words, min_size=2, max_size=2).map("-".join),
    st.sampled_from(["&", "-", "()", "*"]),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda text: "-" + text),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, st.sampled_from([" ", "|", " | ", " + ", " -"]), inner).map("".join),
    ),
    max_leaves=6,
)


def tree(query):
    """The query's tree, without leaves that hold no token."""
    return parse(
        query, lambda leaf: isinstance(leaf, Word | Phrase) and not analysis.tokens(leaf.text)
    )


def edits(one, other):
    """Levenshtein's distance, from its definition."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return edits(one[1:], other[1:])
    return 1 + min(edits(one[1:], other), edits(one, other[1:]), edits(one[1:], other[1:]))


def loosely(phrase, tokens, slop):
    """Whether some choice of places is near enough, tried one by one."""
    places = [[at for at, token in enumerate(tokens) if token == word] for word in phrase]
    for choice in itertools.product(*places):
        if len(set(choice)) == len(choice):
            shifts = [at - index for index, at in enumerate(choice)]
            if max(shifts) - min(shifts) <= slop:
                return True
    return False


def matches(node, fields, vocabulary):
    """Whether a record, as lists of tokens, is found."""
    if isinstance(node, Not):
        return not matches(node.node, fields, vocabulary)
    if isinstance(node, And):
        return all(matches(inner, fields, vocabulary) for inner in node.nodes)
    if isinstance(node, Or):
        return any(matches(inner, fields, vocabulary) for inner in node.nodes)
    if isinstance(node, Everything | Nothing):
        return isinstance(node, Everything)
    return any(in_field(node, tokens, vocabulary) for tokens in fields)


def in_field(leaf, tokens, vocabulary):
    if isinstance(leaf, Prefix):
        return any(token.startswith(leaf.text.lower()) for token in tokens)
    if isinstance(leaf, Fuzzy):
        near = sorted(
            (edits(leaf.text, word) / min(len(leaf.text), len(word)), word.encode(), word)
            for word in vocabulary
            if edits(leaf.text, word) <= leaf.edits
        )
        return any(word in tokens for *_, word in near[:10])
    wanted = analysis.tokens(leaf.text)
    if isinstance(leaf, Phrase):
        return loosely(wanted, tokens, leaf.slop)
    return all(word in tokens for word in wanted)


@pytest.fixture(scope="module")
def made(world):
    made = world.dataset(fields=dict.fromkeys(FIELDS, "text"))
    made.texts = {}
    every = itertools.product(["", "a b", "b a", "ab c it's", "abc b a b"], ["", "bc 机", "a éa c"])
    for number, (one, two) in enumerate(every):
        made.add(f"r{number}", {"one": one, "two": two})
        made.texts[f"r{number}"] = [analysis.tokens(one), analysis.tokens(two)]
    return made


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=queries)
def test_the_engine_finds_what_the_plain_matcher_finds(made, query):
    node = tree(query)
    vocabulary = {token for fields in made.texts.values() for part in fields for token in part}
    expected = sorted(
        name for name, fields in made.texts.items() if matches(node, fields, vocabulary)
    )
    assert sorted(made.search(query)) == expected


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fields=st.tuples(texts, texts), query=leaves)
def test_a_new_record_is_found_by_what_it_says(made, fields, query):
    name = f"n{len(made.texts)}"
    made.add(name, dict(zip(FIELDS, fields, strict=True)))
    made.texts[name] = [analysis.tokens(text) for text in fields]
    node = tree(query)
    vocabulary = {token for parts in made.texts.values() for part in parts for token in part}
    assert (name in made.search(query)) == matches(node, made.texts[name], vocabulary)
