"""Two people contradict each other at a real server; a third settles it; pairs follow."""

import pytest
from desk import order, read
from made_runs import ranking_source

from prefkit.annotation.adjudicate import plan_adjudicate, run_adjudicate
from prefkit.annotation.agreement.run import plan_agreement, read_agreement, run_agreement
from prefkit.config import AgreementConfig, PairsConfig
from prefkit.pairs import plan_pairs, run_pairs
from prefkit.records import Conflict, Example, Judgment, PreferencePair

pytestmark = [pytest.mark.argilla, pytest.mark.timeout(600)]


def agreement(desk):
    plan = plan_agreement("@annotate-pull", AgreementConfig(), desk.workspace)
    return run_agreement(plan, desk.settings())


def adjudicate(desk, who, **config):
    config = desk.config(adjudicator=who, dataset=None, **config)
    return run_adjudicate(
        plan_adjudicate("@annotate-agreement", config, desk.workspace), desk.settings()
    )


@pytest.mark.parametrize("show_votes", [False, True])
def test_an_adjudicator_settles_what_two_people_contradict_each_other_on(desk, people, show_votes):
    (ada, ben), cem = people, f"{desk.dataset}-cem"
    ranking_source(desk.workspace, [2, 2, 2])
    desk.push(annotators=(ada, ben), overlap=2)
    _, records = desk.records()
    for number, record in enumerate(records):
        desk.answer(ada, record, {"ranking": order(1, 2)})
        desk.answer(ben, record, {"ranking": order(2, 1) if number == 0 else order(1, 2)})
    desk.pull("@annotate-push")
    run = agreement(desk)
    (conflict,) = read(run, "conflicts", Conflict)
    assert conflict.annotators == (ada, ben)

    adjudicate(desk, cem, show_votes=show_votes)
    again = adjudicate(desk, cem, show_votes=show_votes)
    assert again.manifest.totals == {"new": 0, "there": 1}
    name = f"{desk.dataset}-adjudication"
    _, (record,) = desk.records(name)
    desk.answer(cem, record, {"ranking": order(2, 1)})

    pulled = desk.pull("@annotate-push")
    judgments = read(pulled, "judgments", Judgment)
    assert len(judgments) == 7
    (settled,) = (judgment for judgment in judgments if judgment.adjudicated)
    assert (settled.annotator, settled.prompt_id) == (cem, conflict.prompt_id)
    found = read_agreement(agreement(desk).path)
    assert (found.conflicts, found.adjudicated, len(found.annotators)) == (0, 1, 2)

    paired = run_pairs(plan_pairs("@annotate-pull", PairsConfig(), desk.workspace), desk.settings())
    pairs = {pair.prompt_id: pair for pair in read(paired, "pairs/train", PreferencePair)}
    pair = pairs[conflict.prompt_id]
    assert pair.chosen_id == min(settled.ranks, key=settled.ranks.get)
    assert pair.metadata == {"adjudicated": "true"}
    assert pair.votes_for + pair.votes_against == 3
    assert len(pairs) == 3


def test_an_adjudicated_review_becomes_an_example(desk, people):
    (ada, ben), cem = people, f"{desk.dataset}-cem"
    ranking_source(desk.workspace, [2, 2])
    desk.push("@clean", layout="qa_review", annotators=people, overlap=2)
    _, records = desk.records()
    desk.answer(ada, records[0], {"decision": "accept"})
    desk.answer(ben, records[0], {"decision": "reject", "reasons": ["wrong"]})
    for name in people:
        desk.answer(name, records[1], {"decision": "accept"})
    assert len(read(desk.pull("@annotate-push"), "examples/train", Example)) == 1
    (conflict,) = read(agreement(desk), "conflicts", Conflict)
    assert conflict.question == "decision"
    adjudicate(desk, cem)
    _, (record,) = desk.records(f"{desk.dataset}-adjudication")
    edited = {"decision": "edit", "edit": "Better said: ring the keeper."}
    desk.answer(cem, record, edited)
    examples = read(desk.pull("@annotate-adjudicate"), "examples/train", Example)
    assert [example.reference for example in examples if "edited_from" in example.metadata] == [
        "Better said: ring the keeper."
    ]
    assert len(examples) == 2
