import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.kernels import threads
from prefkit.cleaning.kernels.graph import joined, stars
from prefkit.cleaning.kernels.letters import in_word
from prefkit.cleaning.kernels.pairs import NEXT, RUN, pairs_of_equal
from prefkit.cleaning.kernels.sets import jaccard
from prefkit.cleaning.kernels.texts import as_texts
from prefkit.cleaning.shingles import word_hashes
from prefkit.cleaning.steps.table import mixed

ROOT = Path(__file__).parents[2]
# Surrogates, characters that fold to several, kana, marks, and the edges of UTF-8's lengths.
ODD = (
    "aA ß İŉΐ ﬃ ǅ é \u0301山カ\u3040-_٣"
    "\x00\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff\ud800\udfff"
)


def rows(found):
    ends = found.offsets.tolist()
    return [found.values[a:b].tolist() for a, b in itertools.pairwise(ends)]


@given(st.lists(st.text(st.sampled_from(ODD), max_size=20), max_size=8))
def test_a_list_and_its_arrow_buffers_have_the_same_words(texts):
    encoded = pa.array([text.encode("utf-8", "surrogatepass") for text in texts], pa.large_binary())
    assert rows(word_hashes(encoded)) == rows(word_hashes(texts))


def test_every_character_folds_and_counts_as_python_says():
    assigned = itertools.chain(range(0x33480), range(0xE0000, 0xE0200), (0x10FFFF,))
    characters = [chr(code) for code in assigned]
    folded = [character.casefold() for character in characters]
    assert rows(word_hashes(characters)) == rows(word_hashes(folded))
    inside = [all(map(in_word, fold)) for fold in folded]
    assert [size > 0 for size in word_hashes(characters).sizes] == inside
    assert word_hashes(characters).sizes.max() == 1  # room for a word a byte is enough


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_arrow_strings_of_any_kind_sliced_and_chunked_are_read_in_place(kind):
    texts = ["", "one two", None, "Three", "vier Füße", "five"]
    array = pa.array(texts, pa.string()).cast(kind)
    chunked = pa.chunked_array([array[1:3], array[3:3], array[3:]])
    assert rows(word_hashes(chunked)) == rows(word_hashes([text or "" for text in texts[1:]]))


def test_dictionaries_are_texts_too():
    texts = ["a b", "c", "a b"]
    assert rows(word_hashes(pa.array(texts).dictionary_encode())) == rows(word_hashes(texts))


def test_damaged_utf8_is_read_to_its_end_and_no_further():
    cut = [b"ab \xe5\xb1", b"\xf0\x9f", b"\xff\xfe x", b"\x80y", b"\xf7\xbf\xbf\xbf z"]
    found = word_hashes(pa.array(cut, pa.binary()))
    assert rows(found)[0] == rows(word_hashes(["ab"]))[0]
    assert found.sizes.tolist() == [1, 0, 1, 1, 1]


@settings(max_examples=25)
@given(st.lists(st.text(st.sampled_from("ab é山"), max_size=30), max_size=40), st.integers(1, 4))
def test_threads_and_blocks_do_not_change_what_is_found(texts, workers):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(workers))
        patch.setattr("prefkit.cleaning.kernels.texts.BLOCK", 16)
        cut = rows(word_hashes(texts))
    assert cut == rows(word_hashes(texts))


def test_the_number_of_threads_is_what_a_pool_of_workers_allows(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.count() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads.count() >= 1


def test_an_error_in_a_thread_is_raised_where_the_result_is_taken(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(ZeroDivisionError):
        list(threads.in_threads(lambda block: 1 // block, [1, 1, 0, 1]))


keys = st.lists(st.integers(0, 5), max_size=30).map(lambda some: mixed(np.array(some, np.uint64)))


@given(keys)
def test_all_pairs_of_equal_keys_are_made_once(keys):
    left, right, complete = pairs_of_equal(keys, lambda: keys)
    size = len(keys)
    expected = {(a, b) for a in range(size) for b in range(a + 1, size) if keys[a] == keys[b]}
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == sorted(expected)
    assert complete


def test_a_crowd_is_paired_with_the_next_ones_and_equal_contents_under_one_band_only():
    crowd = np.full(RUN + 1, 7, np.uint64)
    order = np.arange(RUN + 1, dtype=np.uint64)
    left, _, complete = pairs_of_equal(crowd, lambda: order)
    assert not complete
    assert len(left) == RUN * NEXT - NEXT * (NEXT - 1) // 2
    same = np.zeros(RUN + 1, np.uint64)
    assert len(pairs_of_equal(crowd, lambda: same)[0]) == len(left)  # first band
    assert not len(pairs_of_equal(crowd - np.uint64(1), lambda: same)[0])


def test_a_word_said_a_million_times_and_a_text_of_ten_megabytes_are_compared():
    rng = random.Random(1)
    long = " ".join(rng.choices(["some", "words", "are", "said", "often"], k=2_000_000))
    texts = as_texts(["la " * 1_000_000, "la " * 500_000, long, long + " end"])
    counts = word_hashes(texts).sizes
    left, right = np.array([0, 2, 0]), np.array([1, 3, 2])
    found = jaccard(texts, counts, 3, left, right)
    assert found.tolist() == [1.0, 125 / 126, 0.0]


edges = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=15)


@given(edges)
def test_components_are_a_partition_named_by_its_smallest_nodes(edges):
    left, right = np.array(edges, np.int64).reshape(-1, 2).T
    nodes, labels, joins = joined(left, right)
    label = dict(zip(nodes.tolist(), labels.tolist(), strict=True))
    assert all(label[one] == label[other] for one, other in edges)
    assert all(label[name] == name <= node for node, name in label.items())
    assert len(set(label.values())) == len(label) - joins.sum()


@given(edges, st.permutations(range(-9, 10)))
def test_stars_do_not_depend_on_the_order_of_pairs(edges, order):
    pairs = sorted({(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]})
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    score = 1 / (1 + np.abs(left + right))
    order = np.array(order, np.int64)
    one = stars(order, left, right, score)
    other = stars(order, right[::-1], left[::-1], score[::-1])
    assert one.item.tolist() == other.item.tolist()
    assert one.keeper.tolist() == other.keeper.tolist()


def test_code_that_cannot_be_cached_is_compiled_all_the_same(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    source = (ROOT / "prefkit/cleaning/kernels/compiled.py").read_text(encoding="utf-8")
    (package / "compiled.py").write_text(source, encoding="utf-8")
    (package / "loops.py").write_text(
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"  # as where no folder can be written
        "from compiled import compiled\n"
        "@compiled\n"
        "def twice(value):\n"
        "    return value + value\n"
        "print(twice(21))\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(package / "loops.py")]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(package)}, capture_output=True, text=True
    )
    assert run.stdout == "42\n", run.stderr
