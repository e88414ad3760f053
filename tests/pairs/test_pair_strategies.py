import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefkit.config import PairsConfig
from prefkit.pairs import make_pairs
from prefkit.pairs.ids import canonical, dropped, pair_id, thumb_id
from prefkit.records import (
    Candidate,
    Dropped,
    Example,
    Judgment,
    PreferencePair,
    UnpairedPreference,
    text_of,
)

ASKED = Example(prompt="When?", reference="At six.")
STRATEGIES = ("best_vs_worst", "best_vs_rest", "adjacent", "all")


def answers(*texts, **fields):
    fields = {"model": "m"} | fields
    return [Candidate(prompt_id=ASKED.id, completion=text, **fields) for text in texts]


def ranked(candidates, *ranks, annotator="ann", source="human", **fields):
    places = dict(zip((c.id for c in candidates), ranks, strict=False))
    who = {"annotator": annotator, "source": source}
    return Judgment(prompt_id=ASKED.id, ranks=places or None, **who, **fields)


def made(candidates, votes, **config):
    return make_pairs([ASKED], candidates, votes, PairsConfig(**{"margin": 0} | config))


def sides(result):
    return {(text_of(pair.chosen), text_of(pair.rejected)) for pair in result.pairs}


def electorate(drawn):
    texts = [f"text {n}" for n in range(4)]
    candidates = answers(*texts)
    votes = [
        ranked(candidates, *ranks, annotator=f"a{n}", source=source)
        for n, (ranks, source) in enumerate(drawn)
    ]
    return candidates, votes


electorates = st.lists(
    st.tuples(
        st.lists(st.integers(1, 4), min_size=4, max_size=4), st.sampled_from(["human", "judge"])
    ),
    min_size=1,
    max_size=6,
).map(electorate)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("best_vs_worst", {"ad"}),
        ("best_vs_rest", {"ab", "ac", "ad"}),
        ("adjacent", {"ab", "bc", "cd"}),
        ("all", {"ab", "ac", "ad", "bc", "bd", "cd"}),
    ],
)
@pytest.mark.parametrize("strength", ["bradley-terry", "plackett-luce"])
def test_each_strategy_pairs_what_it_says(strategy, expected, strength):
    candidates = answers("a", "b", "c", "d")
    config = {"strategy": strategy, "max_pairs": 9, "strength": strength}
    result = made(candidates, [ranked(candidates, 1, 2, 3, 4)], **config)
    assert sides(result) == {tuple(pair) for pair in expected}


def test_the_cap_keeps_the_pairs_that_are_widest_apart():
    candidates = answers("a", "b", "c", "d")
    result = made(candidates, [ranked(candidates, 1, 2, 3, 4)], strategy="all", max_pairs=1)
    assert sides(result) == {("a", "d")}


def test_on_policy_the_rejected_side_is_the_policys_own():
    own, other = answers("own good", "own bad", model="tiny[grounded]"), answers("best", "worst")
    votes = [ranked([*own, *other], 2, 3, 1, 4)]
    result = made([*own, *other], votes, strategy="on_policy_rejected", policy="tiny")
    assert sides(result) == {("best", "own bad")}
    nobody = made([*own, *other], votes, strategy="on_policy_rejected", policy="huge")
    assert nobody.dropped_by_rule["no-policy-completion"] == 1


def test_an_edit_is_paired_with_its_draft():
    candidates = answers("the gate opens at six", "no idea at all")
    vote = ranked(candidates, 1, 2, edit="the gate opens at seven")
    result = made(candidates, [vote], strategy="edits")
    assert sides(result) == {("the gate opens at seven", "the gate opens at six")}
    assert [vote.kind for vote in result.pairs[0].votes] == ["edit"]
    assert made(candidates, [ranked(candidates, 1, 2)], strategy="edits").dropped_by_rule["no-edit"]


@given(electorates, st.sampled_from(STRATEGIES), st.randoms())
def test_neither_the_order_of_votes_nor_of_candidates_matters(drawn, strategy, rng):
    candidates, votes = drawn
    result = made(candidates, votes, strategy=strategy)
    rng.shuffle(votes)
    assert made(candidates[::-1], votes, strategy=strategy) == result


@given(electorates, st.sampled_from(STRATEGIES))
def test_a_pair_follows_its_strengths_and_a_prompt_without_one_has_a_reason(drawn, strategy):
    result = made(*drawn, strategy=strategy)
    for pair in result.pairs:
        assert pair.score_chosen > pair.score_rejected
        ahead = sum(v.weight for v in pair.votes if v.outcome == "for")
        behind = sum(v.weight for v in pair.votes if v.outcome == "against")
        assert ahead >= behind - 1e-3
    reasons = [entry for entry in result.dropped if entry.record_id == ASKED.id]
    assert bool(result.pairs) != bool(reasons)


@given(electorates, st.sampled_from(STRATEGIES), st.integers(0, 4), st.floats(0, 1))
def test_stricter_bars_only_take_pairs_away(drawn, strategy, votes, agreement):
    config = {"strategy": strategy, "max_pairs": 9}
    loose = made(*drawn, **config, agreement=agreement / 2, min_votes=votes // 2)
    strict = made(*drawn, **config, agreement=agreement, min_votes=votes)
    assert sides(strict) <= sides(loose)


@given(st.text(max_size=20), st.text(max_size=20), st.booleans())
def test_ids_made_fast_are_the_records_own(one, other, label):
    pair = PreferencePair(prompt=one, chosen=other, rejected=one)
    parts = (canonical(pair.prompt), canonical(pair.chosen), canonical(pair.rejected))
    assert pair_id(*parts) == pair.id
    thumb = UnpairedPreference(prompt=one, completion=other, label=label)
    assert thumb_id(parts[0], parts[1], label) == thumb.id
    lost = Dropped(record_id=one, stage="pairs", rule="tie", detail=other)
    assert dropped(one, "pairs", "tie", other) == lost


def test_circles_and_split_votes_become_conflicts():
    a, b, c = candidates = answers("a", "b", "c")
    votes = [
        ranked(list(two), 1, 2, annotator=f"j{n}")
        for n, two in enumerate([(a, b), (b, c), (c, a), (a, b)])
    ]
    result = made(candidates, votes)
    (circle,) = [conflict for conflict in result.conflicts if conflict.question == "circle"]
    assert (circle.prompt_id, result.cycles) == (ASKED.id, 1)
    assert set(circle.annotators) == {"j0", "j1", "j2", "j3"}
    assert result.dropped_by_rule["circle"] == 1
    kept = made(candidates, votes, circles="keep")
    assert kept.pairs[0].metadata == {"circle": "true"}
    two = answers("a", "b")
    split = [ranked(two, 1 + (n < 2), 2 - (n < 2), annotator=f"j{n}") for n in range(5)]
    result = made(two, split, agreement=0.9)
    assert [conflict.question for conflict in result.conflicts] == ["pair"]


def test_a_judge_that_contradicts_people_weighs_less_than_one_that_agrees():
    examples = [Example(prompt=f"q{n}", reference="r") for n in range(30)]
    candidates, votes = [], []
    for example in examples:
        pair = [
            Candidate(prompt_id=example.id, completion=text, model="m") for text in ("good", "bad")
        ]
        candidates += pair
        for who, source, right in (
            *((f"person {n}", "human", True) for n in range(3)),
            ("fair judge", "judge", True),
            ("contrary judge", "judge", False),
        ):
            ranks = {pair[0].id: 1 if right else 2, pair[1].id: 2 if right else 1}
            votes.append(Judgment(prompt_id=example.id, ranks=ranks, annotator=who, source=source))
    result = make_pairs(examples, candidates, votes, PairsConfig())
    weight = {rater.name: rater.weight for rater in result.raters}
    assert weight["contrary judge"] == 0
    assert weight["fair judge"] > 1
    assert {rater.checked_by for rater in result.raters} == {"others", "people"}
    equal = make_pairs(examples, candidates, votes, PairsConfig(weights="equal"))
    assert {r.weight for r in equal.raters if r.kind == "judge"} == {0.5}


def test_a_rater_with_one_vote_is_not_checked_and_weighs_one():
    candidates = answers("a", "b")
    (rater,) = made(candidates, [ranked(candidates, 1, 2)]).raters
    assert (rater.votes, rater.accuracy, rater.weight) == (1, None, 1.0)


def test_length_balance_evens_out_the_directions():
    examples = [Example(prompt=f"q{n}", reference="r") for n in range(20)]
    candidates, votes = [], []
    for number, example in enumerate(examples):
        texts = ("word " * 8, "word") if number % 4 else ("word", "word " * 8)
        pair = [Candidate(prompt_id=example.id, completion=t, model="m") for t in texts]
        candidates += pair
        ranks = {pair[0].id: 1, pair[1].id: 2}
        votes.append(Judgment(prompt_id=example.id, ranks=ranks, annotator="a", source="human"))
    result = make_pairs(examples, candidates, votes, PairsConfig(balance_length=0.5))
    assert (result.before.longer, result.before.shorter) == (15, 5)
    assert len(result.pairs) == 10
    assert result.dropped_by_rule["length-balance"] == 10


def told(result):
    """What a result says, without the names of who said it."""
    pairs = [
        (pair.id, pair.margin, sorted((v.kind, v.outcome, v.weight) for v in pair.votes))
        for pair in result.pairs
    ]
    weights = sorted((r.kind, r.votes, r.accuracy or 0, r.weight) for r in result.raters)
    conflicts = sorted((c.question, c.amount) for c in result.conflicts)
    return pairs, [thumb.id for thumb in result.unpaired], weights, conflicts


@given(electorates, st.sampled_from(STRATEGIES), st.permutations(range(6)))
def test_other_names_for_the_raters_change_nothing(drawn, strategy, names):
    candidates, votes = drawn
    renamed = [
        ranked(candidates, *vote.ranks.values(), annotator=f"z{names[n]}", source=vote.source)
        for n, vote in enumerate(votes)
    ]
    assert told(made(candidates, votes, strategy=strategy)) == told(
        made(candidates, renamed, strategy=strategy)
    )


@given(electorates, st.sampled_from(STRATEGIES))
def test_made_again_from_what_was_judged_again_it_is_the_same(drawn, strategy):
    candidates, votes = drawn
    once = made(candidates, votes, strategy=strategy)
    assert made([*candidates, *candidates], [*votes, *votes], strategy=strategy) == once


@given(
    st.integers(1, 6), st.sampled_from(["human", "judge"]), st.sampled_from(["learned", "equal"])
)
def test_one_more_vote_of_an_unanimous_electorate_never_weakens_a_pair(count, source, weights):
    pair = answers("a", "b")
    votes = [ranked(pair, 1, 2, annotator=f"p{n}") for n in range(count)]
    more = [*votes, ranked(pair, 1, 2, annotator="new", source=source)]
    before, after = (made(pair, some, weights=weights).pairs[0] for some in (votes, more))
    assert after.margin >= before.margin
    assert (after.votes_for, after.votes_against) == (before.votes_for + 1, 0)


@given(electorates, st.sampled_from(["bradley-terry", "plackett-luce"]))
def test_a_vote_for_a_pair_never_narrows_it(drawn, strength):
    candidates, votes = drawn
    # With the first person among judges alone the judges come to count less than a person.
    assume(any(vote.source == "human" for vote in votes))
    config = {"strategy": "all", "max_pairs": 9, "weights": "equal", "strength": strength}
    more = [*votes, ranked(candidates[:2], 1, 2, annotator="new")]
    before, after = (
        {(p.chosen_id, p.rejected_id): p.margin for p in made(candidates, some, **config).pairs}
        for some in (votes, more)
    )
    two = candidates[0].id, candidates[1].id
    if two in before:
        assert after[two] >= before[two] - 2e-6


def test_a_rating_says_how_far_so_a_mild_one_narrows_what_votes_put_far_apart():
    pair = answers("a", "b")
    votes = [ranked(pair, 1, 2, annotator=f"p{n}") for n in range(5)]
    scores = {pair[0].id: 0.6, pair[1].id: 0.5}
    mild = Judgment(prompt_id=ASKED.id, ratings=scores, annotator="r", source="rule")
    alone, both = (made(pair, some).pairs[0] for some in (votes, [*votes, mild]))
    assert 0 < both.margin < alone.margin
    assert (both.votes_for, both.source) == (6, "human+rule")
