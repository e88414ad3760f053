"""Mistakes of published preference sets, each made impossible here."""

import pytest

from prefkit.config import PairsConfig
from prefkit.errors import PrefkitError
from prefkit.pairs import make_pairs
from prefkit.records import Candidate, Example, Judgment, text_of

ASKED = [Example(prompt=f"question {n}", reference=f"r{n}") for n in range(6)]
ANY = PairsConfig(margin=0, label_margin=0)


def answers(example, *texts, model="m"):
    return [Candidate(prompt_id=example.id, completion=text, model=model) for text in texts]


def rated(candidates, *ratings, annotator="gpt-4", source="judge", **fields):
    scores = dict(zip((c.id for c in candidates), ratings, strict=True))
    return Judgment(
        prompt_id=candidates[0].prompt_id,
        ratings=scores,
        annotator=annotator,
        source=source,
        **fields,
    )


def ranked(candidates, *ranks, annotator="ann", source="human", **fields):
    places = dict(zip((c.id for c in candidates), ranks, strict=True))
    return Judgment(
        prompt_id=candidates[0].prompt_id,
        ranks=places,
        annotator=annotator,
        source=source,
        **fields,
    )


def sides(pair):
    return text_of(pair.chosen), text_of(pair.rejected)


def test_ultrafeedback_a_score_of_1_is_never_read_as_a_10():
    votes, candidates = [], []
    for example, scores in zip(ASKED, [(1, 8), (10, 2), (5, 1)], strict=False):
        pair = answers(example, "one", "other")
        candidates += pair
        votes.append(rated(pair, *scores))
    made = make_pairs(ASKED, candidates, votes, ANY)
    assert [sides(pair)[0] for pair in made.pairs] == ["other", "one", "one"]
    assert (made.scales["judge gpt-4"].worst, made.scales["judge gpt-4"].best) == (1, 10)


def test_tulu_3_an_unparsable_rating_is_unscored_and_never_minus_one_in_a_mean():
    pair = answers(ASKED[0], "good", "bad")
    read = rated(pair, 4, 2)
    failed = rated(pair, 1, 5, status="unscored", annotator="gpt-4o")
    made = make_pairs(ASKED, pair, [read, failed], ANY)
    assert [sides(p) for p in made.pairs] == [("good", "bad")]
    assert made.dropped_by_rule["unscored"] == 1


def test_tulu_3_a_minus_one_among_ratings_up_to_5_is_refused_and_not_taken_for_the_worst():
    pair, other = answers(ASKED[0], "good", "bad"), answers(ASKED[1], "one", "two")
    votes = [rated(pair, 5, -1), rated(other, 4, 1)]
    with pytest.raises(PrefkitError, match=r"judge gpt-4 rates -1.*1 of 4 ratings") as caught:
        make_pairs(ASKED, [*pair, *other], votes, ANY)
    assert "unscored" in caught.value.hint
    around_zero = [rated(pair, 1, -1), rated(other, 0, -0.5)]
    assert len(make_pairs(ASKED, [*pair, *other], around_zero, ANY).pairs) == 2


def test_tulu_3_a_dropped_row_never_shifts_completions_onto_the_next_prompt():
    candidates, votes = [], []
    for number, example in enumerate(ASKED):
        pair = answers(example, f"good {number}", f"bad {number}")
        candidates += pair
        votes.append(rated(pair, 3, 3 if number in (1, 4) else 1))
    made = make_pairs(ASKED, candidates, votes, ANY)
    assert len(made.pairs) == 4
    for pair in made.pairs:
        number = text_of(pair.prompt).split()[1]
        assert sides(pair) == (f"good {number}", f"bad {number}")


def test_tulu_3_and_ultrafeedback_binarized_a_tie_is_never_a_pair():
    pair = answers(ASKED[0], "one", "other")
    for strategy in ("best_vs_worst", "best_vs_rest", "adjacent", "all"):
        config = PairsConfig(margin=0, strategy=strategy)
        made = make_pairs(ASKED, pair, [rated(pair, 4, 4)], config)
        assert made.pairs == ()
        assert made.dropped_by_rule["tie"] == 1


def test_zephyr_the_rejected_side_is_no_unseeded_choice():
    four = answers(ASKED[0], "best", "b", "c", "d")
    tied = rated(four, 5, 2, 2, 2)
    drawn = {
        seed: sides(make_pairs(ASKED, four, [tied], PairsConfig(margin=0, seed=seed)).pairs[0])
        for seed in range(12)
    }
    again = {
        seed: sides(
            make_pairs(ASKED, four[::-1], [tied], PairsConfig(margin=0, seed=seed)).pairs[0]
        )
        for seed in range(12)
    }
    assert drawn == again
    assert len(set(drawn.values())) > 1


def test_intel_orca_no_model_is_taken_to_win_always():
    big = answers(ASKED[0], "from the big model", model="gpt-4")
    small = answers(ASKED[0], "from the small model", model="llama")
    made = make_pairs(ASKED, [*big, *small], [ranked([*big, *small], 2, 1)], ANY)
    assert sides(made.pairs[0])[0] == "from the small model"
    assert make_pairs(ASKED, [*big, *small], [], ANY).pairs == ()


def test_kto_mix_both_sides_of_a_weak_pair_are_no_thumbs():
    pair = answers(ASKED[0], "one", "other")
    made = make_pairs(ASKED, pair, [rated(pair, 0.52, 0.5)], PairsConfig())
    assert (made.pairs, made.unpaired) == ((), ())
    assert made.dropped_by_rule == {"no-label": 2, "small-margin": 1}


def test_ultrafeedback_cleaned_the_same_text_is_never_on_both_sides():
    pair = answers(ASKED[0], "At six.", "at  six.")
    made = make_pairs(ASKED, pair, [rated(pair, 5, 1)], ANY)
    assert made.pairs == ()


@pytest.mark.parametrize("times", [("1", "2"), ("2", "1")])
def test_of_two_votes_of_one_rater_the_last_submitted_counts_and_it_is_said(times):
    pair = answers(ASKED[0], "one", "other")
    votes = [
        ranked(pair, 1, 2, answered_at=f"2026-01-0{times[0]}"),
        ranked(pair, 2, 1, answered_at=f"2026-01-0{times[1]}"),
    ]
    made = make_pairs(ASKED, pair, votes, ANY)
    assert sides(made.pairs[0])[0] == ("other" if times == ("1", "2") else "one")
    assert made.dropped_by_rule["repeated-vote"] == 1
    assert len(made.pairs[0].votes) == 1
