"""Find a plug-in by path, workspace name, entry point or bundled name, in that order."""

import dataclasses
import difflib
import importlib.util
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError
from prefkit.storage import sha256_of
from prefkit.workspace import Workspace, bundled

FOLDERS = {"judge": "judges", "suite": "benchmarks/suites", "layout": "annotation/layouts"}


@dataclasses.dataclass(frozen=True)
class Found:
    """A plug-in and where it came from.

    Attributes:
        kind: judge, suite, generator, metric or method.
        name: What it is called in records and reports.
        source: path, workspace, entry point or bundled.
        folder: Its content folder, for judges and suites.
        target: The Python object, for code.
        sha256: Of the folder or of the Python file.
    """

    kind: str
    name: str
    source: str
    folder: Path | None
    target: Any  # whatever the plug-in's author made
    sha256: str


def find(kind: str, name: str, workspace: Workspace) -> Found:
    """The plug-in that `name` says.

    Args:
        kind: judge, suite, generator, metric or method.
        name: `./judges/tone`, `./mine.py:Tone`, or a name.
        workspace: Whose folders are searched first.

    Raises:
        PrefkitError: Nothing of that kind has the name; lists the closest.
    """
    path, _, attribute = name.partition(":")
    if attribute and path.endswith(".py"):
        return _from_file(kind, Path(path), attribute)
    if "/" in name or name.startswith("."):
        if Path(name).is_dir():
            return _folder(kind, Path(name).resolve().name, "path", Path(name))
        raise PrefkitError(f"{name}: no such {kind} folder.")
    if kind in FOLDERS and (workspace.root / FOLDERS[kind] / name).is_dir():
        return _folder(kind, name, "workspace", workspace.root / FOLDERS[kind] / name)
    for entry in metadata.entry_points(group=f"prefkit.{kind}s"):
        if entry.name == name:
            return _from_entry_point(kind, entry)
    if kind in FOLDERS and (bundled(FOLDERS[kind]) / name).is_dir():
        return _folder(kind, name, "bundled", bundled(FOLDERS[kind]) / name)
    known = names(kind, workspace)
    close = difflib.get_close_matches(name, known, 1)
    raise PrefkitError(
        f"There is no {kind} called `{name}`" + (f"; did you mean `{close[0]}`?" if close else "."),
        hint=f"Known: {', '.join(known) or 'none'}. A path such as ./{kind}s/mine works too.",
    )


def names(kind: str, workspace: Workspace) -> list[str]:
    """Every name of a kind that `find` would accept."""
    found: set[str] = {entry.name for entry in metadata.entry_points(group=f"prefkit.{kind}s")}
    if kind in FOLDERS:
        for folder in (workspace.root / FOLDERS[kind], bundled(FOLDERS[kind])):
            found |= set(_folder_names(folder))
    return sorted(found)


def _folder_names(folder: Path) -> Iterable[str]:
    if folder.is_dir():
        yield from (p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.toml")))


def _folder(kind: str, name: str, source: str, folder: Path) -> Found:
    return Found(kind, name, source, folder, None, sha256_of(folder))


def _from_entry_point(kind: str, entry: metadata.EntryPoint) -> Found:
    target = entry.load()
    file = getattr(sys.modules.get(getattr(target, "__module__", "")), "__file__", None)
    sha256 = sha256_of(Path(file)) if file else ""
    return Found(kind, entry.name, f"entry point {entry.value}", None, target, sha256)


def _from_file(kind: str, path: Path, attribute: str) -> Found:
    if not path.is_file():
        raise PrefkitError(f"{path}: no such file.")
    spec = importlib.util.spec_from_file_location(f"prefkit_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PrefkitError(f"{path}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        target = getattr(module, attribute)
    except Exception as error:
        raise PrefkitError(f"{path}:{attribute}: {type(error).__name__}: {error}") from error
    return Found(kind, attribute, f"path {path}", None, target, sha256_of(path))
