"""The ways to complete a prompt: models, contexts, system prompts and temperatures."""

import dataclasses
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from prefkit.config import CandidatesConfig
from prefkit.errors import PrefkitError
from prefkit.records import Message, Messages

NO_SYSTEM: Final = "none"  # in place of a file: the prompt as it is, beside those with one


@dataclasses.dataclass(frozen=True)
class Cell:
    """One way to complete a prompt.

    Attributes:
        model: Model name, as configured.
        context: `closed-book` or `grounded`.
        temperature: 0 is greedy.
        repeat: Tells apart samples drawn the same way.
        system: Name of the system prompt; empty when none is set.
    """

    model: str
    context: str
    temperature: float
    repeat: int
    system: str = ""


@dataclasses.dataclass(frozen=True)
class SystemPrompt:
    """What a model is told before the conversation.

    Attributes:
        name: The file's, without its ending.
        text: What it says.
        sha256: Of the file.
    """

    name: str
    text: str
    sha256: str

    def before(self, messages: Messages) -> Messages:
        """The conversation with this in front; joined to a system turn it begins with.

        Chat templates take one system turn, at the beginning.
        """
        said, rest = self.text, messages
        if messages[0].role == "system":
            said, rest = f"{said}\n\n{messages[0].content}", messages[1:]
        return (Message(role="system", content=said), *rest)


def models_of(config: CandidatesConfig) -> tuple[str, ...]:
    """Every model, each once, the main one first."""
    return tuple(dict.fromkeys((config.model, *config.models)))


def cells_of(config: CandidatesConfig) -> tuple[Cell, ...]:
    """The ways to complete a prompt, `best_of` or `per_prompt` of them.

    Contexts take turns first, then system prompts, then models, then temperatures, so that few
    completions already differ in what matters most.
    """
    ways = list(
        itertools.product(
            config.temperatures,
            models_of(config),
            [_name(file) for file in config.systems] or [""],
            config.contexts,
        )
    )
    cells = []
    for number in range(config.best_of or config.per_prompt):
        temperature, model, system, context = ways[number % len(ways)]
        cells.append(Cell(model, context, temperature, number // len(ways), system))
    return tuple(cells)


def read_systems(files: Sequence[str]) -> Mapping[str, SystemPrompt]:
    """System prompts by name; `none` among the files stands for no system prompt.

    Raises:
        PrefkitError: A file cannot be read, is empty, or shares its name with another.
    """
    found: dict[str, SystemPrompt] = {}
    names = [_name(file) for file in files]
    for file, name in zip(files, names, strict=True):
        if names.count(name) > 1:
            raise PrefkitError(
                f"{file}: two system prompts are called `{name or NO_SYSTEM}`.",
                hint="Records name a system prompt by its file: rename one.",
            )
        if name:
            found[name] = _read(Path(file), name)
    return found


def _name(file: str) -> str:
    return "" if file == NO_SYSTEM else Path(file).stem


def _read(path: Path, name: str) -> SystemPrompt:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8").replace("\r\n", "\n").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PrefkitError(
            f"{path}: cannot be read as UTF-8 text: {error}.",
            hint="Give a text file with what the model is told first: `--system FILE`.",
        ) from error
    if not text:
        raise PrefkitError(
            f"{path}: is empty.", hint=f"For no system prompt say `--system {NO_SYSTEM}`."
        )
    return SystemPrompt(name, text, hashlib.sha256(data).hexdigest())
