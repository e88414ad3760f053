import itertools

from hypothesis import given
from hypothesis import strategies as st

from prefkit.judging.ranking import choose_pairs, ranks

names = st.lists(st.text("abcdef0123", min_size=3, max_size=3), min_size=2, max_size=6, unique=True)
outcomes = st.dictionaries(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")).filter(lambda p: p[0] < p[1]),
    st.sampled_from([0.0, 0.5, 1.0]),
)


@given(names, st.integers(1, 20), st.text(max_size=3))
def test_pairs_are_distinct_and_bounded_and_reach_every_name_first(found, most, seed):
    pairs = choose_pairs(found, most, seed)
    every = len(found) * (len(found) - 1) // 2
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == min(most, every)
    assert all(a != b for a, b in pairs)
    if most >= len(found) - 1:
        assert {name for pair in pairs for name in pair} == set(found)


@given(names, st.integers(1, 20))
def test_pairs_depend_on_the_seed_and_the_names_only(found, most):
    assert choose_pairs(found, most, "1") == choose_pairs(found[::-1], most, "1")


def test_another_seed_chooses_other_pairs():
    chosen = {tuple(choose_pairs("abcdef", 3, str(seed))) for seed in range(20)}
    assert len(chosen) > 10


def test_the_side_of_a_pair_is_random():
    firsts = [choose_pairs(["x", "y"], 1, str(seed))[0][0] for seed in range(200)]
    assert 70 < firsts.count("x") < 130


def test_ranks_of_a_chain():
    assert ranks({("a", "b"): 1.0, ("b", "c"): 1.0, ("d", "c"): 0.0}) == {
        "a": 1, "b": 2, "c": 3, "d": 4,
    }  # fmt: skip


def test_ties_share_a_rank_and_carry_what_is_known_of_the_other():
    assert ranks({("a", "b"): 0.5, ("b", "c"): 1.0}) == {"a": 1, "b": 1, "c": 3}


def test_a_circle_ties():
    assert set(ranks({("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 0.0}).values()) == {1}


def test_what_is_not_linked_is_not_told_apart():
    assert ranks({("a", "b"): 1.0, ("c", "d"): 1.0}) == {"a": 1, "c": 1, "b": 2, "d": 2}


@given(outcomes)
def test_ranks_never_contradict_a_verdict(found):
    given_ranks = ranks(found)
    for (a, b), outcome in found.items():
        if outcome == 1.0:
            assert given_ranks[a] <= given_ranks[b]
        elif outcome == 0.0:
            assert given_ranks[b] <= given_ranks[a]
        else:
            assert given_ranks[a] == given_ranks[b]


@given(st.permutations("abcdef"))
def test_a_consistent_judge_of_all_pairs_gives_its_own_order(order):
    found = dict.fromkeys(itertools.combinations(order, 2), 1.0)
    assert ranks(found) == {name: place for place, name in enumerate(order, start=1)}
