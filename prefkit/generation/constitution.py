"""Principles that completions are criticised and revised by (Constitutional AI, arXiv 2212.08073).

A constitution is a text file with a principle a line, or a TOML file with `principles` and, if you
like, a `name`. Ours, `domain`, is the prompt file `constitution.txt`.
"""

import dataclasses
import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from prefkit.errors import PrefkitError
from prefkit.generation.prompting import FOLDER, Prompt
from prefkit.records import content_id

BUNDLED: Final = "domain"
CRITIQUE_TOKENS: Final = 200  # most a critique may take
_MARK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")


@dataclasses.dataclass(frozen=True)
class Constitution:
    """Principles, and the prompts that put them to a model.

    Attributes:
        name: `domain`, the file's name without its ending, or what the TOML file says.
        principles: One is drawn for each completion.
        sha256: Of the file.
        source: Where it comes from: `bundled` or `path`.
        critique: Asks what a completion does wrong.
        revise: Asks for a better one.
    """

    name: str
    principles: tuple[str, ...]
    sha256: str
    source: str
    critique: Prompt
    revise: Prompt

    @property
    def annotator(self) -> str:
        """Who prefers the revisions, as judgments name it."""
        return f"constitution:{self.name}"

    def digest(self) -> str:
        """Digest of principles and prompts."""
        return content_id(self.principles, self.critique.sha256, self.revise.sha256)

    def principle_for(self, completion_id: str, seed: int) -> str:
        """The principle that a completion is held to, drawn by content and seed."""
        drawn = int(content_id(seed, self.name, completion_id), 16)
        return self.principles[drawn % len(self.principles)]


def read_constitution(name_or_file: str, prompts: Mapping[str, Prompt]) -> Constitution:
    """The constitution called `domain`, or that of a file.

    Args:
        name_or_file: What `--constitution` says.
        prompts: By name, see `prompting`.

    Raises:
        PrefkitError: The file cannot be read or holds no principles.
    """
    asks = (prompts["critique"], prompts["revise"])
    if name_or_file == BUNDLED:
        file = prompts["constitution"]
        text = "\n".join(body for _, body in file.turns)
        principles = _lines(text, file.path)
        source = "bundled" if file.path.parent == FOLDER else "path"
        return Constitution(BUNDLED, principles, file.sha256, source, *asks)
    path = Path(name_or_file)
    try:
        data = path.read_bytes()
        text = data.decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PrefkitError(
            f"{path}: cannot be read as UTF-8 text: {error}.",
            hint=f"Give a file with a principle a line, or `{BUNDLED}` for ours.",
        ) from error
    name = path.stem
    if path.suffix.lower() == ".toml":
        name, principles = _from_toml(text, path)
    else:
        principles = _lines(text, path)
    return Constitution(name, principles, hashlib.sha256(data).hexdigest(), "path", *asks)


def _lines(text: str, path: Path) -> tuple[str, ...]:
    bare = (_MARK.sub("", line).strip() for line in text.splitlines() if not line.startswith("#"))
    return _some(tuple(line for line in bare if line), path)


def _from_toml(text: str, path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PrefkitError(f"{path}: is not TOML: {error}.") from error
    if unknown := sorted(table.keys() - {"name", "principles"}):
        raise PrefkitError(
            f"{path}: `{unknown[0]}` is not a key of a constitution.",
            hint='It has `name` and `principles`: `principles = ["…", "…"]`.',
        )
    name, found = table.get("name", path.stem), table.get("principles")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise PrefkitError(
            f"{path}: `principles` is not a list of texts.",
            hint='Write `principles = ["…", "…"]`.',
        )
    if not isinstance(name, str) or not name.strip():
        raise PrefkitError(f"{path}: `name` is not a text.")
    return name.strip(), _some(tuple(one.strip() for one in found if one.strip()), path)


def _some(principles: tuple[str, ...], path: Path) -> tuple[str, ...]:
    if not principles:
        raise PrefkitError(f"{path}: holds no principle.", hint="Write one a line.")
    return principles
