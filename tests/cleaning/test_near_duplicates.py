import functools
import itertools
import random
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.near_duplicates import (
    NEXT,
    RUN,
    band_keys,
    bands_for,
    clusters,
    components,
    forest,
    near_pairs,
    propose,
    similarities,
    star,
)
from prefkit.cleaning.shingles import SPACELESS, word_hashes

WORDS = st.sampled_from([f"w{n}" for n in range(12)])
TEXTS = st.lists(st.lists(WORDS, max_size=60).map(" ".join), max_size=12)


@functools.cache
def words_of(text):
    """The definition in plain Python: runs of letters, digits and marks; Han and kana alone."""
    found, current = [], ""
    for character in text.casefold():
        inside = character.isalnum() or unicodedata.category(character).startswith("M")
        alone = inside and any(low <= ord(character) <= high for low, high in SPACELESS)
        if (alone or not inside) and current:
            found.append(current)
            current = ""
        if alone:
            found.append(character)
        elif inside:
            current += character
    return (*found, current) if current else tuple(found)


def jaccard(one, other):
    one, other = words_of(one), words_of(other)
    n = 2 if min(len(one), len(other)) < 40 else 3
    sets = [
        {tuple(w[i : i + n]) for i in range(max(len(w) - n + 1, 1))} if w else set()
        for w in (one, other)
    ]
    union = sets[0] | sets[1]
    return len(sets[0] & sets[1]) / len(union) if union else 1.0


def mutated(rng, words, vocabulary, changes):
    words = list(words)
    for _ in range(changes):
        place = rng.randrange(len(words) + 1)
        words[place : place + rng.randrange(2)] = rng.sample(vocabulary, rng.randrange(2))
    return words


@functools.cache
def all_similarities():
    pairs = itertools.combinations(enumerate(corpus()), 2)
    return {(i, j): jaccard(one, other) for (i, one), (j, other) in pairs if one and other}


@functools.cache
def corpus(size=60):
    rng = random.Random(7)
    vocabulary = [f"w{n}" for n in range(300)]
    texts = []
    for _ in range(size):
        words = rng.choices(vocabulary, k=rng.choice([0, 1, 2, 3, 8, 12, 30, 38, 40, 42, 55, 80]))
        texts += [" ".join(mutated(rng, words, vocabulary, n)) for n in (0, 0, 1, 2, 5)]
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 1.0])
def test_the_pairs_are_those_of_the_plain_definition(threshold):
    texts = corpus()
    expected = {pair: value for pair, value in all_similarities().items() if value >= threshold}
    found = near_pairs(texts, threshold)
    assert {(left, right): value for left, right, value in found} == pytest.approx(expected)
    assert found.complete
    assert found.compared >= len(expected) > 50


@settings(max_examples=40)
@given(TEXTS)
def test_every_reported_similarity_is_exact(texts):
    for left, right, value in near_pairs(texts, 0.3):
        assert left < right
        assert value == pytest.approx(jaccard(texts[left], texts[right]))
        assert value >= 0.3


@settings(max_examples=40)
@given(TEXTS, st.randoms())
def test_pairs_do_not_depend_on_the_order_of_texts(texts, rng):
    shuffled = list(range(len(texts)))
    rng.shuffle(shuffled)
    moved = near_pairs([texts[place] for place in shuffled], 0.5)
    back = {tuple(sorted((shuffled[left], shuffled[right]))) for left, right, _ in moved}
    assert back == {(left, right) for left, right, _ in near_pairs(texts, 0.5)}


@given(st.lists(st.text(max_size=30), max_size=6))
def test_words_are_those_of_the_plain_definition(texts):
    rows = word_hashes(texts)
    assert rows.sizes.tolist() == [len(words_of(text)) for text in texts]
    flat = [word for text in texts for word in words_of(text)]
    by_word = dict(zip(flat, rows.values.tolist(), strict=True))
    assert [by_word[word] for word in flat] == rows.values.tolist()
    assert len(set(by_word.values())) == len(by_word)


def test_similarity_is_worked_out_by_hand():
    texts = ["one two three four", "one two three five", "", "?!", "山小屋は", "山小屋に"]
    # {12, 23, 34} and {12, 23, 35} share 2 of 4; {山小, 小屋, 屋は} and {山小, 小屋, 屋に} too.
    left, right = np.array([0, 0, 2, 4]), np.array([1, 2, 3, 5])
    assert similarities(texts, left, right).tolist() == [0.5, 0.0, 1.0, 0.5]


def test_nothing_is_near_to_a_text_without_words():
    assert list(near_pairs([], 0.7)) == []
    assert list(near_pairs(["", "...", "?!", ""], 0.7)) == []


def test_texts_around_forty_words_are_compared_by_one_rule():
    words = [f"w{n}" for n in range(44)]
    texts = [" ".join(words[:n]) for n in (38, 39, 40, 41, 44)]
    found = {(left, right): value for left, right, value in near_pairs(texts, 0.7)}
    assert found[0, 1] == 37 / 38  # 2-word shingles
    assert found[1, 2] == 38 / 39
    assert found[2, 3] == 38 / 39  # 3-word shingles
    assert len(found) == 10


def test_a_crowd_is_not_compared_in_full_and_says_so():
    texts = ["the same long question about the hut book"] * (RUN + 50)
    found = near_pairs(texts, 0.7)
    assert not found.complete
    assert len(set(clusters(len(texts), [(a, b) for a, b, _ in found]))) == 1


def test_bands_find_a_pair_at_the_threshold_999_times_in_1000():
    for threshold in (0.3, 0.5, 0.7, 0.9, 0.99, 1.0):
        bands, rows = bands_for(threshold)
        assert 1 - (1 - threshold**rows) ** bands >= 0.999


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_clusters_are_connected_components(links):
    group = clusters(10, links)
    assert all(group[left] == group[right] for left, right in links)
    assert len(set(group)) >= 10 - len(links)
    assert all(group[root] == root and root <= item for item, root in enumerate(group))


def test_a_chain_of_small_steps_keeps_its_far_end():
    steps = [(0, 1, 0.9), (1, 2, 0.8)]
    assert star([0, 1, 2], steps) == {1: (0, 0.9)}
    assert star([1, 0, 2], steps) == {0: (1, 0.9), 2: (1, 0.8)}


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] < p[1]),
        st.floats(0.7, 1),
        max_size=15,
    ),
    st.permutations(range(8)),
)
def test_what_is_dropped_has_a_kept_neighbour_and_the_kept_have_none(similarity, order):
    pairs = [(left, right, value) for (left, right), value in similarity.items()]
    dropped = star(order, pairs)
    for item, (keeper, value) in dropped.items():
        assert keeper not in dropped
        assert similarity[min(item, keeper), max(item, keeper)] == value
    assert all(left in dropped or right in dropped for left, right, _ in pairs)


def test_arrow_arrays_give_the_same_pairs_as_lists():
    texts = corpus()
    chunks = pa.chunked_array([pa.array(texts[:70]), pa.array(texts[70:])])
    assert list(near_pairs(chunks, 0.7)) == list(near_pairs(texts, 0.7))


def test_a_text_that_comes_a_hundred_thousand_times_is_bounded_work():
    found = near_pairs(pa.array(["the same long question about the hut book"] * 100_000), 0.7)
    assert found.compared <= NEXT * 100_000
    assert len(set(components(found.left, found.right)[1].tolist())) == 1


def test_a_long_text_of_few_words_is_near_to_a_short_one():
    assert list(near_pairs(["to be or not", "to be or not " * 20], 0.7)) == [(0, 1, 0.75)]


def test_lone_surrogates_separate_words():
    texts = ["one two\ud800three four", "one two three four"]
    assert list(near_pairs(texts, 0.9)) == [(0, 1, 1.0)]


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_bands_spread_over_machines_propose_all_that_one_machine_finds(threshold):
    texts = corpus()
    names = [7_000_000_000 - 3 * number for number in range(len(texts))]
    parts = [band_keys(texts[:40], threshold), band_keys(pa.array(texts[40:]), threshold)]
    key, order = (np.concatenate([getattr(p, f) for p in parts]) for f in ("key", "order"))
    row = np.array(names)[np.concatenate((parts[0].row, parts[1].row + 40))]
    proposed = set()
    for bucket in range(3):
        mine = key % np.uint64(3) == bucket
        found = propose(key[mine], row[mine], order[mine])
        assert found.complete
        assert (found.left < found.right).all()
        proposed |= set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    wanted = {(names[right], names[left]) for left, right, _ in near_pairs(texts, threshold)}
    assert wanted <= proposed


@settings(max_examples=40)
@given(TEXTS, st.randoms())
def test_what_is_proposed_does_not_depend_on_order(texts, rng):
    keys = band_keys([*texts, "a b"], 0.5)
    shuffled = list(range(len(keys.key)))
    rng.shuffle(shuffled)
    one = propose(keys.key, keys.row, keys.order)
    other = propose(keys.key[shuffled], keys.row[shuffled], keys.order[shuffled])
    assert one.left.tolist() == other.left.tolist()
    assert one.right.tolist() == other.right.tolist()


def test_crowds_are_proposed_the_same_in_any_order():
    texts = [f"the same long question about the hut book {n % 3}" for n in range(RUN + 50)]
    keys = band_keys(texts, 0.7)
    one = propose(keys.key, keys.row, keys.order)
    other = propose(keys.key[::-1], keys.row[::-1], keys.order[::-1])
    assert not one.complete
    assert one.left.tolist() == other.left.tolist()
    assert one.right.tolist() == other.right.tolist()


EDGES = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=20)


@given(EDGES, st.randoms())
def test_a_forest_connects_what_its_edges_connect_in_any_order(edges, rng):
    left, right = np.array(edges, np.int64).reshape(-1, 2).T
    kept = forest(left, right)
    whole = dict(zip(*(column.tolist() for column in components(left, right)), strict=True))
    thin = dict(zip(*(column.tolist() for column in components(*kept)), strict=True))
    assert all(thin.get(node, node) == label for node, label in whole.items())
    assert len(kept[0]) == len(whole) - len(set(whole.values()))
    rng.shuffle(edges)
    swapped = np.array([edge[::-1] for edge in edges], np.int64).reshape(-1, 2).T
    assert [side.tolist() for side in forest(*swapped)] == [side.tolist() for side in kept]
