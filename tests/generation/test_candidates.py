import pytest

from prefkit import runs
from prefkit.chat import Reply
from prefkit.config import CandidatesConfig, GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.candidates import cells_of, plan_candidates, run_candidates
from prefkit.generation.run import plan_generate, run_generate
from prefkit.records import Candidate, Example, user
from prefkit.storage import read_records, write_jsonl


@pytest.fixture
def models(scripted, monkeypatch):
    """Models by name; an unknown one answers with its name, temperature and seed."""
    opened = {}

    def open_model(name, **options):
        model = opened.setdefault(
            name,
            scripted(lambda r: f"{name} {r.sampling.temperature} {r.sampling.seed}"),
        )
        model.name = name
        return model

    monkeypatch.setattr("prefkit.chat.open_model", open_model)
    return opened


@pytest.fixture
def generated(documents, workspace, models):
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    return run_generate(plan, runs.Settings(workspace))


def sample(workspace, source="@generate", **config):
    plan = plan_candidates(source, CandidatesConfig(**config), workspace)
    run = run_candidates(plan, runs.Settings(workspace))
    path = run.path / "data" / "candidates.jsonl"
    return run, list(read_records(path, Candidate)) if path.exists() else []


def test_contexts_differ_first_then_models_then_temperatures():
    config = CandidatesConfig(models=("other",), per_prompt=5, temperatures=(0.5, 1.0))
    cells = [(c.model, c.context, c.temperature) for c in cells_of(config)]
    assert cells == [
        ("embedded", "closed-book", 0.5),
        ("embedded", "grounded", 0.5),
        ("other", "closed-book", 0.5),
        ("other", "grounded", 0.5),
        ("embedded", "closed-book", 1.0),
    ]


def test_every_prompt_is_completed_in_every_way_against_the_closed_book_prompt(
    generated, workspace, models
):
    run, candidates = sample(workspace, per_prompt=4)
    examples = list(read_records(generated.path / "data" / "examples.jsonl", Example))
    assert len(candidates) == 4 * len(examples)
    assert {c.prompt_id for c in candidates} == {e.id for e in examples}
    assert {c.model for c in candidates} == {"embedded[closed-book]", "embedded[grounded]"}
    assert {c.sampling["temperature"] for c in candidates} == {0.7, 1.0}
    asked = [request.messages for request in models["embedded"].asked[-8:]]
    shown = [messages for messages in asked if "<passage>" in messages[-1].content]
    assert len(shown) == 4
    assert all(messages == e.prompt for e in examples for messages in asked if messages == e.prompt)
    assert run.manifest.inputs[0].run == generated.path.name


def test_two_models_are_opened_one_after_another(generated, workspace, models):
    _, candidates = sample(workspace, models=("other",), per_prompt=4, contexts=("closed-book",))
    names = [c.model for c in candidates]
    assert names == sorted(names)
    assert {"embedded[closed-book]", "other[closed-book]"} == set(names)


def test_empty_failed_and_repeated_completions_are_dropped(generated, workspace, scripted, models):
    said = iter(["Six weeks.", " ", Reply("", "error", error="500"), "Six weeks. "] * 9)
    models["odd"] = scripted(lambda request: next(said))
    run, candidates = sample(workspace, model="odd")
    prompts = len({c.prompt_id for c in candidates})
    assert {c.completion[0].content for c in candidates} == {"Six weeks."}
    assert len(candidates) == prompts
    assert run.manifest.dropped == {
        "empty-completion": prompts,
        "model-error": prompts,
        "duplicate-completion": prompts,
    }


def test_a_model_that_says_what_another_said_is_dropped(generated, workspace, scripted, models):
    models["one"] = scripted(lambda request: "The same.")
    models["two"] = scripted(lambda request: "The same.")
    run, candidates = sample(
        workspace, model="one", models=("two",), per_prompt=2, contexts=("closed-book",)
    )
    assert {c.model for c in candidates} == {"one[closed-book]"}
    assert run.manifest.dropped["duplicate-completion"] == len(candidates)


def test_seeds_come_from_content(generated, workspace, models):
    _, one = sample(workspace)
    _, two = sample(workspace)
    _, other = sample(workspace, seed=1)
    assert one == two
    assert {c.seed for c in one}.isdisjoint({c.seed for c in other})
    assert all(0 <= c.seed < 2**31 for c in one)


def test_an_interrupted_run_ends_with_the_same_candidates(generated, workspace, scripted, models):
    _, whole = sample(workspace, model="m")
    calls = []

    def complete(request):
        calls.append(request)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return f"m {request.sampling.temperature} {request.sampling.seed}"

    models["m"] = scripted(complete)
    plan = plan_candidates("@generate", CandidatesConfig(model="m"), workspace)
    with pytest.raises(KeyboardInterrupt):
        run_candidates(plan, runs.Settings(workspace))
    run = run_candidates(plan, runs.Settings(workspace, resume="last"))
    assert list(read_records(run.path / "data" / "candidates.jsonl", Candidate)) == whole


def test_examples_without_passages_need_the_closed_book(workspace, models, tmp_path):
    path = tmp_path / "own.jsonl"
    write_jsonl(path, [Example(prompt=user("Why?"), reference="Because.")])
    with pytest.raises(PrefkitError, match="no passages") as caught:
        sample(workspace, str(path))
    assert "--context closed-book" in caught.value.hint
    _, candidates = sample(workspace, str(path), contexts=("closed-book",), per_prompt=2)
    assert len(candidates) == 2


def test_all_requests_failing_stops_and_can_be_resumed(generated, workspace, scripted, models):
    models["down"] = scripted(lambda request: Reply("", "error", error="no route"))
    with pytest.raises(PrefkitError, match="no route"):
        sample(workspace, model="down")


def test_a_plan_counts_calls(generated, workspace):
    plan = plan_candidates("@generate", CandidatesConfig(per_prompt=3), workspace)
    assert plan.expected["calls"] == 3 * plan.counts["prompts"]
