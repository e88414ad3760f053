"""What a run may spend, and has spent: reserved before a request is sent, settled after."""

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from prefkit.errors import EXIT_USAGE, PrefkitError

TEMPLATE: Final = 128  # prompt tokens a chat template may add by itself
AGAIN: Final = 0.02  # seconds between looks at whether others have settled


class BudgetReached(PrefkitError):
    """The next request could cost more than is left."""


@dataclasses.dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Dollars for so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclasses.dataclass(frozen=True)
class Hold:
    """The most that one request in flight can cost."""

    tokens: int
    usd: float

    def __add__(self, other: "Hold") -> "Hold":
        return Hold(self.tokens + other.tokens, self.usd + other.usd)


class Budget:
    """Counts what a run spends and keeps it within what was allowed.

    Before a request is sent the most it can cost is set aside: no tokenizer makes more tokens than
    there are bytes, and no completion is longer than asked for. So the limits hold whatever comes
    back, unless a server disregards `max_tokens`. A request that was sent and never answered
    counts with all that was set aside: it may be billed.

    Attributes:
        run: Under which name the spending is stored.
        max_usd: Most dollars.
        max_tokens: Most tokens, prompts and completions together.
        calls: Calls paid for, in earlier attempts too.
        prompt_tokens: Tokens of their prompts.
        completion_tokens: Tokens of their completions.
        usd: Dollars, as far as prices are known.
        unpriced: Models asked whose price is not known.
    """

    def __init__(
        self,
        run: str = "",
        *,
        max_usd: float | None = None,
        max_tokens: int | None = None,
        prices: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.run = run
        self.max_usd, self.max_tokens = max_usd, max_tokens
        self.calls = self.prompt_tokens = self.completion_tokens = 0
        self.usd = 0.0
        self.unpriced: set[str] = set()
        self._prices = {name: Price(*pair) for name, pair in (prices or {}).items()}
        self._held_tokens, self._held_usd, self._holds = 0, 0.0, 0
        self._lock = threading.Lock()
        self._began, self._calls_before = time.monotonic(), 0

    @property
    def limited(self) -> bool:
        """Whether there is a limit to keep."""
        return self.max_usd is not None or self.max_tokens is not None

    def price(self, model: str) -> Price | None:
        """What a model costs; None when it is not known."""
        return self._prices.get(model)

    def take_over(self, spent: Iterable[tuple[str, int, int, int]]) -> None:
        """Count what earlier attempts spent: model, calls, prompt and completion tokens."""
        for model, calls, prompt, completion in spent:
            self._add(model, calls, prompt, completion)
        self._calls_before = self.calls

    async def reserve(self, model: str, payload: Mapping[str, Any], most: int) -> Hold:  # JSON
        """Set aside the most a request can cost, waiting for others to settle if need be.

        Args:
            model: Who is asked.
            payload: What is sent.
            most: Longest completion, in tokens, times the completions.

        Raises:
            BudgetReached: Not even alone does it fit into what is left.
        """
        hold = self.worst(model, payload, most)
        while not self.hold(hold):
            if not self._holds:
                raise self.reached(hold)
            await asyncio.sleep(AGAIN)
        return hold

    def worst(self, model: str, payload: Mapping[str, Any], most: int) -> Hold:  # JSON
        """The most a request can cost; nothing when there is no limit to keep.

        Raises:
            PrefkitError: There is a limit in dollars, and the model's price is not known.
        """
        if not self.limited:
            return Hold(0, 0.0)
        prompt = most_tokens(payload)
        price = self.price(model)
        if price is None and self.max_usd is not None:
            raise unknown_price(model)
        return Hold(prompt + most, price.of(prompt, most) if price else 0.0)

    def fits(self, hold: Hold) -> bool:
        """Whether so much can be set aside now."""
        tokens = self.prompt_tokens + self.completion_tokens + self._held_tokens + hold.tokens
        usd = self.usd + self._held_usd + hold.usd
        return (self.max_tokens is None or tokens <= self.max_tokens) and (
            self.max_usd is None or usd <= self.max_usd
        )

    def hold(self, hold: Hold) -> bool:
        """Set so much aside, if it fits."""
        with self._lock:
            if not self.fits(hold):
                return False
            if hold.tokens:
                self._held_tokens += hold.tokens
                self._held_usd += hold.usd
                self._holds += 1
            return True

    def release(self, hold: Hold) -> None:
        """The request is over: nothing is set aside for it any more."""
        if hold.tokens:
            with self._lock:
                self._held_tokens -= hold.tokens
                self._held_usd -= hold.usd
                self._holds -= 1

    def pay(self, model: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Count a call."""
        with self._lock:
            self._add(model, 1, prompt_tokens, completion_tokens)

    def _add(self, model: str, calls: int, prompt: int, completion: int) -> None:
        self.calls += calls
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        price = self.price(model)
        if price is None:
            self.unpriced.add(model)
        else:
            self.usd += price.of(prompt, completion)

    def reached(self, hold: Hold) -> BudgetReached:
        """The error for a request that does not fit."""
        limits = []
        if self.max_usd is not None:
            limits.append(f"${self.max_usd:g}")
        if self.max_tokens is not None:
            limits.append(f"{self.max_tokens:,} tokens")
        dollars = f" or ${hold.usd:.4f}" if self.max_usd is not None else ""
        return BudgetReached(
            f"The budget of {' and '.join(limits)} is reached: {self.spent()}, and the next "
            f"request may take {hold.tokens:,} tokens{dollars}.",
            hint="Nothing is lost or paid for twice: go on with the same command, a higher "
            "--max-cost or --max-total-tokens, and `--resume last`.",
        )

    def spent(self) -> str:
        """What was spent so far, in words."""
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        return f"{self.calls:,} calls, {tokens}, {self.cost()}"

    def cost(self) -> str:
        """Dollars so far; says when some are not known."""
        if not self.unpriced:
            return f"${self.usd:.4f}"
        return "price unknown" if not self.usd else f"${self.usd:.4f} and more: a price is unknown"

    def note(self) -> str:
        """Rate and cost so far, beside a progress bar; empty before the first call."""
        calls = self.calls - self._calls_before
        if not calls:
            return ""
        rate = calls / max(time.monotonic() - self._began, 1e-9)
        return f"{rate:.1f} calls/s, {self.cost()}"


def most_tokens(payload: Mapping[str, Any]) -> int:  # JSON values
    """More prompt tokens than any tokenizer can make of a request."""
    return len(json.dumps(payload, ensure_ascii=False).encode(errors="replace")) + TEMPLATE


def unknown_price(model: str) -> PrefkitError:
    """The error for a limit in dollars on a model whose price is not known."""
    return PrefkitError(
        f"{model}: its price is not known, so --max-cost cannot be kept.",
        hint="Add dollars per million prompt and completion tokens to prefkit.toml:\n"
        f'[prices]\n"{model}" = [0.15, 0.60]\nor limit tokens with --max-total-tokens.',
        exit_code=EXIT_USAGE,
    )
