import json

import pytest
from handled import choice, generate, planned, read, sample

from prefkit import runs
from prefkit.cli import main
from prefkit.config import CandidatesConfig
from prefkit.errors import PrefkitError
from prefkit.generation.candidates import cells_of, plan_candidates, run_candidates
from prefkit.generation.ways import SystemPrompt
from prefkit.records import Candidate, Message, content_id, user
from prefkit.storage import read_records


@pytest.fixture
def generated(documents, workspace, scripted, monkeypatch):
    return generate(documents, workspace, scripted(), monkeypatch)


def answered(asked):
    first = asked.body["messages"][0]
    told = first["content"] if first["role"] == "system" else "nobody"
    return f"{told} {asked.body['seed']}"


def files(folder, **texts):
    paths = []
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        paths.append(str(folder / f"{name}.txt"))
    return tuple(paths)


def test_system_prompts_are_ways_beside_models_contexts_and_temperatures(workspace):
    config = CandidatesConfig(systems=("brief.txt", "none"), temperatures=(0.5,), per_prompt=5)
    cells = [(c.context, c.system, c.repeat) for c in cells_of(config)]
    assert cells == [
        ("closed-book", "brief", 0),
        ("grounded", "brief", 0),
        ("closed-book", "", 0),
        ("grounded", "", 0),
        ("closed-book", "brief", 1),
    ]


def test_each_candidate_names_its_system_prompt_and_the_manifest_its_hash(
    generated, workspace, chat_server, tmp_path
):
    chat_server.reply = answered
    systems = (*files(tmp_path, brief="Be brief.", kind="Be kind."), "none")
    run = sample(workspace, chat_server, systems=systems, contexts=("closed-book",), per_prompt=3)
    found = read(run, "candidates")
    told = {"brief": "Be brief.", "kind": "Be kind.", None: "nobody"}
    assert {c.metadata.get("system") for c in found} == set(told)
    for one in found:
        assert one.completion[0].content.startswith(told[one.metadata.get("system")])
        assert one.model == "tiny[closed-book]"
    plugins = {p["name"]: p["sha256"] for p in run.manifest.plugins if p["kind"] == "system"}
    assert set(plugins) == {"brief", "kind"}
    plan = planned(workspace, chat_server, systems=systems[:1])
    files(tmp_path, brief="Be long.")
    assert planned(workspace, chat_server, systems=systems[:1]).digest() != plan.digest()


def test_a_system_turn_that_is_there_already_is_joined():
    prompt = SystemPrompt("brief", "Be brief.", "0")
    asked = (Message(role="system", content="You are a keeper."), *user("Why?"))
    assert prompt.before(asked)[0].content == "Be brief.\n\nYou are a keeper."
    assert [turn.role for turn in prompt.before(asked)] == ["system", "user"]


def test_without_a_system_prompt_ids_and_digest_are_what_they_were(
    generated, workspace, chat_server, tmp_path
):
    chat_server.reply = lambda asked: f"{asked.body['seed']}"
    plain = read(sample(workspace, chat_server, contexts=("closed-book",)), "candidates")
    both = sample(
        workspace,
        chat_server,
        contexts=("closed-book",),
        systems=("none", *files(tmp_path, brief="Be brief.")),
    )
    untold = {c.id for c in read(both, "candidates") if "system" not in c.metadata}
    assert untold
    assert untold <= {c.id for c in plain}
    for one in plain:  # the seed says which repeat it is
        warmth = one.sampling["temperature"]
        drawn = [(0, one.prompt_id, "openai:tiny", "closed-book", warmth, n) for n in range(2)]
        assert one.seed in {int(content_id(*parts)[:7], 16) for parts in drawn}
    fields = planned(workspace, chat_server).digest_fields()
    assert fields.keys() == {"stage", "config", "inputs", "prompt"}


@pytest.mark.parametrize(
    ("texts", "more", "said"),
    [
        ({"brief": " \n"}, (), "is empty"),
        ({}, ("missing.txt",), "missing.txt: cannot be read"),
        ({"brief": "Be brief."}, ("other/brief.md",), "two system prompts are called `brief`"),
    ],
)
def test_a_system_prompt_that_cannot_be_used_is_named(
    generated, workspace, chat_server, tmp_path, texts, more, said
):
    with pytest.raises(PrefkitError, match=said) as caught:
        planned(workspace, chat_server, systems=(*files(tmp_path, **texts), *more))
    assert caught.value.hint


def test_log_probabilities_and_finish_reasons_are_stored_where_told(
    generated, workspace, chat_server
):
    told = [[-0.5, -1.0, -0.25], None]

    def reply(asked):
        assert asked.body["logprobs"] is True
        return choice(f"{asked.body['seed']}", told[asked.number % 2], "length")

    chat_server.reply = reply
    fields = {"contexts": ("closed-book",), "logprobs": True, "concurrency": 1}
    found = read(sample(workspace, chat_server, **fields), "candidates")
    assert {(c.logprob, c.logprob_mean, c.logprob_tokens) for c in found} == {
        (-1.75, -0.583333, 3),
        (None, None, None),
    }
    assert {c.finish_reason for c in found} == {"length"}


def test_log_probabilities_are_asked_for_only_when_wanted(generated, workspace, chat_server):
    chat_server.reply = lambda asked: choice(f"{asked.body['seed']}")
    run = sample(workspace, chat_server)
    assert all("logprobs" not in asked.body for asked in chat_server.asked)
    assert all(candidate.logprob is None for candidate in read(run, "candidates"))


def test_a_model_in_this_process_scores_its_own_words(generated, workspace, scripted, monkeypatch):
    class Scoring(scripted):
        def log_probabilities(self, prompts, completions):
            import numpy as np

            assert all(len(prompt) >= 1 for prompt in prompts)
            return [np.array([-1.0, -2.0, -9.0], np.float32) for _ in completions]

    model = Scoring(lambda request: f" {request.sampling.seed}\n")
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **options: model)
    config = CandidatesConfig(logprobs=True, per_prompt=2)
    run = run_candidates(plan_candidates("@generate", config, workspace), runs.Settings(workspace))
    found = read(run, "candidates")
    assert {(c.logprob, c.logprob_mean, c.logprob_tokens) for c in found} == {(-3.0, -1.5, 2)}


def test_candidates_written_before_there_were_log_probabilities_are_read(tmp_path):
    made = Candidate(prompt_id="p", completion="Six weeks.", model="m")
    row = {k: v for k, v in made.model_dump(mode="json").items() if not k.startswith("logprob")}
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert list(read_records(path, Candidate)) == [made]


def test_every_option_reaches_the_plan_from_the_command_line(
    generated, workspace, chat_server, tmp_path, capsys
):
    brief, kind = files(tmp_path, brief="Be brief.", kind="Be kind.")
    options = ["--system", brief, "--system", kind, "--logprobs", "--best-of", "8", "--keep", "2"]
    options += ["--by", "helpfulness", "--by-model", "openai:big", "--constitution", "domain"]
    with pytest.raises(SystemExit) as ended:
        main(["candidates", "@generate", "--model", "openai:tiny", *options, "--dry-run"])
    assert not ended.value.code
    said = json.loads(capsys.readouterr().out)
    told = {
        **{"systems": [brief, kind], "logprobs": True, "best_of": 8, "keep": 2},
        **{"by": "helpfulness", "by_model": "openai:big", "constitution": "domain"},
    }
    assert said["config"] | told == said["config"]
    prompts = said["counts"]["prompts"]
    assert said["expected"]["calls"] == prompts * (8 + 2 * 16 + 2 * 2)
    assert said["expected"]["candidates_at_most"] == 4 * prompts
    with pytest.raises(SystemExit) as ended:
        main(["candidates", "@generate", "--keep", "2", "--dry-run"])
    assert ended.value.code == 1
    assert "--best-of 8" in capsys.readouterr().err
