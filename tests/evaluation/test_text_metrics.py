import pytest

from prefkit.evaluation.text_metrics import bleu, repeated_share, repeats_itself, rouge_l


def test_rouge_l_by_hand():
    # longest common subsequence "the cat sat": 3 of 6 and 3 of 3 words
    assert rouge_l("the cat sat on the mat", "the cat sat") == pytest.approx(2 * 0.5 / 1.5)
    assert rouge_l("a", "") == 0.0


def test_rouge_l_is_rouge_scores_own_for_ascii():
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rougeL"])
    reference, said = "Ask the warden, before 9:30!", "The warden's hut: ask before nine_thirty."
    assert rouge_l(reference, said) == scorer.score(reference, said)["rougeL"].fmeasure


def test_rouge_l_reads_other_scripts():
    assert rouge_l("Öffnung um neun Uhr", "öffnung um zehn Uhr") == pytest.approx(0.75)
    assert rouge_l("ключ у смотрителя", "ключ у смотрителя") == 1.0


def test_bleu_is_sacrebleus_corpus_bleu():
    import sacrebleu

    references = ["the hut opens at nine in the morning", "two keys hang in the store room"]
    base = ["the hut opens at nine", "keys hang in the room"]
    tuned = ["the hut opens at nine in the morning today", "two keys hang in the store"]
    found = bleu(references, base, tuned)
    assert found.base.value == pytest.approx(sacrebleu.corpus_bleu(base, [references]).score)
    assert found.tuned.value == pytest.approx(sacrebleu.corpus_bleu(tuned, [references]).score)
    assert found.delta.value == pytest.approx(found.tuned.value - found.base.value)
    assert "version:" in found.signature


def test_bleu_of_one_item_has_no_interval():
    found = bleu(["a b c d e"], ["a b c"], ["a b c d e"])
    assert found.delta.low is None
    assert found.delta.n == 1


def test_a_loop_is_seen_and_prose_is_not():
    assert repeats_itself("I do not know. " * 12)
    assert not repeats_itself("The hut opens at nine, and the warden keeps two keys upstairs.")
    assert repeated_share("too short") == 0.0
