"""What servers do wrong, one row a fault, over a real connection."""

import dataclasses
import json
from typing import Any

import pytest
from chat_server import Answer, Asked, ChatServer, Script, in_turn

from prefkit.chat import Reply, Request, Sampling
from prefkit.chat.endpoint import EndpointModel
from prefkit.errors import PrefkitError
from prefkit.records import user

PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
OBJECT = '{"answer": "noon"}'
FENCED = f"```json\n{OBJECT}\n```"


def body(content: Any = "fine", **more: Any) -> bytes:
    """A chat completion, which may lack or hold anything."""
    message = {"role": "assistant", "content": content} | more.pop("message", {})
    choice = {"index": 0, "message": message, "finish_reason": more.pop("finish_reason", "stop")}
    usage = more.pop("usage", {"prompt_tokens": 1, "completion_tokens": 1})
    value = {"choices": [choice], **({"usage": usage} if usage else {}), **more}
    return json.dumps(value, ensure_ascii=False).encode()


def then_fine(*trouble: Answer) -> Script:
    return in_turn([*trouble, "fine"])


@dataclasses.dataclass(frozen=True)
class Fault:
    """A server's script; what comes of it; how often it was asked; the request, if special."""

    script: Script
    text: str = "fine"
    error: str = ""
    raises: str = ""
    calls: int = 1
    schema: bool = False
    also: tuple[tuple[str, object], ...] = ()


def only(**answer: Any) -> Script:
    return lambda asked: Answer(**answer)


FAULTS = {
    "429": Fault(then_fine(Answer(status=429)), calls=2),
    "429 with Retry-After": Fault(
        then_fine(Answer(status=429, headers={"Retry-After": "0.1"})), calls=2
    ),
    "429 with a date that is past": Fault(
        then_fine(Answer(status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})),
        calls=2,
    ),
    "429 with nonsense to wait for": Fault(
        then_fine(Answer(status=429, headers={"Retry-After": "soon"})), calls=2
    ),
    "429 for ever": Fault(only(status=429), "", error="HTTP 429", calls=4),
    "500": Fault(then_fine(Answer(status=500)), calls=2),
    "503": Fault(then_fine(Answer(status=503, headers={"Retry-After": "0.1"})), calls=2),
    "529": Fault(then_fine(Answer(status=529)), calls=2),
    "hangs": Fault(then_fine(Answer("late", delay=3)), calls=2),
    "closes before answering": Fault(then_fine(Answer(drop=True)), calls=2),
    "closes in the middle": Fault(then_fine(Answer("half of it", cut=True)), calls=2),
    "truncated JSON": Fault(then_fine(Answer(raw=body()[:40])), calls=2),
    "an HTML page with 200": Fault(then_fine(Answer(raw=PAGE)), calls=2),
    "an HTML page with 502": Fault(then_fine(Answer(status=502, raw=PAGE)), calls=2),
    "an error with 200": Fault(then_fine(Answer(raw=b'{"error": {"message": "x"}}')), calls=2),
    "an empty body": Fault(then_fine(Answer(raw=b"")), calls=2),
    "JSON that is no object": Fault(then_fine(Answer(raw=b"[1]")), calls=2),
    "empty choices": Fault(then_fine(Answer(raw=b'{"choices": []}')), calls=2),
    "empty choices for ever": Fault(
        only(raw=b'{"choices": []}'), "", error="holds no choice", calls=4
    ),
    "content that is a list": Fault(
        only(raw=body([{"type": "text", "text": "x"}])), "", error="not text", calls=4
    ),
    "null content": Fault(only(raw=body(None)), ""),
    "a refusal": Fault(
        only(raw=body(None, message={"refusal": "I will not."})),
        "",
        also=(("finish_reason", "refusal"),),
    ),
    "a content filter": Fault(
        only(raw=body("", finish_reason="content_filter")),
        "",
        also=(("finish_reason", "content_filter"),),
    ),
    "cut off": Fault(
        only(raw=body("At no", finish_reason="length")),
        "At no",
        also=(("finish_reason", "length"),),
    ),
    "no finish reason": Fault(
        only(raw=body(finish_reason=None)), also=(("finish_reason", "stop"),)
    ),
    "no token counts": Fault(
        only(raw=body(usage=None)),
        also=(("counted", False), ("prompt_tokens", 0), ("usd", None)),
    ),
    "token counts that are none": Fault(
        only(raw=body(usage={"prompt_tokens": None, "completion_tokens": "7"})),
        also=(("counted", False), ("usd", None)),
    ),
    "fields nobody knows": Fault(only(raw=body(citations=[{"a": 1}], x=None))),
    "10 MB": Fault(only(raw=body("tide " * 2_100_000)), "", error="too large: 10.0 MB"),
    "invalid UTF-8": Fault(
        only(raw=body("caf_").replace(b"_", b"\xe9")), "", error="not UTF-8", calls=4
    ),
    "a redirect": Fault(
        only(status=307, headers={"Location": "http://elsewhere.example/v1"}),
        raises="moved to http://elsewhere.example/v1",
    ),
    "a wrong key": Fault(only(status=401, message="Incorrect API key"), raises="HTTP 401"),
    "an unknown model": Fault(only(status=404, message="no such model"), raises="HTTP 404"),
    "no credit": Fault(only(status=429, code="insufficient_quota"), raises="HTTP 429"),
    "a prompt it does not take": Fault(
        only(status=400, message="maximum context length is 4096"), "", error="context length"
    ),
    "fenced JSON": Fault(
        only(text=f"```json\n{OBJECT}\n```"), f"```json\n{OBJECT}\n```", schema=True
    ),
    "prose around JSON": Fault(  # asked again in words; then it is for the caller to find
        only(text=f"Sure! {OBJECT}"), f"Sure! {OBJECT}", calls=2, schema=True
    ),
    "the wrong language": Fault(only(text="Um zwölf Uhr."), "Um zwölf Uhr."),  # left to the checks
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_its_own_request_at_most(chat_server: ChatServer, tmp_path, name: str):
    fault = FAULTS[name]
    chat_server.reply = fault.script
    model = EndpointModel(
        "tiny",
        base_url=chat_server.url,
        cache=tmp_path / "requests.sqlite",
        prices={"tiny": (1, 1)},
        tries=4,
        timeout=1.0,
        backoff=0.01,
    )
    request = Request(user("q"), Sampling(), SCHEMA if fault.schema else None)
    if fault.raises:
        with pytest.raises(PrefkitError, match=fault.raises) as caught:
            model.complete([request])
        assert caught.value.hint
        return
    reply = model.complete([request])[0]
    assert reply.text == fault.text
    assert fault.error in reply.error
    assert bool(reply.error) == bool(fault.error)
    assert len(chat_server.asked) == fault.calls
    for field, value in fault.also:
        assert getattr(reply, field) == value
    again = model.complete([request])[0]  # what came well is never asked again
    assert again.cached == (not fault.error)
    model.close()


def test_one_bad_request_among_many_leaves_the_others_alone(chat_server):
    def script(asked: Asked) -> str | Answer:
        return Answer(raw=PAGE) if asked.text == "7" else asked.text

    chat_server.reply = script
    model = EndpointModel("tiny", base_url=chat_server.url, tries=2, backoff=0.01)
    replies: list[Reply] = model.complete([Request(user(str(n))) for n in range(20)])
    assert [reply.text for reply in replies] == [str(n) if n != 7 else "" for n in range(20)]
    assert [bool(reply.error) for reply in replies] == [n == 7 for n in range(20)]
    model.close()


def test_without_a_key_a_server_that_wants_one_says_so(chat_server):
    def guarded(asked: Asked) -> str | Answer:
        known = asked.headers["authorization"] == "Bearer sk-right"
        return "fine" if known else Answer(status=401, message="You need a key")

    chat_server.reply = guarded
    model = EndpointModel("tiny", base_url=chat_server.url)
    with pytest.raises(PrefkitError, match="You need a key") as caught:
        model.complete([Request(user("x"))])
    assert "OPENAI_API_KEY" in caught.value.hint
    model.close()
