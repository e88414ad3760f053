"""The verdict rules, as a table."""

import pytest

from prefkit.evaluation import decision
from prefkit.evaluation.results import Check, Number, Stage, SuiteResult

GOOD = Stage(name="offline", state="pass", note="fine")


def number(key, arm="delta", value=0.0, low=None, high=None, n=50, stage="offline", **more):
    return Number(
        stage=stage, key=key, label=key, arm=arm, value=value, n=n, unit="items", low=low,
        high=high, **more,
    )  # fmt: skip


def suite(lost=0, gained=0, n=100, margin=0.05):
    base = [True] * lost + [False] * gained + [True] * (n - lost - gained)
    tuned = [False] * lost + [True] * gained + [True] * (n - lost - gained)
    return SuiteResult(
        name="basics", sha256="00", margin=margin, measures="x",
        items=tuple(map(str, range(n))), base=tuple(base), tuned=tuple(tuned),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (number("neutral_nll", value=0.2, low=0.06, high=0.3), "stop"),
        (number("neutral_nll", value=0.2, low=0.04, high=0.3), "pass"),
        (number("neutral_nll", value=0.2), "pass"),
        (number("repeats", value=0.3, low=0.03, high=0.5), "stop"),
        (number("cut_off", value=0.3, low=0.01, high=0.5), "pass"),
        (number("cut_off", value=-0.3, low=-0.5, high=-0.1), "pass"),
        (number("empty", value=0.3, low=0.2, high=0.5), "stop"),
        (number("reward_accuracy", "tuned", 0.3, 0.2, 0.45), "stop"),
        (number("reward_accuracy", "tuned", 0.4, 0.2, 0.55), "pass"),
        (number("reference_nll", value=2.0, low=1.0, high=3.0), "pass"),
    ],
)
def test_offline_stops_only_on_proved_harm(found, state):
    assert decision.judge_offline([found]).state == state


def suite_stage(lost, gained, n=100, margin=0.05):
    from prefkit.evaluation.suites import summarise

    results = [suite(lost, gained, n, margin)]
    return decision.judge_suites(summarise(results), results)


def test_a_proved_loss_on_a_suite_stops():
    assert suite_stage(lost=12, gained=1).state == "stop"


def test_a_suite_without_changes_passes():
    assert suite_stage(lost=0, gained=0).state == "pass"


def test_a_loss_that_cannot_be_excluded_leaves_the_suite_open_and_says_how_many_items():
    stage = suite_stage(lost=4, gained=3)
    assert stage.state == "open"
    assert "about" in stage.note
    assert "items would" in stage.note


def test_no_suite_is_a_skip():
    assert decision.judge_suites([], []).state == "skip"


def judge_numbers(flips=0.0, unscored=0.0, n=12):
    return [
        number("judge.pairs", "both", float(n), n=n, stage="judge"),
        number("judge.flips", "both", flips, n=n, stage="judge"),
        number("judge.unscored", "both", unscored, n=n, stage="judge"),
        number("judge.win_rate", "both", 0.9, 0.7, 0.98, n, "judge"),
    ]


@pytest.mark.parametrize(
    ("numbers", "canaries", "state"),
    [
        ([], [], "skip"),
        (judge_numbers(), [], "open"),
        (judge_numbers(flips=1.0), [], "unreliable"),
        (judge_numbers(unscored=0.5), [], "unreliable"),
        (judge_numbers(), ["null answer: the real answer lost"], "unreliable"),
    ],
)
def test_a_judge_alone_never_passes_and_a_biased_one_is_no_tie(numbers, canaries, state):
    assert decision.judge_judge(numbers, canaries).state == state


def people(value, low, high, n=40, wilson=None):
    both = [number("human.win_rate", "both", value, low, high, n, "human")]
    w_low, w_high = wilson or (low, high)
    return [*both, number("human.win_rate_wilson", "both", value, w_low, w_high, n, "human")]


@pytest.mark.parametrize(
    ("numbers", "state"),
    [
        (people(0.8, 0.7, 0.9), "pass"),
        (people(0.8, 0.7, 0.9, n=12), "open"),
        (people(0.8, 0.7, 0.9, wilson=(0.45, 0.9)), "open"),
        (people(0.5, 0.4, 0.6), "open"),
        (people(0.2, 0.1, 0.3), "stop"),
    ],
)
def test_people_decide_when_both_intervals_agree(numbers, state):
    assert decision.judge_human(numbers, sheets=2).state == state


def stages(**states):
    names = ("sanity", "offline", "suites", "judge", "human")
    states = {"sanity": "pass", "offline": "pass", "suites": "pass", "judge": "open"} | states
    return [Stage(name=n, state=states.get(n, "open"), note=f"{n} said so.") for n in names]


@pytest.mark.parametrize(
    ("found", "numbers", "verdict", "code"),
    [
        (stages(sanity="invalid"), [], "INVALID", 5),
        (stages(sanity="invalid", offline="stop"), [], "INVALID", 5),
        (stages(offline="stop"), [], "DON'T SHIP", 3),
        (stages(suites="stop", human="pass"), people(0.9, 0.8, 1.0), "DON'T SHIP", 3),
        (stages(human="stop"), people(0.1, 0.0, 0.2), "DON'T SHIP", 3),
        (stages(human="pass"), people(0.9, 0.8, 1.0), "SHIP", 0),
        (stages(human="pass", judge="unreliable"), people(0.9, 0.8, 1.0), "SHIP", 0),
        (stages(human="pass", suites="open"), people(0.9, 0.8, 1.0), "NEED MORE DATA", 4),
        (stages(), [], "NEED MORE DATA", 4),
        (stages(judge="unreliable"), judge_numbers(flips=1.0), "NEED MORE DATA", 4),
        (stages(human="open"), people(0.55, 0.45, 0.65), "NEED MORE DATA", 4),
    ],
)
def test_the_verdict(found, numbers, verdict, code):
    decided = decision.decide(found, numbers)
    assert (decided.verdict, decided.exit_code) == (verdict, code)
    assert decided.reason


def test_a_judge_however_sure_never_ships():
    decided = decision.decide(stages(human="skip"), judge_numbers())
    assert decided.verdict == "NEED MORE DATA"


def test_without_a_funnel_there_is_no_verdict_but_harm_still_counts():
    three = stages()[:3]
    assert decision.decide(three, [], funnel=False).verdict == "MEASURED"
    assert decision.decide(three, [], funnel=False).exit_code == 0
    harmed = stages(offline="stop")[:3]
    assert decision.decide(harmed, [], funnel=False).exit_code == 3


def test_need_more_data_says_how_many():
    assert decision.decide(stages(), []).prompts_needed == 150
    assert decision.prompts_needed(people(0.55, 0.45, 0.65, n=100)) > 400
    assert decision.prompts_needed(people(0.8, 0.4, 0.9, n=500)) == decision.LEAST_MORE


def test_a_failed_check_makes_the_run_invalid_and_says_why():
    checks = [
        Check(name="a", passed=True, detail="fine"),
        Check(name="b", passed=False, detail="The adapter is not active."),
    ]
    stage = decision.judge_sanity(checks)
    assert stage.state == "invalid"
    assert stage.note == "The adapter is not active."
    assert decision.decide([stage, *stages()[1:]], []).reason == "The adapter is not active."
