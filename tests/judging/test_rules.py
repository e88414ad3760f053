import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.errors import PrefkitError
from prefkit.judging.rules import (
    Rule,
    fact_f1,
    facts,
    load_rule,
    reference,
    repetition,
    rouge_l,
    rule_judgment,
    token_f1,
)
from prefkit.records import Candidate, Example

EXAMPLE = Example(prompt="How many beds?", reference="The hut has 24 beds.")


def answer(text, finish_reason="stop"):
    return Candidate(prompt_id=EXAMPLE.id, completion=text, model="m", finish_reason=finish_reason)


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("The hut has 24 beds.", 1.0),
        ("the hut has 24 beds", 1.0),
        # 4 of 5 tokens: F1 and ROUGE-L 0.8; its number is wrong: (0.8 + 0) / 2
        ("The hut has 42 beds.", 0.4),
        # 1 of 1 and 1 of 5 tokens: 2 * 1 / 6 = 1/3; its number is right: (1/3 + 1) / 2
        ("24", 2 / 3),
        # 1 of 5 tokens: 0.2, no number: 0.1; of 3 trigrams 2 repeat the first: 0.1 / 3
        ("beds beds beds beds beds", 0.1 / 3),
        ("I do not know.", 0.0),
        ("", 0.0),
        (" ?! ", 0.0),
    ],
)
def test_the_rating_of_an_answer_worked_out_by_hand(text, rating):
    assert reference(EXAMPLE, answer(text)) == pytest.approx(rating)


def test_an_answer_cut_off_keeps_half():
    whole, cut = answer("The hut has 24"), answer("The hut has 24", "length")
    assert reference(EXAMPLE, cut) == pytest.approx(reference(EXAMPLE, whole) / 2)


def test_word_order_counts_in_rouge_but_not_in_token_f1():
    assert token_f1("a b c d".split(), "d c b a".split()) == 1.0
    assert rouge_l("a b c d", "d c b a") == pytest.approx(0.25)


def test_other_scripts_are_words_too():
    assert rouge_l("Hütte für Gäste", "Hütte für Gäste") == 1.0
    assert token_f1(["山"], ["山"]) == 1.0
    assert rouge_l("山小屋", "山小屋は") == pytest.approx(6 / 7)


def test_numbers_and_names_are_facts_and_the_first_word_may_be_one():
    sure, maybe = facts("Call Anna Frei at 14:30. Bring EUR 1,200 to Arolla.")
    assert sure == {"anna", "frei", "14:30", "eur", "1200", "arolla"}
    assert maybe == {"call", "bring"}


def test_a_number_in_words_is_the_same_fact():
    assert fact_f1("It has twenty-four beds.", "It has 24 beds.") == 1.0


def test_a_name_that_begins_a_sentence_supports_but_need_not_be_supported():
    assert fact_f1("Arolla, in the west.", "It is in Arolla.") == pytest.approx(1.0)
    assert fact_f1("It is there.", "The hut is there.") is None
    assert fact_f1("It is there.", "It is in Arolla.") == 0.0


def test_repetition_is_the_share_of_trigrams_seen_before():
    assert repetition("a b c a b c".split()) == pytest.approx(1 / 4)
    assert repetition("a b".split()) == 0.0


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_text_gets_a_rating_on_0_to_1(text, meant):
    example = Example(prompt="?", reference=meant or "-")
    candidate = Candidate(prompt_id=example.id, completion=text, model="m")
    assert 0 <= reference(example, candidate) <= 1


def test_a_rule_says_that_it_is_a_rule(workspace):
    rule = load_rule("rule:reference", workspace)
    good, bad = answer("24 beds"), answer("No idea")
    judgment = rule_judgment(rule, EXAMPLE, [good, bad])
    assert (judgment.source, judgment.annotator) == ("rule", "rule:reference")
    assert judgment.ratings[good.id] > judgment.ratings[bad.id]
    assert judgment.guideline_sha256 == rule.sha256


def test_a_rule_of_your_own_is_a_function_in_a_file(workspace):
    (workspace.root / "mine.py").write_text(
        'def brief(example, candidate):\n    """Short answers."""\n    return 0.5\n'
    )
    rule = load_rule("rule:./mine.py:brief", workspace)
    assert (rule.name, rule.says) == ("rule:brief", "Short answers.")
    assert list(rule_judgment(rule, EXAMPLE, [answer("x")]).ratings.values()) == [0.5]


@pytest.mark.parametrize("rating", [1.5, -0.1, float("nan"), "good", None])
def test_a_rating_off_the_scale_is_refused_with_the_candidate_named(rating):
    rule = Rule("rule:odd", lambda example, candidate: rating, "path ./odd.py", "0", "")
    candidate = answer("x")
    with pytest.raises(PrefkitError, match=candidate.id):
        rule_judgment(rule, EXAMPLE, [candidate])


def test_a_rule_that_raises_names_itself_and_the_candidate():
    rule = Rule("rule:odd", lambda example, candidate: 1 / 0, "path ./odd.py", "0", "")
    with pytest.raises(PrefkitError, match=r"rule:odd \(path ./odd.py\).*ZeroDivisionError"):
        rule_judgment(rule, EXAMPLE, [answer("x")])


def test_an_unknown_rule_lists_the_known_ones(workspace):
    with pytest.raises(PrefkitError) as caught:
        load_rule("rule:refrence", workspace)
    assert "rule:reference" in caught.value.hint
