"""OpenAI's batch API: half the price, ready within a day.

Whoever asks waits until the batch with its requests is done, so a stage need not know: `ahead`
lets many units wait side by side, and what they ask becomes one batch. The replies go into the
same cache as all others. A batch is noted before it is made; a run that is killed finds it again.
"""

import dataclasses
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from prefkit.chat.batch_jobs import BatchJobs, Line
from prefkit.chat.budget import Budget, Hold
from prefkit.chat.endpoint import EndpointModel
from prefkit.chat.protocol import Reply, Request
from prefkit.chat.reading import Body, key_of, parsed, replies_of, usage_of
from prefkit.chat.replies import Paid, ReplyCache
from prefkit.chat.throttle import Stopped
from prefkit.errors import PrefkitError

log = logging.getLogger(__name__)

QUIET: Final = 1.0  # seconds without a new request: then those that wait become a batch
MOST: Final = 20_000  # requests in a batch; OpenAI takes 50,000 in 200 MB
POLL: Final = 5.0  # seconds between looks at a batch at first; they grow to LONGEST_POLL


@dataclasses.dataclass(frozen=True)
class _Wanted:
    key: str
    request: Request
    answer: "Future[Body | str]"  # the completion, or why there is none


class BatchModel:
    """A model behind an endpoint that takes batches; see `EndpointModel`.

    Attributes:
        name: The model, as the endpoint calls it.
        device: The endpoint's host.
        structured: True.
        concurrency: How many requests may wait for a batch at a time.
        budget: What is spent, and may be.
    """

    structured = True

    def __init__(
        self,
        name: str,
        *,
        cache: Path | None,
        base_url: str | None = None,
        budget: Budget | None = None,
        probes: bool = False,
        quiet: float = QUIET,
        poll: float = POLL,
    ) -> None:
        """Prepare to talk; nothing is sent yet.

        Args:
            name: The model, as the endpoint calls it.
            cache: SQLite file of replies and of batches that are not done.
            base_url: The endpoint; `OPENAI_BASE_URL`, else OpenAI's, when not given.
            budget: What may be spent, with its own prices.
            probes: Find out first how the server can be made to answer in JSON.
            quiet: Seconds without a new request after which a batch is made.
            poll: Seconds between looks at a batch, at first.

        Raises:
            PrefkitError: The address is not one, there is no key for OpenAI, or no cache.
        """
        if cache is None:
            raise PrefkitError(
                "A batch needs a workspace to keep its replies in.",
                hint="Make one with `prefkit init`, or ask without --batch.",
            )
        self._direct = EndpointModel(
            name, base_url=base_url, cache=cache, budget=budget, probes=probes
        )
        self.name, self.device = name, self._direct.device
        self.budget = self._direct.budget
        self.concurrency = MOST
        self._price = self.budget.price(name)
        self._cache = ReplyCache(cache)
        self._quiet = quiet
        self._jobs = BatchJobs(self._direct.address, name, self._cache.store, poll)
        self._wanted: list[_Wanted] = []
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._stopped = False

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order, when their batch is done.

        Raises:
            PrefkitError: The batch failed or expired, or the budget is reached.
        """
        url = self._direct.address.url
        keys = [key_of(url, self.name, request) for request in requests]
        stored = {key: self._cache.get(key) for key in keys}
        missing = [_Wanted(k, r, Future()) for k, r in zip(keys, requests, strict=True)]
        waiting = {one.key: one for one in missing if stored[one.key] is None}
        with self._changed:
            self._stopped = False
            self._wanted += waiting.values()
            self._changed.notify()
            if waiting and self._worker is None:
                self._worker = threading.Thread(
                    target=self._work, name="prefkit-batch", daemon=True
                )
                self._worker.start()
        said: dict[str, Body | str] = {key: one.answer.result() for key, one in waiting.items()}
        said |= {key: json.loads(body) for key, body in stored.items() if body is not None}
        return [self._reply(said[key], cached=key not in waiting) for key in keys]

    def wind_down(self, seconds: float = 0.0) -> None:
        """Stop waiting; a batch that was made goes on at the server, and is found again."""
        with self._changed:
            self._stopped = True
            wanted, self._wanted = self._wanted, []
        self._jobs.stop()
        for one in wanted:
            one.answer.set_exception(Stopped())
        worker = self._worker
        if worker is not None:
            worker.join(timeout=5)
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._jobs.close()
        self._direct.close()
        self._cache.close()

    def _reply(self, said: Body | str, *, cached: bool) -> Reply:
        if isinstance(said, str):
            return Reply("", "error", error=said)
        return replies_of(said, self._price, cached=cached)[0]

    def _work(self) -> None:
        """Make batches of what is wanted until nothing is."""
        while wanted := self._collect():
            try:
                self._answer(wanted)
            except BaseException as error:  # raised where the answers are waited for
                for one in wanted:
                    if not one.answer.done():
                        one.answer.set_exception(error)

    def _collect(self) -> list[_Wanted]:
        with self._changed:
            before = -1
            while before != len(self._wanted) < MOST and not self._stopped:
                before = len(self._wanted)
                self._changed.wait(self._quiet)
            wanted, self._wanted = self._wanted[:MOST], self._wanted[MOST:]
            if not wanted:
                self._worker = None
        return wanted

    def _answer(self, wanted: Sequence[_Wanted]) -> None:
        by_key: dict[str, list[_Wanted]] = {}
        for one in wanted:
            by_key.setdefault(one.key, []).append(one)
        for job in self._jobs.unfinished(by_key):
            self._take_in(job, by_key)
        while by_key:
            if any(group[0].request.schema is not None for group in by_key.values()):
                self._direct.find_out()
            lines, hold = self._affordable(by_key)
            try:
                self._take_in(self._jobs.begin(lines), by_key)
            finally:
                self.budget.release(hold)

    def _affordable(self, by_key: Mapping[str, Sequence[_Wanted]]) -> tuple[list[Line], Hold]:
        """As many requests as the budget can pay for at worst."""
        lines: list[Line] = []
        total = Hold(0, 0.0)
        for key, group in by_key.items():
            payload = self._direct.dialect.payload(self.name, group[0].request)
            most = group[0].request.sampling.max_tokens
            hold = total + self.budget.worst(self.name, payload, most)
            if not self.budget.fits(hold):
                if not lines:
                    raise self.budget.reached(hold)
                break
            lines.append(Line(key, payload))
            total = hold
        self.budget.hold(total)
        return lines, total

    def _take_in(self, job: str, by_key: dict[str, list[_Wanted]]) -> None:
        """Wait for a batch; keep its replies, then hand them out."""
        outcome = self._jobs.wait(job)
        paid, said = [], {}
        for key, (body, failure) in outcome.lines.items():
            value = parsed(body) if failure is None else failure
            usage = usage_of(value) or (0, 0)
            if isinstance(value, dict):
                host, run = self.device, self.budget.run
                paid.append(Paid(host, self.name, key, body, run, *usage))
                self.budget.pay(self.name, *usage)
            said[key] = value
        self._cache.put(paid)
        self._jobs.forget(job)
        for key, value in said.items():
            group = by_key.get(key)
            if group is None:
                continue
            if not isinstance(value, dict) and self._direct.learn(group[0].request, value):
                continue  # asked again in another way
            del by_key[key]
            for one in group:
                one.answer.set_result(value if isinstance(value, dict) else value.text)
        if outcome.problem:
            raise PrefkitError(
                f"Batch {job} at {self.device} {outcome.problem}; {len(paid)} replies came and "
                "are kept.",
                hint="Go on with the same command and `--resume last`: what is missing is asked "
                "in a new batch.",
            )
