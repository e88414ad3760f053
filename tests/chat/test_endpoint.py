import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Asked, ChatServer, in_turn, obedient

from prefkit.chat import Request, Sampling
from prefkit.chat.endpoint import EndpointModel
from prefkit.errors import PrefkitError
from prefkit.records import user

SECRET = "sk-very-secret-0123456789"
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}


def dial(server: ChatServer, **options: Any) -> EndpointModel:
    return EndpointModel("tiny", base_url=server.url, backoff=0.01, **options)


def ask(*texts: str, **sampling: Any) -> list[Request]:
    return [Request(user(text), Sampling(**sampling)) for text in texts]


def test_replies_come_in_the_order_of_requests_however_slow_each_is(chat_server):
    chat_server.reply = lambda asked: Answer(asked.text, delay=0.05 * (int(asked.text) % 3))
    texts = [str(number) for number in range(20)]
    replies = dial(chat_server).complete(ask(*texts))
    assert [reply.text for reply in replies] == texts
    assert [reply.finish_reason for reply in replies] == ["stop"] * 20


def test_never_more_requests_in_flight_than_allowed(chat_server):
    chat_server.reply = lambda asked: Answer("fine", delay=0.02)
    dial(chat_server, concurrency=3).complete(ask(*map(str, range(15))))
    assert 2 <= chat_server.most_at_once <= 3


def test_sampling_reaches_the_server(chat_server):
    dial(chat_server).complete(
        ask("hi", temperature=0.7, top_p=0.9, max_tokens=5, seed=3, stop=("\n",))
    )
    body = chat_server.asked[0].body
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert (body["model"], body["max_tokens"], body["seed"]) == ("tiny", 5, 3)
    assert (body["temperature"], body["top_p"], body["stop"]) == (0.7, 0.9, ["\n"])


def test_usage_is_priced_when_the_price_is_known(chat_server):
    chat_server.reply = lambda asked: "one two three"
    priced = dial(chat_server, prices={"tiny": (2.0, 10.0)}).complete(ask("a b c d e"))[0]
    assert (priced.prompt_tokens, priced.completion_tokens) == (5, 3)
    assert priced.usd == pytest.approx((5 * 2 + 3 * 10) / 1e6)
    assert dial(chat_server).complete(ask("a b"))[0].usd is None


def test_finish_reason_and_refusal_are_passed_on(chat_server):
    chat_server.reply = lambda asked: Answer("cut o", finish_reason="length")
    assert dial(chat_server).complete(ask("x"))[0].finish_reason == "length"
    refusal = {"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}
    chat_server.reply = lambda asked: Answer(raw=json.dumps({"choices": [refusal]}).encode())
    reply = dial(chat_server).complete(ask("x"))[0]
    assert (reply.text, reply.finish_reason) == ("", "refusal")


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(status=429),
        Answer(status=500),
        Answer(status=503),
        Answer(drop=True),
        Answer(raw=b'{"choices": [{"mess'),
        Answer(raw=b'{"choices": []}'),
        Answer(raw=b'{"error": {"message": "upstream fell over"}}'),
    ],
    ids=["429", "500", "503", "dropped", "broken JSON", "no choice", "error with 200"],
)
def test_a_passing_failure_is_tried_again(chat_server, trouble):
    chat_server.reply = in_turn([trouble, trouble, "at last"])
    reply = dial(chat_server).complete(ask("x"))[0]
    assert (reply.text, reply.error) == ("at last", "")
    assert len(chat_server.asked) == 3


def test_retry_after_is_obeyed_by_all_requests(chat_server):
    limited = Answer(status=429, headers={"Retry-After": "0.5"})
    chat_server.reply = lambda asked: limited if asked.number == 0 else "fine"
    began = time.monotonic()
    dial(chat_server, concurrency=1).complete(ask("a", "b", "c"))
    assert time.monotonic() - began >= 0.5
    assert all(asked.at - chat_server.asked[0].at >= 0.5 for asked in chat_server.asked[1:])


def test_a_wait_of_hours_is_left_to_the_user(chat_server):
    chat_server.reply = lambda asked: Answer(status=429, headers={"Retry-After": "7200"})
    with pytest.raises(PrefkitError, match="asks to wait 7200 s") as caught:
        dial(chat_server).complete(ask("x"))
    assert "--resume" in caught.value.hint


def test_a_request_that_never_works_becomes_an_error_and_its_neighbours_do_not(chat_server):
    chat_server.reply = lambda asked: Answer(status=500) if asked.text == "bad" else "fine"
    good, bad, also_good = dial(chat_server, tries=4).complete(ask("a", "bad", "b"))
    assert (good.text, also_good.text) == ("fine", "fine")
    assert (bad.text, bad.finish_reason) == ("", "error")
    assert "HTTP 500" in bad.error
    assert sum(asked.text == "bad" for asked in chat_server.asked) == 4


def test_a_request_the_server_calls_wrong_is_not_repeated(chat_server):
    chat_server.reply = lambda asked: Answer(status=400, message="context too long")
    reply = dial(chat_server).complete(ask("x"))[0]
    assert (reply.finish_reason, len(chat_server.asked)) == ("error", 1)
    assert "context too long" in reply.error


def test_a_slow_reply_is_given_up_and_asked_again(chat_server):
    chat_server.reply = in_turn([Answer("late", delay=2.0), "in time"])
    assert dial(chat_server, timeout=0.3).complete(ask("x"))[0].text == "in time"


@pytest.mark.parametrize(
    ("answer", "wording"),
    [
        (Answer(status=401, message=f"Incorrect API key provided: {SECRET}"), "OPENAI_API_KEY"),
        (Answer(status=403, message="no access"), "OPENAI_API_KEY"),
        (Answer(status=404, message="The model `tiny` does not exist"), "/v1"),
        (Answer(status=402, message="Payment required"), "credit"),
        (Answer(status=429, code="insufficient_quota", message="quota"), "credit"),
    ],
    ids=["401", "403", "404", "402", "quota"],
)
def test_what_only_the_user_can_mend_is_raised_at_once(chat_server, answer, wording, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    chat_server.reply = lambda asked: answer
    with pytest.raises(PrefkitError) as caught:
        dial(chat_server, concurrency=1).complete(ask(*map(str, range(50))))
    assert wording in caught.value.hint
    assert SECRET not in str(caught.value)
    assert len(chat_server.asked) <= 2


def test_a_single_prompt_that_is_forbidden_does_not_stop_the_others(chat_server):
    forbidden = Answer(status=403, message="flagged")
    chat_server.reply = lambda asked: forbidden if asked.text == "bad" else "fine"
    model = dial(chat_server, concurrency=1)
    replies = model.complete(ask("a", "bad", "b"))
    assert [reply.error for reply in replies] == ["", "HTTP 403: flagged", ""]


def test_an_address_nobody_answers_is_said_soon():
    model = EndpointModel("tiny", base_url="http://127.0.0.1:9/v1", backoff=0.01)
    with pytest.raises(PrefkitError, match="cannot be reached") as caught:
        model.complete(ask("x"))
    assert "--base-url" in caught.value.hint


def test_without_a_key_openai_is_refused_but_an_own_server_is_not(chat_server, monkeypatch):
    with pytest.raises(PrefkitError, match="OPENAI_API_KEY is not set"):
        EndpointModel("gpt")
    assert dial(chat_server).complete(ask("x"))[0].text == "you said: x"
    monkeypatch.setenv("OPENAI_BASE_URL", chat_server.url)
    assert EndpointModel("tiny").complete(ask("y"))[0].text == "you said: y"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://user:pw@host/v1"])
def test_an_address_that_is_none_or_holds_a_password_is_refused(url):
    with pytest.raises(PrefkitError) as caught:
        EndpointModel("tiny", base_url=url)
    assert "pw" not in str(caught.value)


def test_equal_requests_are_asked_once_and_another_process_asks_nothing(chat_server, tmp_path):
    cache = tmp_path / "cache" / "requests.sqlite"
    first = dial(chat_server, cache=cache).complete(ask("a", "b", "a"))
    assert [reply.text for reply in first] == ["you said: a", "you said: b", "you said: a"]
    assert len(chat_server.asked) == 2
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from prefkit.chat import Request, Sampling
        from prefkit.chat.endpoint import EndpointModel
        from prefkit.records import user
        model = EndpointModel("tiny", base_url={chat_server.url!r}, cache=Path({str(cache)!r}))
        for reply in model.complete([Request(user("b")), Request(user("a"))]):
            print(reply.text, reply.cached, reply.completion_tokens)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["you said: b True 3", "you said: a True 3"]
    assert len(chat_server.asked) == 2


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"temperature": 0.5}, {"max_tokens": 7}, {"stop": ("x",)}, {"top_p": 0.5}],
    ids=str,
)
def test_a_request_that_differs_in_anything_is_asked(chat_server, tmp_path, other):
    model = dial(chat_server, cache=tmp_path / "requests.sqlite")
    replies = model.complete([*ask("a"), *ask("a", **other)])
    assert [reply.cached for reply in replies] == [False, False]
    assert len(chat_server.asked) == 2


def test_without_a_cache_every_request_is_asked(chat_server):
    dial(chat_server).complete(ask("a", "a", "a"))
    assert len(chat_server.asked) == 3


def test_failures_are_not_cached(chat_server, tmp_path):
    model = dial(chat_server, cache=tmp_path / "requests.sqlite", tries=1)
    chat_server.reply = in_turn([Answer(status=400), "fine"])
    assert model.complete(ask("x"))[0].finish_reason == "error"
    assert model.complete(ask("x"))[0].text == "fine"


def test_a_damaged_cache_is_one_clear_error(chat_server, tmp_path):
    cache = tmp_path / "requests.sqlite"
    cache.write_bytes(b"this is no database" * 100)
    with pytest.raises(PrefkitError, match="the request cache cannot be used"):
        dial(chat_server, cache=cache).complete(ask("x"))


def test_the_key_is_sent_and_written_nowhere(chat_server, tmp_path, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)

    def echo(asked: Asked) -> str | Answer:
        said = f"your key is {asked.headers['authorization']}"
        return Answer(status=400, message=said) if asked.text == "bad" else said

    chat_server.reply = echo
    model = dial(chat_server, cache=tmp_path / "requests.sqlite")
    fine, bad = model.complete(ask("good", "bad"))
    model.close()
    assert chat_server.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "[key]" in bad.error
    assert SECRET not in fine.text + bad.error + caplog.text
    for path in tmp_path.rglob("*"):
        assert SECRET.encode() not in path.read_bytes()


def test_a_schema_is_asked_for_in_the_strictest_way_the_server_knows(chat_server):
    requests = [Request(user("q"), schema=SCHEMA)]
    for shapes, calls in (
        (["json_schema"], 1),
        (["json_object"], 2),
        ([None], 3),
    ):
        chat_server.reply = obedient({"answer": "42"}, shapes)
        chat_server.asked.clear()
        model = dial(chat_server)
        assert json.loads(model.complete(requests)[0].text) == {"answer": "42"}
        assert len(chat_server.asked) == calls
        model.complete(requests)  # what was learnt is remembered
        assert len(chat_server.asked) == calls + 1
        assert chat_server.asked[-1].shape == shapes[0]


def test_strict_mode_closes_the_schema(chat_server):
    chat_server.reply = obedient({"answer": "42"}, ["json_schema"])
    dial(chat_server).complete([Request(user("q"), schema=SCHEMA)])
    sent = chat_server.asked[0].body["response_format"]["json_schema"]
    assert sent["strict"] is True
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["required"] == ["answer"]
    assert "required" not in SCHEMA


def test_a_server_that_ignores_the_schema_is_told_in_the_prompt(chat_server):
    def deaf(asked: Asked) -> str:
        return '{"answer": "42"}' if "JSON schema" in asked.text else "Well, let me think."

    chat_server.reply = deaf
    model = dial(chat_server)
    replies = model.complete([Request(user("q"), schema=SCHEMA), *ask("no schema")])
    assert replies[0].text == '{"answer": "42"}'
    assert replies[1].text == "Well, let me think."
    assert chat_server.asked[-1].shape is None


def test_a_500_about_the_schema_is_no_passing_failure(chat_server):
    complaint = "Input should be 'text' or 'json_object'"
    chat_server.reply = lambda asked: (
        Answer(status=500, message=complaint) if asked.shape == "json_schema" else '{"answer": "1"}'
    )
    assert dial(chat_server).complete([Request(user("q"), schema=SCHEMA)])[0].error == ""
    assert [asked.shape for asked in chat_server.asked] == ["json_schema", "json_object"]


def test_parameters_the_server_refuses_are_left_out_and_renamed(chat_server):
    def picky(asked: Asked) -> str | Answer:
        if "max_tokens" in asked.body:
            return Answer(
                status=400,
                message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            )
        for name in ("seed", "temperature"):
            if name in asked.body:
                return Answer(status=422, message=f"Extra inputs are not permitted: {name}")
        return "fine"

    chat_server.reply = picky
    model = dial(chat_server)
    assert model.complete(ask("x", max_tokens=9))[0].text == "fine"
    assert chat_server.asked[-1].body["max_completion_tokens"] == 9
    assert len(chat_server.asked) == 4
    assert model.complete(ask("y"))[0].text == "fine"
    assert len(chat_server.asked) == 5


def test_lone_surrogates_in_a_reply_do_not_reach_records(chat_server):
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "stop"}]}'
    chat_server.reply = lambda asked: Answer(raw=body)
    assert dial(chat_server).complete(ask("x"))[0].text == "a?b"


def test_a_model_can_be_closed_and_dials_again(chat_server):
    model = dial(chat_server)
    assert model.complete([]) == []
    model.close()
    model.complete(ask("x"))
    model.close()
    model.close()
    assert model.complete(ask("y"))[0].text == "you said: y"


def test_it_works_inside_a_running_event_loop(chat_server):
    import asyncio

    async def notebook() -> str:
        return dial(chat_server).complete(ask("x"))[0].text

    assert asyncio.run(notebook()) == "you said: x"


def test_ctrl_c_leaves_soon_however_slow_the_server(chat_server, tmp_path: Path):
    chat_server.reply = lambda asked: Answer("late", delay=30)
    script = textwrap.dedent(
        f"""
        import signal
        from prefkit.chat import Request
        from prefkit.chat.endpoint import EndpointModel
        from prefkit.records import user
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        try:
            EndpointModel("tiny", base_url={chat_server.url!r}).complete([Request(user("x"))] * 20)
        except KeyboardInterrupt:
            raise SystemExit(130)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not chat_server.asked and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    try:
        _, talk = process.communicate(timeout=20)  # sooner than the server answers
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"Ctrl-C leaves at once" in talk
    assert b"Traceback" not in talk
