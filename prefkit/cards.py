"""README.md of a run: a card that says what it holds and lets `load_dataset` read it."""

import types
import typing
from pathlib import Path
from typing import Any

from prefkit import records
from prefkit.manifest import Manifest

STREAMS: dict[str, type[records.Record]] = {
    "documents": records.Document,
    "chunks": records.Chunk,
    "examples": records.Example,
    "questions": records.Question,
    "candidates": records.Candidate,
    "judgments": records.Judgment,
    "pairs": records.PreferencePair,
    "unpaired": records.UnpairedPreference,
    "edits": records.Candidate,
    "conflicts": records.Conflict,
    "verdicts": records.Verdict,
    "hits": records.Contamination,
    "split_leaks": records.SplitLeak,
    "similar": records.SimilarPair,
}


def run_card(folder: Path, manifest: Manifest, text: str) -> str:
    """The README of a finished run: front matter for `datasets`, counts, lineage, `text`."""
    parts = [
        _front_matter(folder, manifest),
        f"# {folder.name}\n",
        text.strip() and f"{text.strip()}\n",
    ]
    parts.append(_counts(manifest))
    parts.append(_lineage(manifest))
    return "\n".join(part for part in parts if part)


def _front_matter(folder: Path, manifest: Manifest) -> str:
    import json

    by_config: dict[str, list[str]] = {}
    for stream, rows in manifest.outputs.items():
        name, _, split = stream.partition("/")
        if name in STREAMS and rows:
            by_config.setdefault(name, []).append(split)
    if not by_config:
        return ""
    configs, infos = [], []
    for name, splits in by_config.items():
        paths = {split: _data_file(folder, f"data/{name}/{split}".rstrip("/")) for split in splits}
        files = [{"split": split or "train", "path": path} for split, path in paths.items()]
        configs.append({"config_name": name, "data_files": files})
        if not any(path.endswith(".parquet") for path in paths.values()):  # Parquet has its schema
            infos.append({"config_name": name, "features": features(STREAMS[name])})
    body = {"tags": ["prefkit", manifest.stage], "configs": configs, "dataset_info": infos}
    return f"---\n{json.dumps(body, indent=1)}\n---\n"  # JSON is YAML


def _data_file(folder: Path, stem: str) -> str:
    parquet = f"{stem}.parquet"
    return parquet if (folder / parquet).is_file() else f"{stem}.jsonl"


def features(model: type[records.Record]) -> list[dict[str, Any]]:  # datasets' YAML features
    """Columns of a record as the `features` of a dataset card."""
    return [
        {"name": name, **_feature(field.annotation)} for name, field in model.model_fields.items()
    ]


def _feature(annotation: Any) -> dict[str, Any]:  # a typing construct
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _feature(next(a for a in arguments if a is not type(None)))
    if origin is typing.Annotated:
        return _feature(arguments[0])
    if origin is typing.Literal or annotation is str:
        return {"dtype": "string"}
    if annotation is bool:
        return {"dtype": "bool"}
    if annotation is int:
        return {"dtype": "int64"}
    if annotation is float:
        return {"dtype": "float64"}
    if origin is dict:
        return {"dtype": "json"}
    if origin is tuple:
        inner = _feature(arguments[0])
        return {"list": inner["dtype"] if set(inner) == {"dtype"} else inner["struct"]}
    return {
        "struct": [
            {"name": name, **_feature(field.annotation)}
            for name, field in annotation.model_fields.items()
        ]
    }


def _counts(manifest: Manifest) -> str:
    lines = ["## What is in it\n", "| records | rows |", "|---|---:|"]
    lines += [f"| {stream} | {rows} |" for stream, rows in manifest.outputs.items()]
    if manifest.dropped:
        lines += ["", "Dropped, each with its reason in `dropped.jsonl`:\n", "| rule | rows |"]
        lines += ["|---|---:|"]
        lines += [f"| {rule} | {rows} |" for rule, rows in manifest.dropped.items()]
    return "\n".join(lines) + "\n"


def _lineage(manifest: Manifest) -> str:
    lines = ["## Where it comes from\n"]
    for entry in manifest.inputs:
        rows = f", {entry.rows} rows" if entry.rows is not None else ""
        lines.append(f"- `{entry.path}` (sha256 {entry.sha256[:16]}…{rows})")
    lines.append(
        f"- made by `prefkit {manifest.stage}`, prefkit {manifest.versions.get('prefkit', '?')}, "
        f"seed {manifest.seed}, {manifest.seconds:.0f} s on {manifest.device}"
    )
    return "\n".join(lines) + "\n"
