import json

import pytest

from prefkit.chat import open_model
from prefkit.judging.canaries import ITEMS, run_canaries
from prefkit.judging.cards import load_judge
from prefkit.judging.pairwise import PairItem, compare
from prefkit.records import assistant, user

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def embedded():
    return open_model("embedded")


def item(name, question, a, b):
    return PairItem(name, user(question), assistant(a), assistant(b))


PAIRS = [
    item("beds", "How many beds has a hut with two rooms of 12?", "It has 24 beds.", "Blue."),
    item("day", "Which day follows Monday?", "I like days.", "Tuesday follows Monday."),
]


def test_the_embedded_judge_is_heard_through_its_probabilities(embedded, workspace):
    judge = load_judge("helpfulness", workspace)
    pairs = compare(judge, embedded, PAIRS)
    assert pairs == compare(judge, embedded, PAIRS)
    for pair in pairs:
        assert pair.outcome in (0.0, 0.5, 1.0)
        assert 0 <= pair.preference <= 1
        for verdict in pair.verdicts:
            seen = json.loads(verdict.raw)["label_probabilities"]
            assert list(seen) == ["A", "B", "tie"]
            assert 0 < float(verdict.metadata["label_mass"]) <= 1


def test_canaries_can_be_shown_to_the_embedded_judge(embedded, workspace):
    report = run_canaries(load_judge("helpfulness", workspace), embedded, PAIRS[:1])
    assert len(report.rows) == 3 * min(ITEMS, 1)
    assert report.passed == (not report.failures)
