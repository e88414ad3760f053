"""Planted annotators are found, honest ones are not flagged: simulations with fixed seeds."""

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.annotation.agreement.answers import gather
from prefkit.annotation.agreement.checks import outcome, passes, repeated
from prefkit.annotation.agreement.extremes import stand_outs
from prefkit.annotation.agreement.flags import raise_flags
from prefkit.annotation.agreement.habits import best_in_slot, usual_answer
from prefkit.annotation.agreement.measure import measure
from prefkit.annotation.agreement.people import cases, measured
from prefkit.annotation.agreement.questions import question_tables
from prefkit.annotation.agreement.reliability import one_coin
from prefkit.annotation.agreement.tables import Table
from prefkit.config import AgreementConfig
from prefkit.evaluation.statistics import poisson_binomial_tail
from prefkit.records import Judgment

CONFIG = AgreementConfig()


@dataclasses.dataclass(frozen=True)
class Crowd:
    """Made-up annotators who rank candidates of a hidden quality.

    Attributes:
        records: How many prompts.
        candidates: How many to rank in each.
        people: How many annotators: a0, a1, …
        overlap: How many of them judge a prompt.
        first: What a0 adds to the quality of the candidate shown first.
        longer: What a0 adds for each standard deviation of length.
        noise: How many times as noisy a0 is.
    """

    records: int = 120
    candidates: int = 3
    people: int = 5
    overlap: int = 3
    first: float = 0.0
    longer: float = 0.0
    noise: float = 1.0

    def votes(self, seed):
        rng = np.random.default_rng(seed)
        votes, lengths = [], {}
        for record in range(self.records):
            names = [f"r{record}c{n}" for n in range(self.candidates)]
            quality, length = rng.normal(size=(2, self.candidates))
            lengths |= {n: int(300 + 50 * x) for n, x in zip(names, length, strict=True)}
            for who in rng.choice(self.people, self.overlap, replace=False):
                shown = rng.permutation(self.candidates)
                odd = who == 0
                felt = quality + rng.normal(size=self.candidates) * (self.noise if odd else 1)
                felt[shown[0]] += self.first * odd
                felt += self.longer * odd * length
                ranks = np.argsort(np.argsort(-felt)) + 1
                votes.append(
                    Judgment(
                        prompt_id=f"r{record}",
                        annotator=f"a{who}",
                        source="human",
                        ranks=dict(zip(names, ranks.tolist(), strict=True)),
                        shown_order=tuple(names[slot] for slot in shown),
                        seconds=float(rng.lognormal(3, 0.5)),
                    )
                )
        return votes, lengths


def flags_of(votes, lengths=None, config=CONFIG):
    answers = gather(votes)
    table = question_tables(answers.judgments, "ordinal")["ranks"]
    found = measured(answers, table, table, lengths or {})
    flags, _ = raise_flags(cases(answers.annotators, found), config)
    return {(flag.annotator, flag.kind): flag for flag in flags}


def decided(prompt, annotator, decision, **fields):
    return Judgment(
        prompt_id=prompt, annotator=annotator, source="human", decision=decision, **fields
    )


def test_honest_annotators_are_flagged_in_at_most_one_report_of_twenty():
    config = AgreementConfig(least_excess=0)
    reports = 60
    flagged = 0
    for seed in range(reports):
        rng = random.Random(seed)
        crowd = Crowd(rng.randint(20, 60), rng.randint(2, 4), rng.randint(3, 7))
        flagged += bool(flags_of(*crowd.votes(seed), config))
    assert flagged <= 0.05 * reports


@pytest.mark.parametrize(
    ("crowd", "kind", "words"),
    [
        (Crowd(first=3.0), "first_shown", "shown first"),
        (Crowd(first=-3.0, candidates=2), "last_shown", "shown last"),
        (Crowd(longer=4.0), "longer", "longer answers"),
        (Crowd(noise=20.0, records=200), "differs", "agrees least"),
    ],
)
def test_a_planted_habit_is_found_and_only_there(crowd, kind, words):
    flags = flags_of(*crowd.votes(4))
    assert ("a0", kind) in flags
    assert {who for who, _ in flags} == {"a0"}
    text = flags["a0", kind].text
    assert words in text
    assert "n = " in text
    assert "expected" in text
    assert "Look at" in text


def test_an_annotator_who_always_accepts_stands_out_unless_everyone_does():
    rng = random.Random(1)
    votes = [decided(f"p{n}", "lazy", "accept") for n in range(40)]
    for n in range(40):
        said = rng.choice(["accept", "reject"])
        votes += [decided(f"p{n}", who, said) for who in ("ada", "ben")]
    found = measure(votes, CONFIG).agreement
    assert ("lazy", "usual_answer") in {(flag.annotator, flag.kind) for flag in found.flags}
    everyone = [decided(f"p{n}", who, "accept") for n in range(40) for who in ("ada", "ben")]
    assert measure(everyone, CONFIG).agreement.flags == ()


def test_someone_who_clicks_through_stands_out():
    votes, _ = Crowd(people=3).votes(2)
    votes = [v.model_copy(update={"seconds": 1.0}) if v.annotator == "a1" else v for v in votes]
    assert {("a1", "hasty")} == set(flags_of(votes))


def test_the_first_shown_is_expected_best_as_often_as_chance_puts_it_there():
    def vote(n, *ranks):
        names = tuple("abcd")
        return Judgment(
            prompt_id=str(n),
            annotator="ada",
            source="human",
            ranks=dict(zip(names, ranks, strict=True)),
            shown_order=names,
        )

    votes = [vote(0, 1, 2, 3, 4), vote(1, 1, 1, 2, 3), vote(2, 1, 1, 1, 1), vote(3, 4, 1, 2, 3)]
    (habit,) = best_in_slot(votes, ["ada"], 0)
    assert (habit.test.hits, habit.test.n) == (2, 3)  # all tied says nothing
    assert habit.test.expected == pytest.approx((1 / 4 + 2 / 4 + 1 / 4) / 3)
    at_least_two = 1 / 4 * 2 / 4 * 3 / 4 * 2 + 1 / 4 * 2 / 4 * 1 / 4 + 1 / 4 * 1 / 4 * 2 / 4
    assert habit.test.p_value == pytest.approx(at_least_two)


def test_the_tail_of_many_unequal_coins_is_scipys():
    from scipy.stats import poisson_binom

    chances = np.random.default_rng(0).uniform(size=40)
    for hits in (0, 10, 20, 30, 40):
        expected = poisson_binom.sf(hits - 1, chances)
        assert poisson_binomial_tail(hits, chances) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_hits_and_expectation_add_up_over_annotators(rows):
    rows = list({(record, who): (record, who, score) for record, who, score in rows}.values())
    record, who, score = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    found = stand_outs(record, who, score.astype(float), 4)
    hits = sum(test.hits for test in found)
    expected = sum(test.expected * test.n for test in found if test.n)
    assert hits == pytest.approx(expected)


def test_dawid_skene_recovers_planted_reliabilities():
    rng = np.random.default_rng(7)
    planted = {"ada": 0.95, "ben": 0.85, "cem": 0.75, "dot": 0.55}
    rows = []
    for unit in range(2000):
        truth = int(rng.integers(2))
        for who, rate in planted.items():
            rows.append((str(unit), "", who, truth if rng.random() < rate else 1 - truth))
    found = one_coin(Table.of(rows, "nominal"))
    assert found.accuracy == pytest.approx(list(planted.values()), abs=0.04)
    assert list(found.records) == [2000] * 4


def test_dawid_skene_takes_more_than_two_answers():
    rng = np.random.default_rng(8)
    rows = []
    for unit in range(1500):
        truth = int(rng.integers(3))
        for who, rate in (("a", 0.9), ("b", 0.7), ("c", 0.5)):
            said = truth if rng.random() < rate else (truth + int(rng.integers(1, 3))) % 3
            rows.append((str(unit), "", who, said))
    assert one_coin(Table.of(rows, "nominal")).accuracy == pytest.approx([0.9, 0.7, 0.5], abs=0.05)


def test_two_annotators_have_no_reliability():
    rows = [(str(unit), "", who, unit % 2) for unit in range(50) for who in "ab"]
    assert np.isnan(one_coin(Table.of(rows, "nominal")).accuracy).all()


def test_a_habit_is_not_put_to_the_test_on_a_handful_of_records():
    assert flags_of(*Crowd(records=9, first=5.0).votes(1)) == {}


def test_the_usual_answer_is_counted_in_slots_not_in_candidates():
    votes = [
        Judgment(
            prompt_id=str(n),
            annotator="ada",
            source="human",
            ranks={f"{n}x": 1 + n % 2, f"{n}y": 2 - n % 2},
            shown_order=(f"{n}x", f"{n}y") if n % 2 == 0 else (f"{n}y", f"{n}x"),
        )
        for n in range(6)
    ]
    (habit,) = usual_answer(votes, ["ada"])
    assert habit.share.value == 1
    assert habit.note == "ranks 1, 2 in the order shown"


@pytest.mark.parametrize(
    ("ranks", "expected", "good"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
        ({"a": 3, "b": 7, "c": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "b": 2}, "a", True),
        ({"a": 1, "b": 1}, "a", False),
    ],
)
def test_a_check_is_passed_by_the_expected_order(ranks, expected, good):
    vote = Judgment(prompt_id="p", annotator="ada", source="human", ranks=ranks)
    assert passes(vote, expected) is good


def test_a_check_of_a_review_is_passed_by_the_expected_decision():
    assert passes(decided("p", "ada", "reject"), "reject")
    assert not passes(decided("p", "ada", "accept"), "reject")


def test_failed_checks_are_flagged_and_count_for_nothing_else():
    key = {f"check {n}": "reject" for n in range(12)}
    votes = [decided(f"p{n}", who, "accept") for n in range(12) for who in ("ada", "ben")]
    for name in key:
        votes.append(decided(name, "ada", "reject"))
        votes.append(decided("p0", "ben", "accept", metadata={"record": name}))
    found = measure(votes, CONFIG, key=key).agreement
    assert found.judgments == 24
    assert [(flag.annotator, flag.kind) for flag in found.flags] == [("ben", "attention")]
    assert "0 of 12" in found.flags[0].text
    assert outcome(votes[0], key) is None


def test_three_failed_checks_are_enough_to_say_so():
    votes = [decided(f"check {n}", "ben", "accept") for n in range(3)]
    votes += [decided("p", who, "accept") for who in ("ada", "ben")]
    key = {f"check {n}": "reject" for n in range(3)}
    (flag,) = measure(votes, CONFIG, key=key).agreement.flags
    assert "passed 0 of 3" in flag.text


def test_a_prompt_shown_twice_tells_whether_an_annotator_repeats_themselves():
    def vote(order, **ranks):
        return Judgment(
            prompt_id="p", annotator="ada", source="human", ranks=ranks, shown_order=tuple(order)
        )

    answers = gather([vote("xy", x=1, y=2), vote("yx", x=2, y=1)])
    assert len(answers.judgments) == 1
    (habit,) = repeated(answers)
    assert (habit.share.value, habit.share.n) == (0, 1)


def test_a_changed_answer_is_a_revision_not_a_repeat():
    early = decided("p", "ada", "accept", answered_at="2026-01-01T10:00:00Z")
    late = decided("p", "ada", "reject", answered_at="2026-01-01T11:00:00Z")
    answers = gather([late, early])
    assert [vote.decision for vote in answers.judgments] == ["reject"]
    assert answers.repeats == ()


def test_the_same_judgment_twice_counts_once():
    votes, lengths = Crowd(records=15).votes(1)
    assert measure(votes + votes, CONFIG, lengths) == measure(votes, CONFIG, lengths)


def test_a_judge_that_is_called_like_a_person_is_somebody_else():
    votes = [decided("p", "ada", "accept"), decided("p", "ada", "reject")]
    votes[1] = votes[1].model_copy(update={"source": "judge"})
    found = measure(votes, CONFIG).agreement
    assert [person.name for person in found.annotators] == ["ada", "ada (judge)"]
    people = AgreementConfig(sources=("human",))
    assert [p.name for p in measure(votes, people).agreement.annotators] == ["ada"]


def test_the_order_of_the_file_changes_nothing():
    votes, lengths = Crowd(records=15).votes(2)
    shuffled = random.Random(0).sample(votes, len(votes))
    assert measure(shuffled, CONFIG, lengths) == measure(votes, CONFIG, lengths)


def test_only_submitted_judgments_are_compared_and_the_others_are_counted():
    votes = [decided("p", "ada", "accept"), decided("p", "ben", "reject", status="draft")]
    votes.append(decided("q", "ben", "reject", status="discarded"))
    found = measure(votes, CONFIG).agreement
    assert found.shared_prompts == 0
    ben = found.annotators[1]
    assert (ben.submitted, ben.draft, ben.discarded) == (0, 1, 1)
    assert any("nothing can be said about agreement" in note for note in found.notes)


def test_conflicts_are_sorted_by_how_much_people_contradict_each_other():
    votes = [decided("split", "a", "accept"), decided("split", "b", "reject")]
    votes += [decided("most", w, d) for w, d in zip("abc", ["accept"] * 2 + ["edit"], strict=True)]
    votes += [decided("agreed", who, "accept") for who in "ab"]
    found = measure(votes, CONFIG)
    assert [(c.prompt_id, c.amount) for c in found.conflicts] == [
        ("split", 1.0),
        ("most", 0.666667),
    ]
    assert found.conflicts[0].detail == "a: accept; b: reject"
    assert found.conflicts[0].annotators == ("a", "b")


def test_a_tie_contradicts_nobody_but_opposite_orders_do():
    def vote(prompt, who, *ranks):
        named = {f"{prompt}{n}": rank for n, rank in enumerate(ranks)}
        return Judgment(prompt_id=prompt, annotator=who, source="human", ranks=named)

    votes = [vote("tie", "a", 1, 2), vote("tie", "b", 1, 1)]
    votes += [vote("against", "a", 1, 2), vote("against", "b", 2, 1)]
    assert [c.prompt_id for c in measure(votes, CONFIG).conflicts] == ["against"]


def test_an_adjudicated_prompt_is_settled_and_the_adjudicator_is_nobodys_peer():
    votes = [decided("p", "ada", "accept"), decided("p", "ben", "reject")]
    settled = decided("p", "cem", "accept", metadata={"adjudicated": "true"})
    found = measure([*votes, settled], CONFIG)
    assert found.conflicts == ()
    assert found.agreement.adjudicated == 1
    assert [person.name for person in found.agreement.annotators] == ["ada", "ben"]


def test_every_figure_has_its_n_and_its_method():
    votes, lengths = Crowd(records=40).votes(3)
    found = measure(votes, CONFIG, lengths).agreement
    figures = [f for q in (*found.questions, *found.annotators) for f in q.figures]
    assert {"alpha", "kendall_w", "tau_b", "percent", "agreement", "reliability"} <= {
        f.key for f in figures
    }
    for figure in figures:
        assert figure.n > 0
        assert figure.method
        assert figure.low is not None or "no interval" in figure.method


def test_the_matrix_holds_the_agreement_of_each_two():
    votes = [decided(f"p{n}", who, "accept") for n in range(4) for who in ("ada", "ben")]
    votes += [decided(f"p{n}", "cem", "accept" if n else "reject") for n in range(2)]
    found = measure(votes, CONFIG).agreement
    assert found.matrix == ((None, 1.0, 0.5), (1.0, None, 0.5), (0.5, 0.5, None))
    assert found.matrix_n == ((0, 4, 2), (4, 0, 2), (2, 2, 0))
