"""What an index of evaluation sets finds in training records."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.cleaning.rows import row_of
from prefkit.config import LeakageConfig
from prefkit.leakage.build import build_index
from prefkit.leakage.evaluation_sets import EvaluationSet, Item
from prefkit.records import Example, PreferencePair, UnpairedPreference, assistant, user

VOCABULARY = [f"{a}{b}" for a in "bcdfglmnprst" for b in ("ane", "olo", "iru", "efe", "uma", "ast")]
QUESTION = (
    "A farmer has seventeen sheep and all but nine run away in the night, so how many sheep does "
    "he have left in the morning?"
)


def words(count, seed):
    return " ".join(random.Random(seed).choices(VOCABULARY, k=count))


def index_of(*items, **config):
    evaluation = EvaluationSet("set", tuple(Item(*item) for item in items))
    return build_index([evaluation], LeakageConfig(**config))


def example(prompt, reference="Something else."):
    return row_of(Example(prompt=user(prompt), reference=reference))


def found(index, prompt, reference="Something else."):
    return [(f.item, f.field, f.rule) for f in index.findings(example(prompt, reference))]


def test_a_copy_is_found_whatever_its_case_punctuation_width_and_surroundings():
    index = index_of(("1", QUESTION))
    whole = [("1", "prompt", "coverage")]
    assert found(index, QUESTION) == whole
    assert found(index, QUESTION.upper().replace(",", " --")) == whole
    assert found(index, f"Read this first. {QUESTION} Think step by step.") == whole
    assert found(index, "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in QUESTION))
    assert found(index, QUESTION.replace("farmer", "far\u200bmer").replace("é", "e")) == whole


def test_a_finding_says_where_how_much_and_which_words():
    index = index_of(("1", f"{words(20, 1)} {words(20, 2)}"))
    [finding] = index.findings(example(f"{words(9, 3)} {words(20, 1).upper()} {words(9, 4)}"))
    assert (finding.evaluation, finding.item, finding.part) == ("set", "1", "prompt")
    assert finding.coverage == 0.5
    assert finding.run == 20
    assert finding.matched == words(20, 1)


def test_prompt_chosen_and_rejected_are_looked_at_each_for_itself():
    index = index_of(("1", words(20, 1), words(20, 2)))
    pair = PreferencePair(
        prompt=user(words(30, 5)), chosen=assistant(words(20, 2)), rejected=assistant(words(20, 1))
    )
    assert [(f.part, f.field) for f in index.findings(row_of(pair))] == [
        ("reference", "chosen"),
        ("prompt", "rejected"),
    ]
    thumb = UnpairedPreference(
        prompt=user("So?"), completion=assistant(f"I say: {words(20, 1)}"), label=False
    )
    assert [f.field for f in index.findings(row_of(thumb))] == ["completion"]


def test_a_short_question_must_stand_there_whole_and_yes_never_hits():
    index = index_of(("1", "What is the capital of France?", "Paris"), ("2", "yes", "no"))
    assert found(index, "Tell me, what is the capital of France?") == [("1", "prompt", "short")]
    assert found(index, "What is the capital of Peru?") == []
    assert found(index, "Paris", "Paris is lovely, yes.") == []
    assert found(index, "yes or no") == []
    assert found(index, "Yes!") == [("2", "prompt", "same")]


def test_thirteen_words_in_a_row_are_enough_and_twelve_are_not():
    index = index_of(("1", words(60, 1)))
    stretch = words(60, 1).split()
    assert found(index, " ".join(stretch[20:33])) == [("1", "prompt", "run")]
    assert found(index, " ".join(stretch[20:32])) == []
    off = index_of(("1", words(60, 1)), run=0)
    assert found(off, " ".join(stretch[20:33])) == []


def test_changed_words_are_forgiven_while_half_of_the_words_lie_in_grams():
    text = words(40, 1).split()
    changed = [word if place not in (9, 30) else "zzz" for place, word in enumerate(text)]
    [finding] = index_of(("1", " ".join(text))).findings(example(" ".join(changed)))
    assert finding.coverage == pytest.approx(38 / 40)
    worn = [word if place % 8 else "zzz" for place, word in enumerate(text)]
    assert found(index_of(("1", " ".join(text))), " ".join(worn)) == []


def test_what_more_than_ten_items_share_is_their_template():
    template = words(30, 1)
    items = [(str(n), f"{template} {words(12, 10 + n)}") for n in range(12)]
    assert found(index_of(*items), f"{template} {words(30, 99)}") == []
    assert found(index_of(*items), items[3][1]) == [("3", "prompt", "coverage")]
    assert found(index_of(*items[:5]), template)  # five items may share a passage


def test_repeats_of_an_item_count_once():
    index = index_of(*[(str(n), QUESTION) for n in range(50)])
    assert found(index, QUESTION) == [("0", "prompt", "coverage")]


def test_an_item_without_a_text_that_can_be_looked_for_is_counted():
    index = index_of(("1", "", "Paris"), ("2", QUESTION), ("3", "", words(12, 3)))
    assert index.unchecked == (1,)


def test_two_sets_are_told_apart():
    sets = [
        EvaluationSet("one", (Item("1", QUESTION),)),
        EvaluationSet("two", (Item("1", "Yes?"),)),
    ]
    index = build_index(sets, LeakageConfig())
    assert [f.evaluation for f in index.findings(example(QUESTION))] == ["one"]
    assert [f.evaluation for f in index.findings(example("yes"))] == ["two"]


def test_lone_surrogates_nulls_and_ten_megabytes_are_no_trouble():
    index = index_of(("1", f"{QUESTION} \ud800"), ("2", "\x00\x00"))
    long = f"{words(1_500_000, 7)} {QUESTION} \udfff"
    assert len(long) > 5_000_000
    assert [(f.item, f.run) for f in index.findings(example(long))] == [("1", 25)]


texts = st.lists(st.sampled_from(VOCABULARY), min_size=8, max_size=60).map(" ".join)


@given(st.lists(texts, min_size=1, max_size=12), texts, texts)
def test_a_verbatim_copy_is_always_found(items, before, after):
    index = index_of(*[(str(n), text) for n, text in enumerate(items)])
    for text in items:
        assert index.findings(example(f"{before} {text} {after}"))


@given(st.lists(texts, min_size=1, max_size=8), st.lists(texts, min_size=1, max_size=8))
def test_what_shares_no_word_is_never_found(items, others):
    index = index_of(*[(str(n), text) for n, text in enumerate(items)])
    rows = [example(" ".join(f"q{word}" for word in text.split())) for text in others]
    assert index.findings_of(rows) == [[] for _ in rows]


@given(st.lists(texts, min_size=1, max_size=8), st.lists(texts, max_size=8), st.randoms())
def test_findings_depend_on_the_record_alone_and_not_on_the_order_of_records(items, more, rng):
    index = index_of(*[(str(n), text) for n, text in enumerate(items)])
    rows = [example(text) for text in [*items, *more]]
    order = list(range(len(rows)))
    rng.shuffle(order)
    together = index.findings_of([rows[n] for n in order])
    assert together == [index.findings(rows[n]) for n in order]
