"""A scripted server of OpenAI's files and batches on loopback, for tests.

A batch passes through `stages` one look at a time, and then ends as the last of them says. What
was uploaded lies in `files`, what was made in `batches`.
"""

import json
import re
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Reply = str | tuple[int, str]  # a completion, or a status and what is wrong


class BatchServer:
    """Serves `/v1/files` and `/v1/batches` from a thread until closed.

    Attributes:
        url: What to give as base_url.
        reply: From the body of a request of a batch to its completion.
        stages: States that a batch shows, one a look; the last one stays.
        unanswered: Keys that an expired batch has no reply for.
        busy: Answer so many requests with 503 before working.
        files: What was uploaded, by id.
        batches: What was made, by id.
    """

    def __init__(self) -> None:
        self.reply: Callable[[dict[str, Any]], Reply] = lambda body: "fine"
        self.stages: Sequence[str] = ("validating", "in_progress", "completed")
        self.unanswered: Callable[[int], bool] = lambda number: False
        self.busy = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of all requests of all batches."""
        inputs = [self.files[batch["input_file_id"]] for batch in self.batches.values()]
        return [json.loads(line)["body"] for file in inputs for line in file.splitlines()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def upload(self, content: bytes) -> dict[str, Any]:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "created_at": 0} | {
            "filename": "x.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def make(self, wanted: dict[str, Any]) -> dict[str, Any]:
        name = f"batch-{len(self.batches)}"
        self.batches[name] = wanted | {"looks": 0}
        return self.look(name, count=False)

    def look(self, name: str, *, count: bool = True) -> dict[str, Any]:
        batch = self.batches[name]
        status = self.stages[min(batch["looks"], len(self.stages) - 1)]
        batch["looks"] += count
        shown = {name_: batch[name_] for name_ in ("input_file_id", "endpoint", "metadata")}
        shown |= {"id": name, "object": "batch", "created_at": 0, "status": status}
        shown |= {"completion_window": "24h"}
        if status in ("completed", "expired") and "output" not in batch:
            self._work(batch)
        if status == "failed":
            problem = {"code": "invalid", "message": "line 1 is no request", "line": 1}
            shown |= {"errors": {"object": "list", "data": [problem]}}
        return shown | batch.get("output", {})

    def _work(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for number, line in enumerate(self.files[batch["input_file_id"]].splitlines()):
            asked = json.loads(line)
            said = {"id": f"r-{number}", "custom_id": asked["custom_id"], "error": None}
            if self.unanswered(number):
                error = {"code": "batch_expired", "message": "This request was not executed."}
                bad.append(said | {"response": None, "error": error})
                continue
            reply = self.reply(asked["body"])
            if isinstance(reply, str):
                message = {"role": "assistant", "content": reply}
                body = {
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 10, "completion_tokens": 2},
                }
                good.append(said | {"response": {"status_code": 200, "body": body}})
            else:
                error = {"error": {"message": reply[1], "type": "invalid_request_error"}}
                bad.append(said | {"response": {"status_code": reply[0], "body": error}})
        batch["output"] = {}
        for field, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                content = "\n".join(map(json.dumps, lines)).encode()
                batch["output"][field] = self.upload(content)["id"]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                if found := re.fullmatch(r"/v1/batches/(batch-\d+)", self.path):
                    self._send(server.look(found[1]))
                elif found := re.fullmatch(r"/v1/files/(file-\d+)/content", self.path):
                    self._send(server.files[found[1]])
                else:
                    listed = [server.look(name, count=False) for name in server.batches]
                    self._send({"object": "list", "data": listed, "has_more": False})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/batches":
                    self._send(server.make(json.loads(body)))
                    return
                boundary = self.headers["Content-Type"].split("boundary=")[1].encode()
                parts = body.split(b"--" + boundary)
                part = next(part for part in parts if b"filename=" in part)
                content = part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
                self._send(server.upload(content))

            def _send(self, value: bytes | dict[str, Any]) -> None:
                status, body = (
                    200,
                    value if isinstance(value, bytes) else json.dumps(value).encode(),
                )
                if server.busy:
                    server.busy -= 1
                    status, body = 503, b"{}"
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
