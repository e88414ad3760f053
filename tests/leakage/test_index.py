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
    others = [(str(n), words(40, 50 + n)) for n in range(12, 20)]
    assert found(index_of(*items[:5], *others), template)  # five of thirteen may share a passage


def test_what_most_items_of_a_small_set_share_is_their_template():
    asked = (
        "Read the passage below and answer the following question in one short sentence, please."
    )
    items = [(str(n), f"{asked} {words(9, 10 + n)}") for n in range(4)]
    assert found(index_of(*items), f"{asked} {words(30, 99)}") == []
    assert found(index_of(*items), items[2][1]) == [("2", "prompt", "coverage")]
    assert found(index_of(*items[:2]), f"{asked} {words(30, 99)}") != []  # two are too few to tell


WRAPPED = {
    "Markdown": "# A **farmer** has _seventeen_ sheep\n> and `all but nine` run away in the night, "
    "so how [many](https://a.org/b) sheep does he [have](/c 'd') left in the morning?",
    "HTML": '<div class="q"><p>A farmer <b>has</b> <a href="https://a.org/?x=1&y=2">seventeen</a> '
    "sheep<br/>and all but <i>nine</i> run<br>away in the night,</p> so how many<span> sheep "
    "does</span> he <em>have</em> left in the morn<wbr>ing?</div>",
    "entities": "A&nbsp;farmer&#32;has&nbsp;seventeen&nbsp;sheep and&nbsp;all&#x20;but nine run "
    "away in the&nbsp;night, so how&nbsp;many sheep does&nbsp;he have left in&nbsp;the morning?",
    "a quote": QUESTION.replace(" in ", "\n> in "),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_markup_around_an_item_hides_nothing(how):
    index = index_of(("1", QUESTION))
    assert [f.rule for f in index.findings(example(WRAPPED[how]))] == ["coverage"]


def test_gsm8ks_calculator_notes_do_not_count():
    noted = "Half of 48 is 48/2 = <<48/2=24>>24 clips, so in all that makes 48+24 = <<48+24=72>>72."
    index = index_of(("1", "How many?", noted))
    plain = "Half of 48 is 48/2 = 24 clips, so in all that makes 48+24 = 72."
    [finding] = index.findings(example("Clips?", plain))
    assert (finding.part, finding.coverage) == ("reference", 1.0)


def test_chinese_words_are_characters_and_twice_as_many_are_asked():
    asked = "小明有十七只羊除了九只以外其他的都在夜里跑掉了请问第二天早上他还剩下几只羊"
    index = index_of(("1", asked), ("2", "法国的首都是哪里"), ("3", "今天星期几"))
    assert found(index, f"请看题：{asked}？谢谢") == [("1", "prompt", "coverage")]
    assert found(index, "小明有十七只羊除了九只以外都很健康并且喜欢吃草") == []  # 13 in a row
    assert found(index, "请问法国的首都是哪里？") == [("2", "prompt", "coverage")]
    assert found(index, "德国的首都是哪里") == []
    assert found(index, "你知道今天星期几吗") == []
    assert found(index, "今天星期几？") == [("3", "prompt", "same")]


def test_arithmetic_is_more_than_its_numbers():
    index = index_of(("1", "12 + 7 ="), ("2", "What is 3 + 4 * 5?"), ("3", "1.5 - 2"))
    assert found(index, "12 * 7 =") == found(index, "What is 3 * 4 + 5?") == []
    assert found(index, "12 + 7 = ?") == [("1", "prompt", "same")]
    assert found(index, "Please: what is **3 + 4 * 5**?") == [("2", "prompt", "short")]
    assert found(index, "1.5 + 2") == []
    assert found(index, "1.5 - 2") == [("3", "prompt", "same")]


def test_code_is_found_by_its_names_whatever_its_layout():
    code = "def add_all(values: list[int]) -> int:\n    return sum(v for v in values if v < 10)"
    index = index_of(("1", f"Complete the function. {code}"))
    assert found(index, f"```python\n{code}\n```") == [("1", "prompt", "coverage")]
    other = (
        "def multiply(xs: list[int]) -> int:\n    total = 1\n    for x in xs:\n        total *= x"
    )
    assert found(index, other) == []


@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_common_request_is_no_item(count):
    asked = "Answer the following question."
    index = index_of(*[(str(n), f"{asked} {words(20, n)}") for n in range(count)])
    assert found(index, f"{asked} {words(20, 999)}") == []


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
