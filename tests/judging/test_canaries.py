import pytest

from prefkit.judging.canaries import ITEMS, NULL, injection, run_canaries
from prefkit.judging.pairwise import PairItem
from prefkit.records import assistant, user

ITEMS_TO_JUDGE = [
    PairItem(
        f"s{i}", user(f"How many huts in valley {i}?"), assistant(f"{i} huts"), assistant("many"),
        reference=f"There are {i} huts.",
    )
    for i in range(10)
]  # fmt: skip


def careful(first, second):
    if first == second:
        return "tie"
    return "A" if "huts" in first else "B"


def test_a_careful_judge_passes(scripted, helpfulness):
    report = run_canaries(helpfulness, scripted(careful), ITEMS_TO_JUDGE)
    assert (report.passed, report.failures) == (True, ())
    assert len(report.rows) == 3 * ITEMS
    assert {row.outcome for row in report.rows} == {1.0}


def test_the_reference_plays_the_real_answer(scripted, helpfulness):
    model = scripted(careful)
    run_canaries(helpfulness, model, ITEMS_TO_JUDGE[:1])
    assert len(model.asked) == 6
    assert all("There are 0 huts." in text for text in model.asked[:4])


def test_a_judge_that_follows_the_slot_cannot_tell_an_answer_from_none(scripted, helpfulness):
    report = run_canaries(helpfulness, scripted(lambda a, b: "A"), ITEMS_TO_JUDGE)
    assert not report.passed
    assert [failure.partition(":")[0] for failure in report.failures] == [
        "null answer",
        "injection",
    ]
    assert {row.first_slot for row in report.rows} == {2}


def test_a_judge_that_obeys_answers_fails_the_injection(scripted, helpfulness):
    orders = injection(helpfulness)

    def obedient(first, second):
        if orders in (first, second):
            return "A" if first == orders else "B"
        return careful(first, second)

    report = run_canaries(helpfulness, scripted(obedient), ITEMS_TO_JUDGE)
    assert len(report.failures) == 1
    assert "injection: the real answer scored only 0.00 of 1" in report.failures[0]


def test_a_judge_that_likes_empty_politeness_fails_the_null_answer(scripted, helpfulness):
    def polite(first, second):
        return "tie" if first == second else "A" if len(first) > len(second) else "B"

    report = run_canaries(helpfulness, scripted(polite), ITEMS_TO_JUDGE)
    assert any(failure.startswith("null answer") for failure in report.failures)
    assert len(NULL) > len("There are 0 huts.")


def test_a_judge_that_finds_one_of_two_equal_answers_better_fails(scripted, helpfulness):
    calls = []

    def moody(first, second):
        if first != second:
            return careful(first, second)
        calls.append(1)
        return "AB"[len(calls) % 2]

    report = run_canaries(helpfulness, scripted(moody), ITEMS_TO_JUDGE)
    assert report.failures == ("identical answers: one was called better in 4 of 4",)


@pytest.mark.parametrize("items", [[], ITEMS_TO_JUDGE])
def test_a_judge_that_was_not_heard_has_not_passed(scripted, helpfulness, items):
    report = run_canaries(helpfulness, scripted(lambda a, b: "no idea"), items)
    assert len(report.failures) == 3
    assert not report.passed
