"""Budgets and estimates where a person meets them: at the command line."""

import json
from collections import Counter

import pytest
from click.testing import CliRunner

from prefkit import runs
from prefkit.cli import _add_commands, group
from prefkit.config import JudgeConfig, read_prices
from prefkit.errors import PrefkitError
from prefkit.judging.run import plan_judge, run_judge
from prefkit.manifest import read_manifest
from prefkit.records import Candidate, Example, assistant, user
from prefkit.storage import write_jsonl


@pytest.fixture
def source(workspace):
    examples = [Example(prompt=user(f"q{n}"), reference="r", kind="x") for n in range(40)]
    candidates = [
        Candidate(prompt_id=one.id, completion=assistant(f"{word} of {n}"), model="m", seed=0)
        for n, one in enumerate(examples)
        for word in ("noon", "dusk")
    ]
    write_jsonl(workspace.root / "examples.jsonl", examples)
    write_jsonl(workspace.root / "candidates.jsonl", candidates)
    return "candidates.jsonl"


def price(workspace, text='"tiny" = [1.0, 2.0]'):
    (workspace.root / "prefkit.toml").write_text(f"[prices]\n{text}\n", encoding="utf-8")


def config(server, **more):
    fields = {"judges": ("helpfulness",), "examples": "examples.jsonl", "model": "openai:tiny"}
    return JudgeConfig(**fields, base_url=server.url, **more)


def judge(server, *options):
    if "judge" not in group.commands:
        _add_commands()
    command = ["judge", "candidates.jsonl", "--examples", "examples.jsonl", "--judge"]
    command += ["helpfulness", "--model", "openai:tiny", "--base-url", server.url, *options]
    return CliRunner().invoke(group, command)


def test_a_dry_run_says_calls_tokens_and_dollars(chat_server, workspace, source):
    price(workspace)
    result = judge(chat_server, "--dry-run")
    expected = json.loads(result.stdout)["expected"]
    assert expected["calls"] == 80
    assert expected["prompt_tokens"] > 80 * 20
    assert 0 < expected["usd_low"] < expected["usd_high"]
    assert chat_server.asked == []


def test_without_a_price_the_dollars_are_unknown_and_a_limit_is_refused(
    chat_server, workspace, source
):
    assert json.loads(judge(chat_server, "--dry-run").stdout)["expected"]["usd"] is None
    refused = judge(chat_server, "--max-cost", "1")
    assert isinstance(refused.exception, PrefkitError)
    assert '"tiny" = [0.15, 0.60]' in refused.exception.hint
    assert not list(workspace.runs.glob("*"))


@pytest.mark.parametrize(
    "text", ["gpt-4.1 = [1, 2]", "tiny = 3", "tiny = [1]", "tiny = [-1, 2]", "tiny = [nan, 1]"]
)
def test_a_price_that_is_none_is_named(workspace, text):
    price(workspace, text)
    with pytest.raises(PrefkitError, match="not two prices"):
        read_prices(workspace.config_file)


def test_the_estimate_holds_what_is_then_spent(chat_server, workspace, source):
    price(workspace)
    chat_server.reply = lambda asked: "A"
    plan = plan_judge(source, config(chat_server), workspace)
    run = run_judge(plan, runs.Settings(workspace))
    assert run.manifest.totals["usd"] <= plan.expected["usd_high"]


def test_a_run_stops_at_its_budget_and_goes_on_with_a_higher_one(chat_server, workspace, source):
    price(workspace)
    chat_server.reply = lambda asked: "A"
    asked = [0]
    for resume, limit in ((None, 0.006), ("last", 0.01)):  # all of it would cost 0.0138
        plan = plan_judge(source, config(chat_server, max_cost=limit), workspace)
        with pytest.raises(PrefkitError, match=r"The budget of .* is reached: .* calls"):
            run_judge(plan, runs.Settings(workspace, resume=resume))
        asked.append(len(chat_server.asked))
    assert asked[0] < asked[1] < asked[2] < 80  # earlier attempts count
    stopped = next(workspace.run_folders("judge"))
    assert read_manifest(stopped).status == "failed"
    plan = plan_judge(source, config(chat_server, max_cost=100.0), workspace)
    run = run_judge(plan, runs.Settings(workspace, resume="last"))
    assert run.path == stopped
    assert run.manifest.status == "finished"
    times = Counter(str(asked.body["messages"]) for asked in chat_server.asked)
    assert (len(times), set(times.values())) == (80, {1})
