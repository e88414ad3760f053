"""Numbers of an audit against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.audit.auc import paired_auc, two_class_auc
from prefkit.audit.drifted import difference, jsd, ks, psi, psi_by_chance, psi_of_counts
from prefkit.audit.lengths import robust_z
from prefkit.audit.predict import folds, label_auc, winner_accuracy
from prefkit.audit.quality import measures
from prefkit.audit.surface import FEATURES, LONGEST, surface, telling_words
from prefkit.audit.vocabulary import counted


def of(text, **prompt):
    return dict(zip(FEATURES, surface(text, **prompt), strict=True))


def split(*texts):
    return [text.split() for text in texts]


def test_paired_auc_counts_ties_as_half():
    more, less = np.array([2.0, 2, 2, 1]), np.array([1.0, 1, 2, 2])
    found = paired_auc(more, less, np.arange(4))
    assert found.value == pytest.approx((2 + 0.5) / 4)
    assert found.low < found.value < found.high
    assert found.n == 4


def test_pairs_of_one_prompt_are_not_independent():
    draws = np.random.default_rng(1)
    wins = np.repeat(draws.random(40) < 0.5, 25).astype(float)  # a prompt's pairs all agree
    alone = paired_auc(wins, 1 - wins, np.arange(1000))
    together = paired_auc(wins, 1 - wins, np.repeat(np.arange(40), 25))
    assert together.value == alone.value
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_two_class_auc_and_its_interval_by_hand():
    scores = np.array([3.0, 2, 1, 2, 0])
    labels = np.array([True, True, False, False, False])
    found = two_class_auc(scores, labels)
    # liked 3 beats 1, 2, 0; liked 2 beats 1 and 0 and ties with 2
    assert found.value == pytest.approx((3 + 2.5) / 6)
    above, below = np.array([1, 2.5 / 3]), np.array([1, 0.75, 1])
    spread = math.sqrt(above.var(ddof=1) / 2 + below.var(ddof=1) / 3)
    assert found.low == pytest.approx(found.value - 1.959964 * spread)
    assert found.high == 1.0


def test_one_label_only_has_no_auc():
    assert math.isnan(two_class_auc(np.arange(3.0), np.ones(3, bool)).value)


def test_distinct_n_by_hand():
    texts = split("a b a b", "a b c")
    assert measures.distinct(texts, 1) == pytest.approx(3 / 7)
    assert measures.distinct(texts, 2) == pytest.approx(3 / 5)  # ab ba bc of ab ba ab ab bc
    assert measures.distinct(texts, 3) == pytest.approx(3 / 3)
    assert math.isnan(measures.distinct(split("a"), 2))


def test_shared_n_grams_count_other_texts_only():
    assert measures.repeated(split("a b a b", "c d"), 2) == 0.0
    assert measures.repeated(split("a b c", "a b d"), 2) == pytest.approx(2 / 4)


def test_self_bleu_by_hand():
    one, other = measures.self_bleu(split("a b c d e", "a b c d f"))
    assert one == other == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert measures.self_bleu(split("a b c d", "a b c d")) == [1.0, 1.0]
    assert measures.self_bleu(split("a b c d")) == []


def test_self_bleu_clips_by_the_most_that_one_other_text_has():
    first, *_ = measures.self_bleu(split("a a a a", "a x y z", "a a v w"))
    # of the four `a` the third text has two; of three `a a` one; of longer ones none
    assert first == pytest.approx((2 / 4 * 1 / 3 * 0.1 / 2 * 0.1 / 1) ** 0.25)


def test_self_bleu_is_sacrebleus_where_all_orders_match():
    from sacrebleu.metrics.bleu import BLEU

    texts = [
        "the cat sat on the mat today with a dog",
        "the cat sat on the mat with a dog today",
        "a dog sat on the mat with a cat today too",
    ]
    own = measures.self_bleu(split(*texts))
    metric = BLEU(tokenize="none", effective_order=True)
    for place, text in enumerate(texts):
        others = texts[:place] + texts[place + 1 :]
        assert own[place] == pytest.approx(metric.sentence_score(text, others).score / 100)


def test_vendi_of_different_vectors_is_their_number_and_of_copies_one():
    assert measures.vendi(np.eye(5, dtype=np.float32)) == pytest.approx(5)
    assert measures.vendi(np.repeat(np.eye(5)[:1], 7, axis=0)) == pytest.approx(1)
    assert measures.vendi(np.repeat(np.eye(2), 3, axis=0)) == pytest.approx(2)


def test_texts_are_compared_at_one_number_of_words():
    assert measures.within(["a b c", "d e f", "g"], 5) == [["a", "b", "c"], ["d", "e"]]


def test_psi_by_hand():
    new, old = np.array([30.0, 70]), np.array([50.0, 50])
    by_hand = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert psi_of_counts(new, old) == pytest.approx(by_hand)
    empty = (0.5 / 10 - 0.5) * math.log((0.5 / 10) / 0.5) + (1 - 0.5) * math.log(1 / 0.5)
    assert psi_of_counts(np.array([0.0, 10]), np.array([5.0, 5])) == pytest.approx(empty)


def test_psi_is_over_deciles_of_the_reference():
    old = np.arange(100.0)
    assert psi(old, old) == 0.0
    below = np.full(50, -1.0)  # all in the first decile, which holds a tenth of the reference
    empty = 9 * (0.01 - 0.1) * math.log(0.01 / 0.1)  # half a count of fifty in each other decile
    assert psi(below, old) == pytest.approx((1 - 0.1) * math.log(1 / 0.1) + empty)
    assert psi(np.full(9, 0.5), np.full(7, 0.5)) == 0.0


def test_chance_alone_stays_under_the_bound_of_psi():
    draws = np.random.default_rng(3)
    over = sum(
        psi(draws.normal(size=200), draws.normal(size=300)) > psi_by_chance(200, 300, 10)
        for _ in range(300)
    )
    assert over <= 3


def test_jsd_by_hand():
    assert jsd(np.array([1.0, 1]), np.array([2.0, 2])) == 0.0
    assert jsd(np.array([1.0, 0]), np.array([0.0, 3])) == pytest.approx(1.0)
    p, q, m = (0.5, 0.5), (0.75, 0.25), (0.625, 0.375)
    by_hand = sum(a * math.log2(a / c) + b * math.log2(b / c) for a, b, c in zip(p, q, m)) / 2  # noqa: B905
    assert jsd(np.array([5.0, 5]), np.array([3.0, 1])) == pytest.approx(by_hand)


def test_ks_by_hand():
    assert ks(np.array([1.0, 2, 3]), np.array([1.0, 2, 3])) == 0.0
    assert ks(np.array([1.0, 2]), np.array([2.0, 3])) == pytest.approx(0.5)
    assert ks(np.array([1.0]), np.array([2.0])) == 1.0


def test_standardised_difference_by_hand():
    new, old = np.array([2.0, 4]), np.array([1.0, 3])
    found = difference(new, old)
    assert found.value == pytest.approx(1 / math.sqrt(2) * (1 - 3 / (4 * 4 - 9)))
    assert difference(np.ones(5), np.ones(4)).value == 0.0
    assert math.isnan(difference(np.full(5, 0.3), np.full(4, 0.1)).value)


def test_robust_z_by_hand():
    words = np.expm1(np.array([1.0, 2, 3, 4, 10]))
    assert robust_z(words)[4] == pytest.approx(0.6745 * 7 / 1)
    assert not robust_z(np.full(9, 7.0)).any()
    assert robust_z(np.array([5.0] * 9 + [500.0]))[-1] > 3.5


def test_folds_keep_groups_together_and_do_not_look_at_the_order():
    groups = np.repeat(np.arange(40, dtype=np.uint64), 3)
    parts = folds(groups)
    assert sorted(np.concatenate([test for _, test in parts]).tolist()) == list(range(120))
    for train, test in parts:
        assert not set(groups[train]) & set(groups[test])
    sides = [set(groups[test].tolist()) for _, test in parts]
    assert [set(groups[::-1][test].tolist()) for _, test in folds(groups[::-1])] == sides


def test_what_is_not_there_cannot_be_predicted_and_what_is_can():
    draws = np.random.default_rng(0)
    noise, groups = draws.normal(size=(600, 3)), np.arange(600)
    chance = winner_accuracy(noise, groups)
    assert chance.low < 0.5 < chance.high
    told = winner_accuracy(noise + np.array([0, 2.0, 0]), groups)
    assert told.low > 0.9
    labels = draws.random(600) < 0.5
    assert label_auc(noise + labels[:, None] * 2.0, labels, groups, 0).low > 0.9


def test_pairs_of_which_nothing_differs_are_even():
    found = winner_accuracy(np.zeros((50, 2)), np.arange(50))
    assert found.value == 0.5


def test_surface_counts_by_hand():
    found = of(
        '# Head\n\n- one **bold** `code`\n- two? I can\'t say 12 things!\n\n> "Perhaps" [3].'
    )
    assert found["headings"] == 1
    assert found["list_items"] == 2
    assert found["bold"] == found["code"] == found["questions"] == found["exclamations"] == 1
    assert found["hedges"] == found["first_person"] == found["contractions"] == 1
    assert found["numbers"] == 2  # 12 and the citation
    assert found["paragraphs"] == 3
    assert found["closed"] == 1
    assert of("I'm sorry, but I can't help with that.")["refusal"] == 1
    assert of("")["words"] == 0


def test_words_of_the_prompt_are_those_that_tell():
    asked = telling_words("How do I mend the pump?")
    assert asked == {"mend", "pump"}
    assert of("Mend it: the pump turns.", prompt_words=asked)["asked"] == pytest.approx(2 / 3)


def test_scripts_without_spaces_have_a_word_a_letter():
    assert of("这是一个")["words"] == 4


def test_very_long_texts_count_in_full_but_are_not_looked_at_in_full():
    found = of("word " * LONGEST)
    assert found["words"] == LONGEST
    assert found["characters"] == 5 * LONGEST


@given(st.text())
def test_any_text_has_finite_features(text):
    assert np.isfinite(surface(text, telling_words(text))).all()


def test_words_that_tell_two_sets_apart_are_named():
    new = [f"the zebra number {n % 7} runs" for n in range(60)]
    old = [f"the horse number {n % 7} runs" for n in range(60)]
    found = counted(new, old)
    more, less = found.telling(3)
    assert more[0][0] == "zebra"
    assert less[0][0] == "horse"
    assert found.told_apart(np.arange(120), 0).low > 0.9
    value, chance = found.divergence(0)
    assert value == pytest.approx(1 / 5)  # one word of five is another
    assert chance < value


def test_sets_without_words_are_not_compared():
    assert counted(["", "…"], ["a b"]) is None
