import json
import subprocess
import sys
import textwrap
import time

import pytest
from batch_server import BatchServer

from prefkit.chat import Request, Sampling, open_model
from prefkit.chat.ahead import ahead
from prefkit.chat.batch import BatchModel
from prefkit.chat.budget import Budget, BudgetReached
from prefkit.errors import PrefkitError
from prefkit.records import user

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with BatchServer() as made:
        made.reply = lambda body: f"you said {body['messages'][-1]['content']}"
        yield made


@pytest.fixture
def dial(server, tmp_path):
    made = []

    def open_batch(**options):
        options = {"quiet": 0.05, "poll": 0.01, "cache": tmp_path / "r.sqlite"} | options
        made.append(BatchModel("tiny", base_url=server.url, **options))
        return made[-1]

    yield open_batch
    for model in made:
        model.close()


def ask(*texts, **more):
    return [Request(user(text), Sampling(max_tokens=9), **more) for text in texts]


def test_a_batch_is_uploaded_made_waited_for_and_fetched(server, dial):
    replies = dial().complete(ask("a", "b", "a"))
    assert [reply.text for reply in replies] == ["you said a", "you said b", "you said a"]
    assert [reply.completion_tokens for reply in replies] == [2, 2, 2]
    assert len(server.batches) == 1
    made = server.batches["batch-0"]
    assert (made["endpoint"], made["completion_window"]) == ("/v1/chat/completions", "24h")
    lines = [json.loads(line) for line in server.files["file-0"].splitlines()]
    assert [line["method"] for line in lines] == ["POST", "POST"]
    assert lines[0]["body"]["max_tokens"] == 9
    assert len({line["custom_id"] for line in lines}) == 2


def test_units_that_wait_side_by_side_become_one_batch(server, dial):
    model = dial(quiet=0.3)

    def work(unit):
        return [reply.text for reply in model.complete(ask(f"{unit} one", f"{unit} two"))]

    with ahead(model, range(20), work, calls=2) as results:
        found = list(results)
    assert [unit for unit, _ in found] == list(range(20))
    assert found[3][1] == ["you said 3 one", "you said 3 two"]
    assert len(server.batches) == 1


def test_replies_go_into_the_cache_of_all_others(server, dial):
    dial().complete(ask("a"))
    again = dial()
    assert again.complete(ask("a"))[0].cached
    assert len(server.batches) == 1


def test_a_request_that_is_refused_is_an_error_and_its_neighbours_are_not(server, dial):
    server.reply = lambda body: (
        (400, "context too long") if body["messages"][-1]["content"] == "bad" else "fine"
    )
    good, bad = dial().complete(ask("good", "bad"))
    assert (good.text, bad.error) == ("fine", "HTTP 400: context too long")


def test_what_a_server_refuses_is_asked_otherwise_in_another_batch(server, dial):
    server.reply = lambda body: (
        (400, "response_format json_schema is not supported")
        if (body.get("response_format") or {}).get("type") == "json_schema"
        else '{"answer": "noon"}'
    )
    reply = dial().complete(ask("q", schema=SCHEMA))[0]
    assert reply.text == '{"answer": "noon"}'
    assert len(server.batches) == 2


def test_a_busy_server_is_asked_again(server, dial):
    server.busy = 2
    assert dial().complete(ask("a"))[0].text == "you said a"


def test_a_failed_batch_is_named_with_its_reason(server, dial):
    server.stages = ("validating", "failed")
    with pytest.raises(PrefkitError, match=r"Batch batch-0 .*failed: line 1 is no request"):
        dial().complete(ask("a"))


def test_an_expired_batch_is_named_and_what_it_answered_is_kept(server, dial):
    server.stages = ("in_progress", "expired")
    server.unanswered = lambda number: number > 0
    with pytest.raises(PrefkitError, match=r"Batch batch-0 .*expired; 1 replies came") as caught:
        dial().complete(ask("a", "b", "c"))
    assert "--resume" in caught.value.hint
    server.stages, server.unanswered = ("completed",), lambda number: False
    replies = dial().complete(ask("a", "b", "c"))
    assert [reply.cached for reply in replies] == [True, False, False]
    assert len(server.asked) == 3 + 2


def test_a_budget_is_split_over_batches_and_kept(server, dial):
    budget = Budget("run", max_tokens=600)
    with pytest.raises(BudgetReached, match="600 tokens is reached"):
        dial(budget=budget).complete(ask(*map(str, range(200))))
    assert len(server.batches) > 1
    assert budget.prompt_tokens + budget.completion_tokens == 12 * len(server.asked) <= 600


def _start(server, cache):
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from prefkit.chat import Request, Sampling
        from prefkit.chat.batch import BatchModel
        from prefkit.records import user
        model = BatchModel("tiny", base_url={server.url!r}, cache=Path({str(cache)!r}),
                           quiet=0.05, poll=0.01)
        asked = [Request(user(text), Sampling(max_tokens=9)) for text in "abc"]
        print([reply.text for reply in model.complete(asked)])
        model.close()
        """
    )
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def _until(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_batch_is_found_again_after_a_kill(server, dial, tmp_path):
    server.stages = ("in_progress",)
    process = _start(server, tmp_path / "r.sqlite")
    _until(lambda: server.batches and server.batches["batch-0"]["looks"] > 2)
    process.kill()
    process.communicate()
    server.stages = ("completed",)
    replies = dial().complete(ask("a", "b", "c", "d"))
    assert [reply.text for reply in replies] == [f"you said {x}" for x in "abcd"]
    assert len(server.batches) == 2
    assert len(server.asked) == 4


def test_a_batch_that_was_made_in_the_instant_before_the_kill_is_found_by_its_mark(
    server, dial, tmp_path
):
    server.stages = ("in_progress",)
    process = _start(server, tmp_path / "r.sqlite")
    _until(lambda: server.batches)
    process.kill()
    process.communicate()
    model = dial()
    model._cache.store.change([("UPDATE batches SET id = ''", ())])
    server.stages = ("completed",)
    assert len(model.complete(ask("a", "b", "c"))) == 3
    assert len(server.batches) == 1


def test_a_batch_needs_a_workspace(server):
    with pytest.raises(PrefkitError, match="needs a workspace"):
        open_model("openai:tiny", base_url=server.url, batch=True)
