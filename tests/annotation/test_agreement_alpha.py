"""Published examples, hand-worked numbers, and scipy as the oracle."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.annotation.agreement.alpha import (
    krippendorff,
    meaning,
    percent,
    percent_by_chance,
)
from prefkit.annotation.agreement.rankings import kendall_w, tau_b
from prefkit.annotation.agreement.tables import Table, comparisons, decisions, places
from prefkit.evaluation.statistics import Estimate
from prefkit.records import Judgment

# Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, example C/D: four observers,
# twelve units, missing data.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def published(level):
    return Table.of(
        (
            (f"unit {unit}", "", f"observer {who}", float(value))
            for who, line in enumerate(OBSERVERS)
            for unit, value in enumerate(line.split())
            if value != "."
        ),
        level,
    )


def ranking(prompt, annotator, *ranks):
    return Judgment(
        prompt_id=prompt,
        annotator=annotator,
        source="human",
        ranks={f"{prompt}-{slot}": rank for slot, rank in enumerate(ranks)},
    )


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_krippendorffs_own(level, alpha):
    found = krippendorff(published(level))
    assert round(found.value, 3) == alpha
    assert found.low < alpha < found.high
    assert found.n == 11  # of twelve units one was valued once
    assert level in found.method


def test_alpha_of_two_observers_and_two_values_is_krippendorffs_own():
    # The same paper, example A: ten units, alpha = 0.095.
    lines = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
    rows = [
        (str(unit), "", str(who), value)
        for who, line in enumerate(lines)
        for unit, value in enumerate(line.split())
    ]
    assert round(krippendorff(Table.of(rows, "nominal")).value, 3) == 0.095


def plain_alpha(rows, distance):
    """Alpha by its definition, in loops: mean distance within units over that of all pairs."""
    units = {}
    for record, unit, _, value in rows:
        units.setdefault((record, unit), []).append(value)
    units = [values for values in units.values() if len(values) > 1]
    values = [value for unit in units for value in unit]
    n = len(values)
    observed = sum(
        sum(distance(a, b, values) for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1)
        for unit in units
    )
    expected = sum(distance(a, b, values) for a, b in itertools.permutations(values, 2))
    return 1 - (n - 1) * observed / expected if expected else math.nan


def ordinal(a, b, values):
    low, high = min(a, b), max(a, b)
    between = sum(low <= value <= high for value in values)
    return (between - (values.count(low) + values.count(high)) / 2) ** 2 if a != b else 0.0


DISTANCES = {
    "nominal": lambda a, b, _: float(a != b),
    "ordinal": ordinal,
    "interval": lambda a, b, _: (a - b) ** 2,
}
ROWS = st.lists(
    st.tuples(
        st.sampled_from("uvwxy"), st.just(""), st.sampled_from("abcd"), st.sampled_from([1, 2, 4.5])
    ),
    max_size=20,
    unique_by=lambda row: (row[0], row[2]),
)


@given(ROWS, st.sampled_from(sorted(DISTANCES)))
def test_alpha_is_its_definition(rows, level):
    found = krippendorff(Table.of(rows, level)).value
    assert found == pytest.approx(plain_alpha(rows, DISTANCES[level]), nan_ok=True, abs=1e-9)


@given(ROWS, st.permutations("abcd"))
def test_who_the_annotators_are_called_changes_no_alpha(rows, names):
    called = dict(zip("abcd", names, strict=True))
    others = [(record, unit, called[who], value) for record, unit, who, value in rows]
    one, other = (krippendorff(Table.of(r, "ordinal")) for r in (rows, others))
    assert one.value == pytest.approx(other.value, nan_ok=True)
    assert one.low == pytest.approx(other.low, nan_ok=True)


def test_perfect_agreement_is_one_and_has_no_interval():
    rows = [(str(u), "", who, u % 3) for u in range(9) for who in "ab"]
    found = krippendorff(Table.of(rows, "ordinal"))
    assert found.value == 1
    assert found.low is None
    assert percent(Table.of(rows, "ordinal")).value == 1


def test_alpha_says_why_it_is_not_there():
    same = Table.of([(str(u), "", who, 1.0) for u in range(4) for who in "ab"], "nominal")
    alone = Table.of([("u", "", "a", 1.0)], "nominal")
    assert math.isnan(krippendorff(same).value)
    assert "every answer is the same" in meaning(krippendorff(same))
    assert "two annotators" in meaning(krippendorff(alone))
    assert krippendorff(Table.of([], "nominal")).n == 0


@pytest.mark.parametrize(
    ("value", "low", "words"),
    [
        (0.9, 0.85, "reliable: even"),
        (0.82, 0.7, "interval reaches lower"),
        (0.75, 0.7, "tentative conclusions"),
        (0.7, 0.5, "tentative at best"),
        (0.4, 0.3, "too low"),
        (-0.1, -0.2, "chance"),
    ],
)
def test_an_alpha_is_put_into_krippendorffs_words(value, low, words):
    assert words in meaning(Estimate(value, 50, low, 1.0))


def test_the_interval_of_alpha_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    noise, hits, trials = 0.2, 0, 60

    def rows(units):
        truth = rng.integers(0, 2, units)
        return [
            (str(u), "", str(who), int(truth[u] ^ (rng.random() < noise)))
            for u in range(units)
            for who in range(3)
        ]

    truth = (1 - 2 * noise) ** 2  # of two raters who err alike and independently
    for _ in range(trials):
        found = krippendorff(Table.of(rows(60), "nominal"))
        hits += found.low <= truth <= found.high
    assert hits >= 0.87 * trials


def test_percent_agreement_and_its_chance_by_hand():
    # u: a a b (one of three pairs), v: a a (one of one); values a a b a a.
    rows = [("u", "", "1", "a"), ("u", "", "2", "a"), ("u", "", "3", "b")]
    rows += [("v", "", "1", "a"), ("v", "", "2", "a")]
    table = Table.of(rows, "nominal")
    assert percent(table).value == pytest.approx(2 / 4)
    assert percent_by_chance(table) == pytest.approx((4 * 3 + 0) / (5 * 4))


def test_mirrored_comparisons_do_not_depend_on_the_order_of_candidates():
    votes = [ranking(f"p{n}", who, 1, 2) for n in range(6) for who in "ab"]
    votes += [ranking("q", "a", 1, 2), ranking("q", "b", 2, 1)]
    flipped = [
        j.model_copy(update={"ranks": {name[::-1]: rank for name, rank in j.ranks.items()}})
        for j in votes
    ]
    one, other = (krippendorff(comparisons(v).mirrored()).value for v in (votes, flipped))
    assert one == pytest.approx(other)
    assert percent_by_chance(comparisons(votes).mirrored()) == pytest.approx(0.5, abs=0.05)


def test_kendalls_w_with_ties_by_hand():
    # Siegel & Castellan's correction: m = 3 rankings of k = 4, the second with one tie of two.
    votes = [ranking("p", "a", 1, 2, 3, 4), ranking("p", "b", 1, 2, 2, 4)]
    votes += [ranking("p", "c", 2, 1, 3, 4)]
    sums = np.array([1 + 1 + 2, 2 + 2.5 + 1, 3 + 2.5 + 3, 4 + 4 + 4])
    spread = ((sums - sums.mean()) ** 2).sum()
    expected = 12 * spread / (3**2 * (4**3 - 4) - 3 * (2**3 - 2))
    found, chance = kendall_w(places(votes))
    assert found.value == pytest.approx(expected)
    assert chance == pytest.approx(1 / 3)


def test_kendalls_w_agrees_with_friedmans_test():
    from scipy.stats import friedmanchisquare

    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (5, 6))  # 5 annotators, 6 candidates, ties
    votes = [ranking("p", str(who), *line.tolist()) for who, line in enumerate(scores)]
    expected = friedmanchisquare(*scores.T).statistic / (5 * (6 - 1))
    assert kendall_w(places(votes))[0].value == pytest.approx(expected)


def test_half_a_ranking_is_left_out_of_w_but_not_of_tau():
    votes = [ranking("p", who, 1, 2, 3) for who in "ab"]
    half = Judgment(prompt_id="p", annotator="c", source="human", ranks={"p-0": 2, "p-1": 1})
    assert kendall_w(places([*votes, half]))[0].value == 1
    assert tau_b(comparisons([*votes, half])).value == pytest.approx((1 - 1 - 1) / 3)


def test_tau_b_is_scipys():
    from scipy.stats import kendalltau

    rng = np.random.default_rng(1)
    for _ in range(20):
        one, other = rng.integers(1, 5, (2, 6)).tolist()
        expected = kendalltau(one, other).statistic
        found = tau_b(comparisons([ranking("p", "a", *one), ranking("p", "b", *other)])).value
        assert found == pytest.approx(expected, nan_ok=True)


def test_every_ranking_a_tie_has_no_w_and_no_tau():
    votes = [ranking("p", who, 1, 1) for who in "ab"]
    assert math.isnan(kendall_w(places(votes))[0].value)
    assert math.isnan(tau_b(comparisons(votes)).value)


def test_no_annotator_meets_themselves():
    votes = [ranking("p", who, 1, 2, 3) for who in "abcd"]
    table = comparisons(votes)
    first, second = table.meetings()
    assert len(first) == 3 * 6  # pairs of candidates, times pairs of annotators
    assert (table.annotator[first] < table.annotator[second]).all()
    assert (table.unit[first] == table.unit[second]).all()


def test_decisions_without_an_answer_are_missing_data():
    said = Judgment(prompt_id="p", annotator="a", source="human", decision="accept")
    silent = Judgment(prompt_id="p", annotator="b", source="human", edit="x")
    assert len(decisions([said, silent]).unit) == 1
