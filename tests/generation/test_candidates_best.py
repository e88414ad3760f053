import re

import pytest
from handled import choice, dropped, fenced_in, generate, planned, read, sample

from prefkit.config import CandidatesConfig
from prefkit.errors import PrefkitError
from prefkit.generation.ranking import choose, comparisons, load_chooser
from prefkit.records import Candidate, Example, user
from prefkit.storage import read_records

BOOK = {"contexts": ("closed-book",)}


@pytest.fixture
def generated(documents, workspace, scripted, monkeypatch):
    return generate(documents, workspace, scripted(), monkeypatch)


@pytest.fixture
def references(generated):
    path = generated.path / "data" / "examples.jsonl"
    return {e.prompt[0].content: e.reference for e in read_records(path, Example)}


def test_the_samples_nearest_the_reference_stay_with_rank_and_score(
    workspace, chat_server, references
):
    def reply(asked):
        reference, seed = references[asked.text], asked.body["seed"]
        return f"{reference} {'and so on ' * (seed % 5)}{seed}"

    chat_server.reply = reply
    run = sample(workspace, chat_server, best_of=6, keep=2, **BOOK)
    found, gone = read(run, "candidates"), dropped(run, "not-best")
    assert len(found) == 2 * len(references)
    assert len(gone) == 4 * len(references)
    worst = {}
    for one in found:
        notes = one.metadata
        assert (notes["best_of"], notes["best_of_by"]) == ("6", "rule:reference")
        rank, score = int(notes["best_of_rank"]), float(notes["best_of_score"])
        worst.setdefault(one.prompt_id, {})[rank] = score
    assert all(scores[1] >= scores[2] for scores in worst.values())
    best_gone = max(drop.score for drop in gone)
    assert best_gone <= max(scores[2] for scores in worst.values())
    ranks = [int(re.match(r"rank (\d+) of 6 by rule:reference", d.detail)[1]) for d in gone]
    assert sorted(set(ranks)) == [3, 4, 5, 6]
    assert not {d.record_id for d in gone} & {c.id for c in found}
    assert run.manifest.outputs == {"candidates": len(found)}
    assert {p["kind"]: p["name"] for p in run.manifest.plugins}["rule"] == "rule:reference"


def test_the_likeliest_stay_and_a_sample_without_a_likelihood_is_unscored(
    generated, workspace, chat_server
):
    def reply(asked):
        seed = asked.body["seed"]
        return choice(f"{seed}", [-float(seed % 97) / 10] * 2 if seed % 3 else None)

    chat_server.reply = reply
    run = sample(workspace, chat_server, best_of=8, keep=1, by="logprob", **BOOK)
    found, gone = read(run, "candidates"), dropped(run, "not-best")
    assert found
    for one in found:
        others = [d for d in gone if f"rank 2 of {one.metadata['best_of']}" in d.detail]
        assert one.logprob_mean is not None
        assert others
    unscored = dropped(run, "unscored")
    asked = 8 * len({e.prompt_id for e in found})
    assert len(found) + len(gone) + len(unscored) == asked
    assert unscored
    assert all(drop.score is None for drop in unscored)


def test_a_model_that_tells_no_likelihood_cannot_be_chosen_by_it(generated, workspace, chat_server):
    chat_server.reply = lambda asked: choice(f"{asked.body['seed']}")
    with pytest.raises(PrefkitError, match="tells no log-probabilities") as caught:
        sample(workspace, chat_server, best_of=4, keep=1, by="logprob", **BOOK)
    assert "--by rule:reference" in caught.value.hint


def test_a_judge_prefers_in_both_orders_and_what_it_cannot_tell_is_unscored(
    generated, workspace, chat_server
):
    def number(text, name):
        found = re.search(rf"<{name} \w+>\n(\d+)", text)
        return int(found[1]) if found else None

    def reply(asked):
        a, b = number(asked.text, "answer_a"), number(asked.text, "answer_b")
        if a is None or b is None:
            return f"{asked.body['seed']}"
        if min(a, b) % 5 == 0:
            return "I would rather not."
        return "A" if a > b else "B"

    chat_server.reply = reply
    run = sample(workspace, chat_server, best_of=4, keep=1, by="helpfulness", **BOOK)
    found = read(run, "candidates")
    said = {one.prompt_id: int(one.completion[0].content) for one in found}
    assert found
    for one in found:
        assert one.metadata["best_of_by"] == "helpfulness"
        assert said[one.prompt_id] % 5 or float(one.metadata["best_of_score"]) < 1
    assert run.manifest.totals["judge_calls"] >= 2 * len(found)
    assert {p["kind"]: p["name"] for p in run.manifest.plugins}["judge"] == "helpfulness"
    total = len(found) + len(dropped(run, "not-best")) + len(dropped(run, "unscored"))
    assert total == run.manifest.totals["calls"]


def test_a_judge_that_never_tells_stops_the_run(generated, workspace, chat_server):
    chat_server.reply = lambda asked: f"{asked.body.get('seed', 0)} or so"
    with pytest.raises(PrefkitError, match="could not tell in any of") as caught:
        sample(workspace, chat_server, best_of=4, keep=1, by="helpfulness", **BOOK)
    assert "--resume" in caught.value.hint


def test_equals_are_kept_by_a_hash_of_content_whatever_their_order(workspace):
    example = Example(prompt=user("Why?"), reference="Because.")
    samples = [
        Candidate(prompt_id=example.id, completion=f"Say {n}", model="m", seed=n, logprob_mean=-1.0)
        for n in range(6)
    ]
    config = CandidatesConfig(best_of=6, keep=2, by="logprob")
    chooser = load_chooser(config, workspace)

    def kept(order, seed=0):
        told = config.model_copy(update={"seed": seed})
        chosen = choose({example.id: order}, [example], chooser, None, told, {})
        return [one.id for one in chosen.kept]

    assert kept(samples) == kept(samples[::-1])
    assert len({tuple(kept(samples, seed)) for seed in range(8)}) > 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"keep": 2}, "without a number to choose from"),
        ({"best_of": 4}, "best 4 of 4 are no choice"),
        ({"best_of": 8, "by": "rule:referense"}, "no rule called"),
        ({"best_of": 8, "by": "nobody"}, "nobody"),
        ({"best_of": 8, "by": "groundedness", **BOOK}, "needs the passage"),
    ],
)
def test_what_cannot_be_chosen_by_is_refused_before_anything_is_asked(
    generated, workspace, chat_server, fields, said
):
    with pytest.raises(PrefkitError, match=said) as caught:
        planned(workspace, chat_server, **fields)
    assert caught.value.hint
    assert not chat_server.asked


def test_a_plan_counts_samples_and_comparisons(generated, workspace, chat_server):
    plan = planned(workspace, chat_server, best_of=8, keep=1, by="helpfulness")
    prompts = plan.counts["prompts"]
    assert plan.expected["calls"] == prompts * (8 + 2 * comparisons(8))
    assert plan.expected["candidates_at_most"] == prompts
    assert comparisons(4) == 6
    assert fenced_in("<answer>\nx\n</answer>", "answer") == "x"
