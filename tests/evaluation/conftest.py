"""A small evaluation made of numbers, without any model."""

import random

import pytest

from prefkit.evaluation import decision, offline, pairwise, suites
from prefkit.evaluation.results import AnswerSheet, Check, Item, Results, SuiteAnswer, SuiteResult
from prefkit.evaluation.text_metrics import rouge_l
from prefkit.records import assistant, content_id, user

WORDS = "the hut opens at nine and the warden keeps two keys for the upper store room".split()


def make_item(number: int, rng: random.Random) -> Item:
    reference = " ".join(rng.sample(WORDS, 9))
    base = " ".join(rng.sample(WORDS, 9)) + " and so on and so on"
    tuned = " ".join([*reference.split()[: rng.randint(3, 9)], "keys"])
    tokens = rng.randint(9, 30)
    sides = {}
    for name, text, nll in (("base", base, 3.1), ("tuned", tuned, 2.5)):
        sides[name] = AnswerSheet(
            completion=assistant(text),
            finish_reason="stop" if rng.random() > 0.1 else "length",
            tokens=len(text.split()) + rng.randint(0, 9),
            nll=tokens * (nll + rng.gauss(0, 0.3)),
            rouge_l=rouge_l(reference, text),
        )
    return Item(
        id=content_id("item", number),
        prompt=user(f"Question {number}: which {rng.choice(WORDS)} is meant?"),
        reference=reference,
        reference_tokens=tokens,
        **sides,
    )


@pytest.fixture(scope="session")
def evaluated():
    rng = random.Random(7)
    items = [make_item(number, rng) for number in range(24)]
    return make_results(items), items


@pytest.fixture
def results(evaluated):
    return evaluated[0]


@pytest.fixture
def items(evaluated):
    return list(evaluated[1])


def make_results(items) -> Results:
    rng = random.Random(3)
    pairs = [
        offline.PairScores(
            content_id("pair", i), -40 + rng.gauss(0, 4), -41 + rng.gauss(0, 4),
            -36 + rng.gauss(0, 4), -42 + rng.gauss(0, 4), 20, 22,
        )
        for i in range(30)
    ]  # fmt: skip
    neutral = [
        offline.NeutralScores(100, 300 + i, 302 + i + rng.gauss(0, 2), 1.5 + rng.random(), 95)
        for i in range(8)
    ]
    judged = [
        pairwise.Judged(item.id, 0.5 if i % 3 else 1.0, "flip" if i % 3 else "win", 1, 2, None)
        for i, item in enumerate(items[:12])
    ]
    suite = SuiteResult(
        name="basics",
        sha256="ab" * 32,
        margin=0.05,
        measures="Whether everyday knowledge survived.",
        items=tuple(f"k{i}" for i in range(104)),
        base=tuple(i % 2 == 0 for i in range(104)),
        tuned=tuple(i % 2 == 0 or i in (3, 5) for i in range(104)),
        changed=tuple(
            SuiteAnswer(
                suite="basics",
                id=f"k{i}",
                question=f"Question: {i}?\nAnswer:",
                expected="ice",
                base="dew",
                tuned="ice",
                base_right=False,
                tuned_right=True,
            )
            for i in (3, 5)
        ),
    )
    notes = {entry.id: entry for entry in judged}
    items[:] = [
        item.model_copy(update={"judge": notes[item.id].outcome, "judge_note": notes[item.id].note})
        if item.id in notes
        else item
        for item in items
    ]
    numbers = [
        *offline.summarise_items(items, 0, 48),
        *offline.summarise_pairs(pairs, 0),
        *offline.summarise_neutral(neutral, 0),
        *suites.summarise([suite]),
        *pairwise.summarise(judged, 0),
    ]
    checks = [
        Check(name="the adapter is active", passed=True, detail="Largest change 3.1 nats."),
        Check(name="base against base (A/A)", passed=True, detail="Agrees with itself."),
    ]
    stages = [
        decision.judge_sanity(checks),
        decision.judge_offline(numbers),
        decision.judge_suites(numbers, [suite]),
        decision.judge_judge(numbers),
        decision.judge_human(numbers, sheets=2),
    ]
    return Results(
        decision=decision.decide(stages, numbers),
        rule=decision.RULE,
        stages=tuple(stages),
        checks=tuple(checks),
        numbers=tuple(numbers),
        suites=(suite,),
        reward_margins=tuple(pair.margin for pair in pairs),
        warnings=("Only 24 held-out examples: intervals are wide.",),
        facts={
            "Models": {
                "base": "SmolLM2-135M-Instruct",
                "tuned": "SmolLM2-135M-Instruct+train-dpo-20261122-201010-ab12",
                "adapter": "4,884,480 numbers in 420 tensors, norm 34.2",
            },
            "Decoding": {"completions": "greedy, at most 48 tokens", "seed": "0"},
            "Machine": {"device": "cpu", "cores": "2"},
        },
    )
