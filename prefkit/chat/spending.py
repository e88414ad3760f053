"""What a stage will spend at endpoints, and what it may."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, Final

from prefkit.chat.budget import Budget, Price, unknown_price
from prefkit.chat.opening import ENDPOINT_PREFIX, cache_of, is_endpoint
from prefkit.chat.protocol import ChatModel
from prefkit.chat.replies import ReplyCache
from prefkit.config import SpendingConfig, read_prices
from prefkit.runs import Run
from prefkit.workspace import Workspace

BYTES_A_TOKEN: Final = 4.0  # of English; of other languages a token is about one character
SHORT: Final = 0.25  # of the longest completion: the low estimate
LONG: Final = 1.35  # times the estimated prompt: the high estimate


@dataclasses.dataclass(frozen=True)
class Asked:
    """Calls that a stage means to make.

    Attributes:
        model: As configured.
        base_url: Its endpoint, if it has one of its own.
        calls: How many.
        prompt_tokens: Of all their prompts, about.
        completion_tokens: Of all their completions, at most.
    """

    model: str
    base_url: str | None
    calls: int
    prompt_tokens: float
    completion_tokens: float


def about_tokens(text: str) -> float:
    """How many tokens a text is, roughly."""
    return len(text.encode(errors="replace")) / BYTES_A_TOKEN


def estimate(
    asked: Iterable[Asked], config: SpendingConfig, workspace: Workspace
) -> dict[str, float | str | None]:
    """Calls, tokens and dollars, for `--dry-run`.

    `usd_low` has completions a quarter as long as they may be, `usd_high` has them as long as they
    may be and prompts a third longer than estimated. `usd` is None when a price is not known, and
    0 for models in this process.

    Raises:
        PrefkitError: There is a limit in dollars, and the price of a model is not known.
    """
    asked = list(asked)
    prices = read_prices(workspace.config_file)
    paid = [one for one in asked if is_endpoint(one.model, one.base_url)]
    names = [one.model.removeprefix(ENDPOINT_PREFIX) for one in paid]
    if config.max_cost is not None:
        for name in names:
            if name not in prices:
                raise unknown_price(name)
    found: dict[str, float | str | None] = {
        "calls": sum(one.calls for one in asked),
        "prompt_tokens": round(sum(one.prompt_tokens for one in asked)),
        "completion_tokens_at_most": round(sum(one.completion_tokens for one in asked)),
    }
    if not paid:
        return found | {"usd": 0.0}
    if any(name not in prices for name in names):
        return found | {"usd": None}
    costs = [Price(*prices[name]) for name in names]
    low = sum(
        price.of(one.prompt_tokens, SHORT * one.completion_tokens)
        for price, one in zip(costs, paid, strict=True)
    )
    high = sum(
        price.of(LONG * one.prompt_tokens, one.completion_tokens)
        for price, one in zip(costs, paid, strict=True)
    )
    return found | {"usd_low": _cents(low), "usd_high": _cents(high)}


def _cents(dollars: float) -> float:
    """Dollars with three digits that mean something."""
    return float(f"{dollars:.3g}") if math.isfinite(dollars) else dollars


def open_budget(config: SpendingConfig, run: Run, workspace: Workspace) -> Budget:
    """What a run may spend, with what its earlier attempts have spent counted.

    Raises:
        PrefkitError: The prices or the cache cannot be read.
    """
    name = f"{run.manifest.stage} {run.manifest.started}"
    budget = Budget(
        name,
        max_usd=config.max_cost,
        max_tokens=config.max_total_tokens,
        prices=read_prices(workspace.config_file),
    )
    path = cache_of(workspace)
    if path is not None and path.exists():
        cache = ReplyCache(path)
        budget.take_over(cache.spent(name))
        cache.close()
    return budget


def open_for_run(
    config: SpendingConfig,
    workspace: Workspace,
    budget: Budget,
    model: str | None = None,
    **options: Any,  # of open_model
) -> ChatModel:
    """A model of a stage: its main one, or another by name with its own options.

    Raises:
        PrefkitError: It cannot be opened.
    """
    from prefkit.chat import open_model

    if model is None:
        options = {"base_url": config.base_url, "adapter": config.adapter} | options
    return open_model(
        model or config.model,
        concurrency=config.concurrency,
        batch_size=config.batch_size,
        workspace=workspace,
        budget=budget,
        probe=config.probe,
        batch=config.batch,
        **options,
    )
