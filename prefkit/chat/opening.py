"""From a model's name on the command line to something that answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from prefkit.chat.budget import Budget
from prefkit.chat.protocol import ChatModel
from prefkit.config import EMBEDDED, read_prices
from prefkit.errors import EXIT_USAGE, PrefkitError, missing_extra
from prefkit.workspace import Workspace

ENDPOINT_PREFIX: Final = "openai:"
LOCAL_PACKAGES: Final = ("torch", "transformers", "peft")


def open_model(
    model: str,
    *,
    base_url: str | None = None,
    adapter: str | Path | None = None,
    concurrency: int = 32,
    batch_size: int = 8,
    workspace: Workspace | None = None,
    load_in_4bit: bool = False,
    prices: Mapping[str, tuple[float, float]] | None = None,
    budget: Budget | None = None,
    probe: bool = True,
    batch: bool = False,
) -> ChatModel:
    """The model that `model` names, ready to complete conversations.

    Args:
        model: `embedded`, a folder, a hub id, or `openai:NAME` for an endpoint.
        base_url: OpenAI-compatible endpoint; `model` is then the name it knows.
        adapter: For a local model: adapter folder, run or @stage.
        concurrency: Most requests in flight at an endpoint.
        batch_size: Sequences a batch for a local model.
        workspace: Where runs are looked up and replies of endpoints are cached; without one,
            replies are not cached.
        load_in_4bit: Load a local model as NF4.
        prices: US dollars per million (prompt, completion) tokens, by model name; those of
            prefkit.toml when not given.
        budget: What may be spent at endpoints, with its own prices.
        probe: Find out first how an endpoint can be made to answer in JSON.
        batch: Ask an endpoint through OpenAI's batch API.

    Raises:
        PrefkitError: The options contradict each other, or the model cannot be opened.
    """
    if is_endpoint(model, base_url):
        _refuse_local_options(model, adapter, load_in_4bit)
        if budget is None:
            if prices is None and workspace is not None:
                prices = read_prices(workspace.config_file)
            budget = Budget(prices=prices)
        how: dict[str, Any] = {"cache": cache_of(workspace), "budget": budget, "probes": probe}
        name = model.removeprefix(ENDPOINT_PREFIX)
        if batch:
            from prefkit.chat.batch import BatchModel

            return BatchModel(name, base_url=base_url, **how)
        from prefkit.chat.endpoint import EndpointModel

        return EndpointModel(name, base_url=base_url, concurrency=concurrency, **how)
    folder = adapter_folder(adapter, workspace) if adapter is not None else None
    try:
        from prefkit.local_model import LocalModel
    except ModuleNotFoundError as error:
        if error.name not in LOCAL_PACKAGES:
            raise
        raise missing_extra(error.name, "train", "A model in this process") from error
    return LocalModel.load(model, adapter=folder, load_in_4bit=load_in_4bit, batch_size=batch_size)


def is_endpoint(model: str, base_url: str | None) -> bool:
    """Whether a model is asked at an endpoint, not loaded into this process."""
    return base_url is not None or model.startswith(ENDPOINT_PREFIX)


def cache_of(workspace: Workspace | None) -> Path | None:
    """The file in which a workspace keeps the replies of endpoints."""
    return workspace.private / "cache" / "requests.sqlite" if workspace else None


def _refuse_local_options(model: str, adapter: str | Path | None, load_in_4bit: bool) -> None:
    if model == EMBEDDED:
        raise PrefkitError(
            "The embedded model runs in this process, not at an endpoint.",
            hint="Name the endpoint's model, for example `--model openai:NAME`.",
            exit_code=EXIT_USAGE,
        )
    option = "--adapter" if adapter is not None else "--load-in-4bit" if load_in_4bit else ""
    if option:
        raise PrefkitError(
            f"{model}: {option} is for a model in this process, not for an endpoint.",
            hint="Let the server load the adapter, or give the model as a folder or hub id.",
            exit_code=EXIT_USAGE,
        )


def adapter_folder(spec: str | Path, workspace: Workspace | None = None) -> Path:
    """The folder of an adapter given as a folder, a training run or @stage.

    Raises:
        PrefkitError: There is no such folder or run, or it holds no adapter.
    """
    folder = Path(spec)
    if not (folder.is_dir() and not str(spec).startswith("@")):
        folder = (workspace or Workspace.find()).run_folder(str(spec))
    for place in (folder, folder / "adapter"):
        if (place / "adapter_config.json").is_file():
            return place.resolve()
    raise PrefkitError(
        f"{spec}: no adapter in {folder}.",
        hint="Give a folder with adapter_config.json, or a finished training run such as"
        " @train-dpo.",
    )
