"""A scripted OpenAI-compatible chat server on loopback, for tests.

    def test_something(chat_server):
        chat_server.reply = lambda asked: f"you said {asked.text}"
        model = EndpointModel("tiny", base_url=chat_server.url)

A script returns a text, or an `Answer` that fails, drips, breaks off or babbles. What was asked is
kept in `chat_server.asked`; but for the probes of `prefkit.chat.probe`, which are answered as a
server does that enforces schemas, unless `chat_server.answers_probes` is False.
"""

import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from prefkit.chat.probe import PROMPT

PROBE = PROMPT.read_text(encoding="utf-8").strip()


@dataclasses.dataclass(frozen=True)
class Asked:
    """One chat completion request, as it arrived; `number` counts from 0."""

    number: int
    body: dict[str, Any]
    headers: dict[str, str]
    at: float

    @property
    def text(self) -> str:
        """The last message."""
        return self.body["messages"][-1]["content"]

    @property
    def shape(self) -> str | None:
        """The type in `response_format`."""
        return (self.body.get("response_format") or {}).get("type")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to send: a completion unless `status` or `raw` says otherwise."""

    text: str | None = ""
    finish_reason: str = "stop"
    status: int = 200
    message: str = "scripted failure"
    code: str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    raw: bytes | None = None
    delay: float = 0.0
    drop: bool = False
    cut: bool = False  # hang up in the middle of the body

    def payload(self, asked: Asked) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            error = {"message": self.message, "type": "scripted", "code": self.code}
            return json.dumps({"error": error}).encode()
        words = len(asked.text.split()), len((self.text or "").split())
        return json.dumps(
            {
                "id": f"reply-{asked.number}",
                "object": "chat.completion",
                "created": 0,
                "model": asked.body.get("model", ""),
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": self.text},
                        "finish_reason": self.finish_reason,
                    }
                ],
                "usage": {
                    "prompt_tokens": words[0],
                    "completion_tokens": words[1],
                    "total_tokens": sum(words),
                },
            }
        ).encode()


Script = Callable[[Asked], str | Answer]


def in_turn(answers: Sequence[str | Answer]) -> Script:
    """The first request gets the first answer, and so on; the last answer repeats."""
    return lambda asked: answers[min(asked.number, len(answers) - 1)]


def obedient(schema_answer: Mapping[str, Any], shapes: Sequence[str | None]) -> Script:
    """A server that knows only some `response_format` types and answers 400 to the others."""

    def script(asked: Asked) -> str | Answer:
        if asked.shape not in shapes:
            return Answer(status=400, message=f"response_format {asked.shape} is not supported")
        return json.dumps(schema_answer)

    return script


def _to_probe(body: dict[str, Any]) -> Answer:
    schema = body["response_format"]["json_schema"]["schema"]
    return Answer(json.dumps({"code": schema["properties"]["code"]["enum"][0]}))


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is part of the tests."""


class ChatServer:
    """Serves `/v1/chat/completions` (and `/v1/models`) from a thread until closed.

    Attributes:
        url: What to give as base_url.
        reply: The script; replace it at will.
        asked: Every request so far, in order of arrival.
        most_at_once: Most requests that were in flight together.
        answers_probes: Whether probes are answered here and not by the script.
    """

    def __init__(self, reply: Script | None = None) -> None:
        self.reply: Script = reply or (lambda asked: f"you said: {asked.text}")
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.answers_probes = True
        self._at_once = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take(self, body: dict[str, Any], headers: Mapping[str, str]) -> Asked:
        with self._lock:
            lower = {name.lower(): value for name, value in headers.items()}
            asked = Asked(len(self.asked), body, lower, time.monotonic())
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        return asked

    def _answer(self, asked: Asked) -> Answer:
        try:
            said = self.reply(asked)
            answer = said if isinstance(said, Answer) else Answer(said)
            self._closing.wait(answer.delay)
            return answer
        finally:
            with self._lock:
                self._at_once -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                listing = {"object": "list", "data": [{"id": "tiny", "object": "model"}]}
                self._send(200, {}, json.dumps(listing).encode())

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length))
                if server.answers_probes and body["messages"][-1]["content"] == PROBE:
                    self._send(200, {}, _to_probe(body).payload(Asked(0, body, {}, 0.0)))
                    return
                asked = server._take(body, dict(self.headers))
                answer = server._answer(asked)
                if answer.drop:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self._send(answer.status, answer.headers, answer.payload(asked), answer.cut)

            def _send(
                self, status: int, headers: Mapping[str, str], body: bytes, cut: bool = False
            ) -> None:
                with contextlib.suppress(ConnectionError):  # the client hung up: its right
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2] if cut else body)
                if cut:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
