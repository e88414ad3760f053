"""Which way of asking for JSON a server really enforces, found out before it matters.

Servers take `response_format` with HTTP 200 and disregard it: `transformers serve`, Ollama's cloud,
vLLM with fields it does not know. So each way is tried once, strongest first, with a schema whose
only value nobody can guess: a reply that holds it proves that the schema was enforced.
"""

import dataclasses
import datetime
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from prefkit.chat.dialect import Shape
from prefkit.chat.protocol import Reply, Request, Sampling
from prefkit.chat.store import Store
from prefkit.records import user

log = logging.getLogger(__name__)

PROMPT: Final = Path(__file__).with_name("probe.txt")
PROVABLE: Final[tuple[Shape, ...]] = ("json_schema", "json_object_schema", "json_object")
TOKENS: Final = 64
DAYS: Final = 30  # that a finding stands: servers are updated

Ask = Callable[[Request, Shape], Awaitable[Reply]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a probe found.

    Attributes:
        shape: The strongest way that works.
        found: What came of each way that was tried: enforced, ignored, refused or unclear.
        day: When, as ISO date.
    """

    shape: Shape
    found: dict[str, str]
    day: str

    @property
    def enforced(self) -> bool:
        """Whether replies are sure to be JSON, unless they are cut off or refused."""
        return self.found.get(self.shape) == "enforced"

    def words(self) -> str:
        """The finding for a log."""
        tried = ", ".join(f"{shape} {outcome}" for shape, outcome in self.found.items())
        return f"asks for JSON by {self.shape} ({tried}; probed {self.day})"


async def probe(ask: Ask) -> Finding:
    """Try each way once, strongest first, until one is enforced.

    A reply that was cut off before it said anything proves nothing either way: then the strongest
    such way is taken, and every reply is looked at as before.
    """
    found: dict[str, str] = {}
    for shape in PROVABLE:
        code = secrets.token_hex(4)
        found[shape] = _outcome(await ask(_request(code), shape), shape, code)
        if found[shape] == "enforced":
            break
    best = next((shape for shape in PROVABLE if found.get(shape) == "enforced"), None)
    unclear = next((shape for shape in PROVABLE if found.get(shape) == "unclear"), None)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Finding(best or unclear or "prompt", found, today)


def _request(code: str) -> Request:
    schema = {"type": "object", "properties": {"code": {"type": "string", "enum": [code]}}}
    prompt = PROMPT.read_text(encoding="utf-8").strip()
    return Request(user(prompt), Sampling(max_tokens=TOKENS), schema)


def _outcome(reply: Reply, shape: Shape, code: str) -> str:
    if reply.error:
        return "refused"
    said = "".join(reply.text.split())
    if not said and reply.finish_reason == "length":  # a model that thinks first
        return "unclear"
    if shape != "json_object":
        due = json.dumps({"code": code}, separators=(",", ":"))
        whole = said == due or (reply.finish_reason == "length" and due.startswith(said))
        return "enforced" if whole else "ignored"
    if reply.finish_reason == "length":
        return "unclear" if said.startswith("{") else "ignored"
    try:
        return "enforced" if isinstance(json.loads(reply.text), dict) else "ignored"
    except (ValueError, RecursionError):
        return "ignored"


def recall(store: Store, endpoint: str, model: str) -> Finding | None:
    """What an earlier probe found, unless it is too old."""
    rows = store.ask(
        "SELECT shape, found, day FROM probes WHERE endpoint = ? AND model = ?", endpoint, model
    )
    if not rows:
        return None
    shape, found, day = rows[0]
    age = datetime.datetime.now(datetime.UTC).date() - datetime.date.fromisoformat(day)
    return Finding(shape, json.loads(found), day) if age.days <= DAYS else None


def remember(store: Store, endpoint: str, model: str, finding: Finding) -> None:
    """Keep a finding for other runs."""
    values = (endpoint, model, finding.shape, json.dumps(finding.found), finding.day)
    store.change([("INSERT OR REPLACE INTO probes VALUES (?, ?, ?, ?, ?)", values)])
