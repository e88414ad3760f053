"""The model card: what was trained on what, how, with which result, and how to load it."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefkit.manifest import Manifest
from prefkit.training import heldout
from prefkit.training.data import Fitted
from prefkit.training.heldout import Figure
from prefkit.training.lineage import Upstream
from prefkit.training.methods import Method

VERSIONED: Final = ("prefkit", "torch", "transformers", "peft", "trl", "bitsandbytes")


@dataclasses.dataclass(frozen=True)
class Trained:
    """All that a card says.

    Attributes:
        method: How it was trained.
        base: Name of the base model.
        embedded: Whether the base is prefkit's embedded copy.
        started_from: Run or folder of the earlier adapter; empty when there was none.
        adapter: peft's configuration of the adapter: r, lora_alpha, target_modules, …
        arguments: What TRL's configuration was given.
        precision: In which number formats base, adapter and log-probabilities were kept.
        manifest: Of the run.
        steps: Optimizer steps.
        fitted: What was trained on.
        sources: Training rows by whose judgment they rest on.
        upstream: Runs the data were made by, nearest first.
        figures: Held-out figures.
        displacement: Warning of likelihood displacement, empty when there is none.
    """

    method: Method
    base: str
    embedded: bool
    started_from: str
    adapter: Mapping[str, Any]  # JSON values
    arguments: Mapping[str, Any]  # values of TRL's configuration
    precision: str
    manifest: Manifest
    steps: int
    fitted: Fitted
    sources: Counter[str]
    upstream: Sequence[Upstream]
    figures: Sequence[Figure]
    displacement: str


def adapter_card(trained: Trained) -> str:
    """README of the adapter folder, with the front matter that the hub reads."""
    front = {
        "base_model": trained.base,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["prefkit", "lora", "trl", trained.method.name],
    }
    body = json.dumps(front, indent=1)  # JSON is YAML
    return f"---\n{body}\n---\n\n# {_title(trained)}\n\n{card_text(trained)}"


def _title(trained: Trained) -> str:
    return f"{trained.base.rpartition('/')[2]}, {trained.method.name.upper()} adapter"


def card_text(trained: Trained) -> str:
    """The card's body, without front matter and title."""
    parts = [
        _summary(trained),
        _figures(trained),
        _data(trained),
        _settings(trained),
        _loading(trained),
    ]
    return "\n".join(parts)


def _summary(trained: Trained) -> str:
    start = f", going on from `{trained.started_from}`" if trained.started_from else ""
    lines = [
        f"A LoRA adapter for `{trained.base}`, trained by {trained.method.title}{start}: "
        f"{trained.steps} steps over {len(trained.fitted.used)} rows.",
    ]
    if trained.method.reference:
        reference = (
            "a frozen copy of the adapter training started from"
            if trained.started_from
            else "the base model, that is, the adapter switched off"
        )
        lines.append(f"Rewards are measured against {reference}.")
    if trained.displacement:
        lines.append(f"\n**{trained.displacement}**")
    return "\n".join(lines) + "\n"


def _figures(trained: Trained) -> str:
    if not trained.figures:
        return "## Held-out figures\n\nNone: the source had no test split.\n"
    lines = [
        "## Held-out figures\n",
        "| figure | before | after | change (interval) | n |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in heldout.table(trained.figures)]
    methods = {f.change.method for f in trained.figures} | {f.after.method for f in trained.figures}
    lines.append(f"\nIntervals: {'; '.join(sorted(filter(None, methods)))}.")
    if trained.method.reference:
        lines.append("Before training, policy and reference agree, so every reward is 0.")
    if trained.method.name == "kto":
        lines.append(
            "KTO's rows are single completions: accuracy is the chance that a desirable row has a "
            "higher reward than an undesirable one."
        )
    return "\n".join(lines) + "\n"


def _data(trained: Trained) -> str:
    fitted, manifest = trained.fitted, trained.manifest
    sources = ", ".join(f"{rows} by {source}" for source, rows in trained.sources.most_common())
    lines = [
        "## Data\n",
        f"{len(fitted.used)} rows ({sources}), {len(fitted.held_out)} held out. "
        f"{fitted.tokens} tokens in one pass; longest sequence {fitted.longest}, "
        f"{fitted.cut} cut at `max_length`.",
    ]
    if trained.method.stream == "pairs":
        pairs = len(fitted.used) + fitted.cut_alike
        lines.append(
            f"{fitted.cut_alike} of {pairs} pairs differ only beyond `max_length` and were dropped."
        )
    lines += [
        f"- `{entry.path}`: sha256 `{entry.sha256[:16]}…`"
        + (f", {entry.rows} rows" if entry.rows is not None else "")
        for entry in manifest.inputs
    ]
    if trained.upstream:
        lines += ["", "Made by, nearest first:\n", *(run.line() for run in trained.upstream)]
    return "\n".join(lines) + "\n"


def _settings(trained: Trained) -> str:
    manifest = trained.manifest
    versions = [f"{p} {manifest.versions[p]}" for p in VERSIONED if p in manifest.versions]
    adapter = ", ".join(f"{key} {_plain(value)}" for key, value in trained.adapter.items())
    lines = [
        "## Settings\n",
        f"- adapter: {adapter}",
        f"- precision: {trained.precision}",
        f"- defaults: {trained.method.source}",
        f"- device: {manifest.device}; seed {manifest.seed}",
        f"- versions: {', '.join(versions)}",
        "",
        "| argument | value |",
        "|---|---|",
    ]
    lines += [f"| {key} | {_plain(trained.arguments[key])} |" for key in sorted(trained.arguments)]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:  # a JSON value
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)


def _loading(trained: Trained) -> str:
    opened, extra, note = f'"{trained.base}"', "", ""
    if trained.embedded:
        opened, extra = "embedded_model()", "\nfrom prefkit.embedded import embedded_model"
        note = (
            f"prefkit's embedded copy of `{trained.base}` was unpacked from 4-bit GGUF weights, "
            "which differ a little from those on the hub.\n"
        )
    return f"""## Loading

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM{extra}

base = AutoModelForCausalLM.from_pretrained({opened})
model = PeftModel.from_pretrained(base, "adapter")
```

With prefkit: `--adapter @{trained.manifest.stage}`.
{note}"""
