"""Batches at an endpoint: written, uploaded, made, looked at, fetched, and found again."""

import dataclasses
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

from prefkit import console
from prefkit.chat.failures import Failure, failure_of, redacted
from prefkit.chat.line import NO_KEY, Address, Patience
from prefkit.chat.store import Store
from prefkit.chat.throttle import Stopped
from prefkit.errors import PrefkitError

log = logging.getLogger(__name__)

Value = TypeVar("Value")

ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
MARK: Final = "prefkit"  # the metadata by which a batch is known again
LONGEST_POLL: Final = 60.0
GROW: Final = 1.5
DONE: Final = ("completed", "failed", "expired", "cancelled")


@dataclasses.dataclass(frozen=True)
class Line:
    """One request of a batch: the key of its reply, and what is sent."""

    key: str
    payload: dict[str, Any]  # JSON values

    def text(self) -> str:
        """The line in the file that is uploaded."""
        body = {"custom_id": self.key, "method": "POST", "url": ENDPOINT, "body": self.payload}
        return json.dumps(body, ensure_ascii=False) + "\n"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a batch.

    Attributes:
        lines: By key, the raw reply or why there is none.
        problem: Why the batch as a whole is not complete; empty when it is.
    """

    lines: dict[str, tuple[str, Failure | None]]
    problem: str = ""


class BatchJobs:
    """The batches of one model; those that are not done are noted in the store."""

    def __init__(self, address: Address, model: str, store: Store, poll: float) -> None:
        self._address, self._model, self._store, self._poll = address, model, store, poll
        self._patience = Patience(model, address.host)
        self._stopping = threading.Event()
        self._client: Any = None  # openai.OpenAI

    def unfinished(self, keys: Collection[str]) -> list[str]:
        """Ids of batches that an earlier attempt made for some of these keys and never fetched."""
        rows = self._store.ask(
            "SELECT mark, id, keys FROM batches WHERE endpoint = ? AND model = ? AND open = 1",
            self._address.url,
            self._model,
        )
        found = []
        for mark, job, asked in rows:
            if not set(json.loads(asked)) & set(keys):
                continue
            job = job or self._adopted(mark)
            if job:
                found.append(job)
                console.say(f"batch {job} was made by an earlier attempt: waiting for it")
        return found

    def _adopted(self, mark: str) -> str:
        """The id of a batch that was made in the instant before the run was killed."""
        for job in self._try(lambda client: client.batches.list(limit=100)).data:
            if (job.metadata or {}).get(MARK) == mark:
                self._change("UPDATE batches SET id = ? WHERE mark = ?", job.id, mark)
                return job.id
        self._change("DELETE FROM batches WHERE mark = ?", mark)
        return ""

    def begin(self, lines: Sequence[Line]) -> str:
        """Make a batch; returns its id. It is noted before it is made."""
        keys = json.dumps([line.key for line in lines])
        rows = self._store.ask("SELECT COUNT(*) FROM batches")
        mark = hashlib.sha256(f"{rows[0][0]} {keys}".encode()).hexdigest()[:32]
        values = (mark, self._address.url, self._model, "", keys, 1)
        self._change("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?)", *values)
        content = "".join(line.text() for line in lines).encode(errors="replace")
        named = (f"prefkit-{mark}.jsonl", content)
        file = self._try(lambda client: client.files.create(file=named, purpose="batch"))
        job = self._try(
            lambda client: client.batches.create(
                input_file_id=file.id,
                endpoint=ENDPOINT,
                completion_window=WINDOW,
                metadata={MARK: mark},
            )
        )
        self._change("UPDATE batches SET id = ? WHERE mark = ?", job.id, mark)
        log.info("batch %s of %d requests at %s", job.id, len(lines), self._address.host)
        console.say(f"batch {job.id}: {len(lines)} requests; Ctrl-C leaves it at the server")
        return job.id

    def wait(self, job: str) -> Outcome:
        """What became of a batch, when it is done.

        Raises:
            Stopped: `stop` was called.
            PrefkitError: The server does not answer.
        """
        pause = self._poll
        while (batch := self._try(lambda c: c.batches.retrieve(job))).status not in DONE:
            log.info("batch %s: %s, %s", job, batch.status, batch.request_counts)
            if self._stopping.wait(pause):
                raise Stopped
            pause = min(LONGEST_POLL, GROW * pause)
        lines: dict[str, tuple[str, Failure | None]] = {}
        for file in (batch.error_file_id, batch.output_file_id):
            if file:
                lines |= self._fetched(file)
        problem = "" if batch.status == "completed" else batch.status
        if batch.errors and batch.errors.data:
            said = "; ".join(f"{error.message}" for error in batch.errors.data[:3])
            problem += f": {redacted(said, self._address.key)[:500]}"
        if problem:
            lines = {key: line for key, line in lines.items() if line[1] is None}
        return Outcome(lines, problem)

    def _fetched(self, file: str) -> dict[str, tuple[str, Failure | None]]:
        content = self._try(lambda client: client.files.content(file).content)
        lines = {}
        for text in redacted(content.decode(errors="replace"), self._address.key).splitlines():
            try:
                value = json.loads(text)
                lines[value["custom_id"]] = _answer_of(value)
            except (ValueError, KeyError, TypeError, AttributeError):
                log.warning("batch file %s: a line cannot be read: %.200s", file, text)
        return lines

    def forget(self, job: str) -> None:
        """Note that a batch was fetched."""
        self._change("UPDATE batches SET open = 0 WHERE id = ?", job)

    def stop(self) -> None:
        """End all waiting."""
        self._stopping.set()

    def close(self) -> None:
        """Hang up; a later call dials again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._stopping.clear()

    def _change(self, statement: str, *values: Any) -> None:  # SQLite values
        self._store.change([(statement, values)])

    def _try(self, call: Callable[[Any], Value]) -> Value:  # takes an openai.OpenAI
        """Do something at the server, again when it fails for a passing reason."""
        import openai

        if self._client is None:
            self._client = openai.OpenAI(
                api_key=self._address.key or NO_KEY,
                base_url=self._address.url,
                max_retries=0,
                http_client=openai.DefaultHttpxClient(follow_redirects=False),
            )
        failures = 0
        while True:
            try:
                value = call(self._client)
            except openai.OpenAIError as error:
                failure = failure_of(error, self._address.key)
            else:
                self._patience.reached = self._patience.worked = True
                return value
            self._patience.reached |= failure.answered
            failures += 1
            pause = self._patience.pause(failure, failures)
            if pause is None:
                raise PrefkitError(
                    f"{self._model} at {self._address.host}: {failure.text}",
                    hint="Does this server speak the batch API? Ask without --batch if not.",
                )
            if self._stopping.wait(pause):
                raise Stopped


def _answer_of(value: dict[str, Any]) -> tuple[str, Failure | None]:  # JSON
    """The raw reply in a line of a batch's files, or why there is none."""
    response, error = value.get("response") or {}, value.get("error")
    body = response.get("body")
    if response.get("status_code") == 200 and body:
        return json.dumps(body), None
    said = error or (body or {}).get("error") or body or "no reply"
    text = said.get("message") or str(said) if isinstance(said, dict) else str(said)
    status = response.get("status_code")
    failure = Failure(f"HTTP {status}: {text}" if status else str(text), complaint=str(said))
    return "", failure
