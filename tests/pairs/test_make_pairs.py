import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefkit.config import PairsConfig
from prefkit.pairs import make_pairs
from prefkit.pairs.check import text_key
from prefkit.records import Candidate, Example, Judgment, text_of

ASKED = Example(prompt="When does it open?", reference="At six.", split="train")
HELD = Example(prompt="Who has the key?", reference="The warden.", split="test")
ANY = PairsConfig(margin=0, label_margin=0)


def answers(*texts, example=ASKED, **fields):
    return [
        Candidate(prompt_id=example.id, completion=text, model="m", seed=seed, **fields)
        for seed, text in enumerate(texts)
    ]


def judged(candidates, *ranks, annotator="ann", source="human", **fields):
    names = [candidate.id for candidate in candidates]
    by_name = dict(zip(names, ranks, strict=True)) if ranks else None
    return Judgment(
        prompt_id=candidates[0].prompt_id,
        ranks=by_name,
        annotator=annotator,
        source=source,
        **fields,
    )


def rated(candidates, *ratings, **fields):
    names = [candidate.id for candidate in candidates]
    return judged(candidates, ratings=dict(zip(names, ratings, strict=True)), **fields)


def only(made):
    (pair,) = made.pairs
    return pair


def sides(pair):
    return text_of(pair.chosen), text_of(pair.rejected)


rankings = st.integers(2, 5).flatmap(
    lambda size: st.lists(st.integers(1, 4), min_size=size, max_size=size)
)
TEXTS = st.sampled_from(["six", "SIX", "six ", "seven", "eight", "", "nine"])
worlds = st.tuples(
    st.lists(st.tuples(TEXTS, st.sampled_from(["stop", "stop", "length"])), min_size=2, max_size=5),
    st.lists(
        st.tuples(
            st.lists(st.integers(1, 4), min_size=5, max_size=5),
            st.sampled_from(["human", "judge", "rule"]),
            st.sampled_from(["ranks", "ratings", "edit"]),
        ),
        max_size=4,
    ),
)


def world(drawn):
    texts, opinions = drawn
    candidates = [
        Candidate(prompt_id=ASKED.id, completion=text, model="m", seed=seed, finish_reason=reason)
        for seed, (text, reason) in enumerate(texts)
    ]
    judgments = []
    for number, (scores, source, form) in enumerate(opinions):
        scores, who = scores[: len(candidates)], {"annotator": f"a{number}", "source": source}
        if form == "ranks":
            judgments.append(judged(candidates, *scores, **who))
        elif form == "ratings":
            judgments.append(rated(candidates, *(score / 4 for score in scores), **who))
        else:
            judgments.append(judged(candidates, edit=f"edit {scores[0]}", **who))
    return candidates, judgments


@given(rankings)
def test_a_pair_never_contradicts_its_ranking(ranks):
    candidates = answers(*(f"text {n}" for n in range(len(ranks))))
    ranking = judged(candidates, *ranks)
    made = make_pairs([ASKED], candidates, [ranking], ANY)
    for pair in made.pairs:
        assert ranking.ranks[pair.chosen_id] == min(ranks)
        assert ranking.ranks[pair.rejected_id] == max(ranks)
        assert (pair.votes_for, pair.votes_against) == (1, 0)
    assert bool(made.pairs) == (len(set(ranks)) > 1)
    for thumb in made.unpaired:
        others = [rank for name, rank in ranking.ranks.items() if name != thumb.candidate_id]
        rank = ranking.ranks[thumb.candidate_id]
        assert rank < max(others) if thumb.label else rank > min(others)


@given(worlds, st.randoms())
def test_order_and_repetition_of_the_input_change_nothing(drawn, rng):
    candidates, judgments = world(drawn)
    made = make_pairs([ASKED], candidates, judgments, ANY)
    shuffled = [*candidates, *candidates[:2]]
    rng.shuffle(shuffled)
    votes = [*judgments, *judgments[:1]]
    rng.shuffle(votes)
    assert make_pairs([ASKED], shuffled, votes, ANY) == made


@given(worlds)
def test_what_is_made_is_sound(drawn):
    candidates, judgments = world(drawn)
    made = make_pairs([ASKED], candidates, judgments, PairsConfig())
    known = {c.id: c for c in (*candidates, *made.edits)}
    for pair in made.pairs:
        chosen, rejected = sides(pair)
        assert text_key(chosen) != text_key(rejected)
        assert text_key(chosen)
        assert known[pair.chosen_id].completion == pair.chosen
        assert known[pair.rejected_id].completion == pair.rejected
        assert known[pair.chosen_id].finish_reason != "length"
        assert pair.margin == pytest.approx(pair.score_chosen - pair.score_rejected)
        assert pair.margin >= PairsConfig().margin - 1e-6
        assert 0 <= pair.score_rejected < pair.score_chosen <= 1
        assert set(pair.source.split("+")) <= {judgment.source for judgment in judgments}
        assert pair.votes_for == sum(vote.outcome == "for" for vote in pair.votes)
        assert pair.votes_against == sum(vote.outcome == "against" for vote in pair.votes)
        assert {vote.judgment_id for vote in pair.votes} <= {j.id for j in judgments}
    for thumb in made.unpaired:
        if thumb.label:
            assert known[thumb.candidate_id].finish_reason != "length"
            assert text_key(text_of(thumb.completion))
    assert made.prompts == 1
    reasons = [entry for entry in made.dropped if entry.record_id == ASKED.id]
    assert len(made.pairs) + len(reasons) == 1


@given(worlds)
def test_reversed_rankings_reverse_the_pair(drawn):
    candidates, judgments = world(drawn)
    assume(all(c.finish_reason == "stop" and text_key(text_of(c.completion)) for c in candidates))
    judgments = [j for j in judgments if j.ranks]
    turned = [
        j.model_copy(update={"ranks": {name: -rank for name, rank in j.ranks.items()}, "id": j.id})
        for j in judgments
    ]
    made, back = (make_pairs([ASKED], candidates, votes, ANY) for votes in (judgments, turned))
    assert len(made.pairs) == len(back.pairs)
    for pair, other in zip(made.pairs, back.pairs, strict=True):
        assert pair.score_chosen == pytest.approx(1 - other.score_rejected, abs=1e-5)
        assert pair.score_rejected == pytest.approx(1 - other.score_chosen, abs=1e-5)


def test_votes_are_counted_and_name_only_those_who_stood_behind_the_pair():
    candidates = answers("six", "seven", "eight")
    votes = [
        judged(candidates, 1, 2, 3, annotator="a", source="judge"),
        judged(candidates, 1, 3, 2, annotator="b", source="judge"),
        judged(candidates[:2], 2, 1, annotator="c", source="rule"),
    ]
    pair = only(make_pairs([ASKED], candidates, votes, ANY))
    assert sides(pair) == ("six", "eight")
    assert (pair.votes_for, pair.votes_against, pair.source) == (2, 0, "judge")
    pair = only(make_pairs([ASKED], candidates[:2], votes[2:], ANY))
    assert (sides(pair), pair.source) == (("seven", "six"), "rule")


def test_a_rule_is_never_called_human_and_kinds_are_joined():
    candidates = answers("six", "seven")
    votes = [
        rated(candidates, 0.9, 0.2, annotator="rule:reference", source="rule"),
        judged(candidates, 1, 2, annotator="tone", source="judge"),
    ]
    pair = only(make_pairs([ASKED], candidates, votes, ANY))
    assert pair.source == "judge+rule"
    assert pair.votes_for == 2


def test_people_can_be_left_alone_with_the_prompts_they_judged():
    first, second = answers("six", "seven"), answers("a", "b", example=HELD)
    votes = [
        judged(first, 2, 1, annotator="ann"),
        *(judged(first, 1, 2, annotator=f"j{n}", source="judge") for n in range(5)),
        judged(second, 1, 2, annotator="j", source="judge"),
    ]
    alone = PairsConfig(margin=0, beside_people="leave-out")
    made = make_pairs([ASKED, HELD], [*first, *second], votes, alone)
    assert [sides(pair) for pair in made.pairs] == [("seven", "six"), ("a", "b")]
    assert [pair.source for pair in made.pairs] == ["human", "judge"]
    assert made.dropped_by_rule["outranked"] == 5


def test_a_skipped_or_unscored_judgment_is_counted_and_never_a_tie():
    candidates = answers("six", "seven")
    votes = [
        judged(candidates, 1, 2),
        judged(candidates, 2, 1, annotator="b", status="skipped"),
        judged(candidates, 2, 1, annotator="j", source="judge", status="unscored"),
    ]
    made = make_pairs([ASKED], candidates, votes, ANY)
    alone = make_pairs([ASKED], candidates, votes[:1], ANY)
    assert made.pairs == alone.pairs
    assert made.dropped_by_rule == {"skipped": 1, "unscored": 1}


def test_ties_and_small_margins_give_no_pair():
    candidates = answers("six", "seven")
    made = make_pairs([ASKED], candidates, [judged(candidates, 1, 1)], PairsConfig())
    assert made.pairs == ()
    assert made.dropped_by_rule == {"tie": 1, "no-label": 2}
    close = rated(candidates, 0.55, 0.5, source="rule")
    made = make_pairs([ASKED], candidates, [close], PairsConfig(margin=0.1))
    assert made.dropped_by_rule["small-margin"] == 1
    assert len(make_pairs([ASKED], candidates, [close], PairsConfig(margin=0.05)).pairs) == 1


def test_two_against_one_is_weaker_than_three_to_none():
    candidates = answers("six", "seven")
    split = [judged(candidates, 1 + (n == 0), 2 - (n == 0), annotator=f"a{n}") for n in range(3)]
    agreed = [judged(candidates, 1, 2, annotator=f"a{n}") for n in range(3)]
    margins = [only(make_pairs([ASKED], candidates, v, ANY)).margin for v in (split, agreed)]
    assert 0.05 < margins[0] < margins[1]
    pair = only(make_pairs([ASKED], candidates, split, ANY))
    assert (pair.votes_for, pair.votes_against) == (2, 1)


def test_a_cut_off_completion_is_never_chosen_but_may_be_rejected():
    whole, cut = answers("six", "seven"), answers("eight and", finish_reason="length")
    best_cut = judged([*whole, *cut], 2, 3, 1)
    pair = only(make_pairs([ASKED], [*whole, *cut], [best_cut], ANY))
    assert sides(pair) == ("six", "seven")
    worst_cut = judged([*whole, *cut], 1, 2, 3)
    made = make_pairs([ASKED], [*whole, *cut], [worst_cut], ANY)
    assert sides(only(made)) == ("six", "eight and")
    assert {text_of(t.completion) for t in made.unpaired if not t.label} >= {"eight and"}
    made = make_pairs([ASKED], [whole[0], *cut], [judged([whole[0], *cut], 2, 1)], ANY)
    assert made.pairs == ()
    assert made.dropped_by_rule == {"none-choosable": 1, "cut-off": 1}


def test_an_empty_completion_is_never_chosen():
    candidates = answers("", "seven")
    made = make_pairs([ASKED], candidates, [judged(candidates, 1, 2)], ANY)
    assert made.dropped_by_rule["none-choosable"] == 1
    pair = only(make_pairs([ASKED], candidates, [judged(candidates, 2, 1)], ANY))
    assert sides(pair) == ("seven", "")


def test_a_failed_generation_is_no_completion():
    good, failed = answers("six", "seven"), answers("", finish_reason="error")
    votes = [judged([*good, *failed], 2, 1, 3)]
    made = make_pairs([ASKED], [*good, *failed], votes, ANY)
    assert sides(only(made)) == ("seven", "six")
    assert made.dropped_by_rule == {"failed-generation": 1}


def test_the_same_text_is_one_completion_and_never_on_both_sides():
    candidates = answers("Six.", " six. ", "seven")
    made = make_pairs([ASKED], candidates, [judged(candidates, 1, 3, 2)], ANY)
    assert made.dropped_by_rule["tie"] == 1  # once above, once below: it cancels
    twins = candidates[:2]
    made = make_pairs([ASKED], twins, [judged(twins, 1, 2)], ANY)
    assert made.dropped_by_rule == {"one-candidate": 1, "no-label": 1}


def test_of_equal_texts_the_whole_one_stands_for_both():
    cut = answers("six", finish_reason="length")
    whole = [Candidate(prompt_id=ASKED.id, completion="six", model="other")]
    worse = answers("seven")
    made = make_pairs([ASKED], [*cut, *whole, *worse], [judged([*cut, *worse], 1, 2)], ANY)
    assert only(made).chosen_id == whole[0].id


def test_an_edit_beats_what_its_writer_saw():
    candidates = answers("six", "seven", "eight")
    ranked = judged(candidates, 1, 2, 3, edit="At six, but seven on Sundays.")
    made = make_pairs([ASKED], candidates, [ranked], ANY)
    pair = only(made)
    assert sides(pair) == ("At six, but seven on Sundays.", "eight")
    assert pair.chosen_id == made.edits[0].id
    assert made.edits[0].model == "human edit"
    assert made.edits[0].metadata == {"judgment_id": ranked.id}
    seen = [candidates[1].id]
    bare = judged(candidates, edit="At six.", shown_order=seen)
    pair = only(make_pairs([ASKED], candidates, [bare], ANY))
    assert sides(pair) == ("At six.", "seven")
    assert (pair.votes_for, pair.source) == (1, "human")


def test_an_edit_that_repeats_a_completion_is_a_vote_for_it():
    candidates = answers("six", "seven")
    made = make_pairs([ASKED], candidates, [judged(candidates, edit="Seven")], ANY)
    assert sides(only(made))[1] == "six"
    assert text_key(sides(only(made))[0]) == "seven"


def test_a_four_way_ranking_counts_as_three_facts():
    candidates = answers("a", "b", "c", "d")
    ranking = judged(candidates, 1, 2, 3, 4)
    pair = only(make_pairs([ASKED], candidates, [ranking], ANY))
    two = only(make_pairs([ASKED], candidates[:2], [judged(candidates[:2], 1, 2)], ANY))
    assert two.margin < pair.margin < 1.5 * two.margin


@pytest.mark.parametrize("ranks", [(1, 2), (2, 1)])
def test_two_that_nobody_compared_are_no_split_vote(ranks):
    three = answers("A1", "A2", "B1", "B2", "C1", "C2")
    judgments = [
        judged(three[place : place + 2], *ranks, annotator=f"ann {place}") for place in (0, 2, 4)
    ]
    config = PairsConfig(strategy="all", max_pairs=9)
    made = make_pairs([ASKED], three, judgments, config)
    assert len(made.pairs) == 9
    assert not made.conflicts
    sure = make_pairs([ASKED], three, judgments, config.model_copy(update={"min_votes": 1}))
    assert len(sure.pairs) == 3


def test_circles_are_counted():
    a, b, c = candidates = answers("a", "b", "c")
    votes = [
        judged(list(two), 1, 2, annotator=f"j{n}", source="judge")
        for n, two in enumerate([(a, b), (b, c), (c, a)])
    ]
    made = make_pairs([ASKED], candidates, votes, ANY)
    assert (made.cycles, made.pairs) == (1, ())


def test_equal_completions_are_drawn_by_seed_and_content_not_by_place():
    best, worst = [f"good {n}" for n in range(4)], "bad"
    candidates = answers(*best, worst)
    ranking = judged(candidates, 1, 1, 1, 1, 5)

    def drawn(seed, order=1):
        made = make_pairs([ASKED], candidates[::order], [ranking], PairsConfig(seed=seed))
        return only(made).chosen_id

    assert len({drawn(seed) for seed in range(20)}) > 1
    assert all(drawn(seed) == drawn(seed, -1) for seed in range(5))


def test_the_split_is_inherited_and_missing_means_train():
    loose = Example(prompt="And when?", reference="At six.")
    made = []
    for example in (ASKED, HELD, loose):
        candidates = answers("six", "seven", example=example)
        made.append(make_pairs([example], candidates, [judged(candidates, 1, 2)], ANY))
    assert [only(m).split for m in made] == ["train", "test", "train"]
    assert [m.unpaired[0].split for m in made] == ["train", "test", "train"]


def test_no_row_is_shifted_onto_another_prompt():
    examples = [Example(prompt=f"question {n}", reference=f"r{n}") for n in range(6)]
    candidates, votes = [], []
    for number, example in enumerate(examples):
        group = answers(f"good {number}", f"bad {number}", example=example)
        candidates += group
        status = "unscored" if number in (1, 4) else "submitted"
        votes.append(judged(group, 1, 2, status=status, source="judge"))
    made = make_pairs(examples, candidates, votes, ANY)
    assert len(made.pairs) == 4
    for pair in made.pairs:
        number = text_of(pair.prompt).split()[1]
        assert sides(pair) == (f"good {number}", f"bad {number}")
    assert made.dropped_by_rule == {"unscored": 2, "no-judgment": 2}


def test_strangers_are_dropped_by_name():
    candidates = answers("six", "seven")
    lost = Candidate(prompt_id="nowhere", completion="x", model="m")
    votes = [
        judged(candidates, 1, 2),
        judged([*candidates, lost.model_copy(update={"id": "gone"})], 1, 2, 3, annotator="b"),
        judged([lost, lost.model_copy(update={"id": "z"})], 1, 2, annotator="c"),
        judged(candidates[:1], 1, annotator="d"),
        judged(candidates, annotator="e"),
        rated(candidates, float("nan"), float("inf"), annotator="f"),
    ]
    made = make_pairs([ASKED], [*candidates, lost], votes, ANY)
    assert made.dropped_by_rule == {
        "unknown-prompt": 2,
        "unknown-candidate": 1,
        "says-nothing": 3,
    }
    assert only(made).votes_for == 1


def test_judgments_of_other_kinds_can_be_left_out():
    candidates = answers("six", "seven")
    votes = [
        judged(candidates, 1, 2, source="judge", annotator="j"),
        judged(candidates, 2, 1, source="rule", annotator="r"),
    ]
    made = make_pairs([ASKED], candidates, votes, PairsConfig(sources=("rule",)))
    assert only(made).source == "rule"
    assert made.dropped_by_rule["source-left-out"] == 1


def test_thumbs_compare_with_siblings_or_with_the_middle_of_the_scale():
    candidates = answers("six", "seven", "eight")
    good = rated(candidates, 5, 5, 4)
    siblings = make_pairs([ASKED], candidates, [good], PairsConfig(label_margin=0.15))
    assert [t.label for t in siblings.unpaired] == [False]
    absolute = PairsConfig(labels="absolute", label_margin=0.15)
    thumbs = make_pairs([ASKED], candidates, [good], absolute).unpaired
    assert [t.label for t in thumbs] == [True, True, True]
    alone = make_pairs([ASKED], candidates[:1], [rated(candidates[:1], 5)], absolute)
    assert [t.label for t in alone.unpaired] == [True]
    assert alone.dropped_by_rule == {"one-candidate": 1}


def test_a_prompt_without_candidates_or_judgments_says_so():
    candidates = answers("six", "seven")
    made = make_pairs([ASKED, HELD], candidates, [], ANY)
    assert made.dropped_by_rule == {"no-judgment": 1}
    assert made.prompts == 1
    edit = Judgment(prompt_id=HELD.id, edit="The warden.", annotator="a", source="human")
    made = make_pairs([HELD], [], [edit], ANY)
    assert made.dropped_by_rule == {"one-candidate": 1, "no-label": 1}


def test_an_adjudicator_settles_a_prompt_and_the_votes_are_kept_for_the_record():
    candidates = answers("at six", "at seven")
    votes = [judged(candidates, 2, 1, annotator=name) for name in ("ada", "ben")]
    settled = judged(candidates, 1, 2, annotator="cem", metadata={"adjudicated": "true"})
    made = make_pairs([ASKED], candidates, [*votes, settled], ANY)
    pair = only(made)
    assert text_of(pair.chosen) == "at six"
    assert (pair.votes_for, pair.votes_against) == (1, 2)
    assert pair.metadata == {"adjudicated": "true"}
    assert made.dropped_by_rule["adjudicated"] == 2
    alone = only(make_pairs([ASKED], candidates, [settled], ANY))
    assert pair.margin == alone.margin


def test_an_adjudication_that_was_not_submitted_settles_nothing():
    candidates = answers("at six", "at seven")
    vote = judged(candidates, 2, 1, annotator="ada")
    draft = judged(
        candidates, 1, 2, annotator="cem", metadata={"adjudicated": "true"}, status="draft"
    )
    pair = only(make_pairs([ASKED], candidates, [vote, draft], ANY))
    assert text_of(pair.chosen) == "at seven"
    assert pair.metadata == {}


def test_an_edit_says_nothing_of_what_others_wrote():
    candidates = answers("six", "seven")
    edits = [judged(candidates, edit=f"At {n}.", annotator=f"a{n}") for n in range(3)]
    made = make_pairs([ASKED], candidates, edits, PairsConfig(margin=0, strategy="all"))
    written = {edit.id for edit in made.edits}
    assert made.cycles == 0
    assert {pair.rejected_id for pair in made.pairs} == {c.id for c in candidates}
    assert {pair.chosen_id for pair in made.pairs} <= written
    assert {(pair.votes_for, pair.votes_against) for pair in made.pairs} == {(1, 0)}
