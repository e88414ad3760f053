"""Prompts as files: turns, placeholders, and document text that cannot pass for either.

A prompt file is a list of turns, each under a line `[system]`, `[user]` or `[assistant]`. Turns are
cut before anything is filled in, and `$names` are filled in one pass, so nothing in a document can
become a turn or a placeholder. Document text goes between marks that it does not itself contain.
"""

import dataclasses
import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from prefkit.errors import PrefkitError
from prefkit.records import Message, Messages, Role
from prefkit.storage import write_text

FOLDER = Path(__file__).parent / "prompts"
PLACEHOLDERS: dict[str, frozenset[str]] = {
    "question": frozenset({"cloze", "opening"}),
    "answer": frozenset({"passage", "question"}),
    "grounded": frozenset({"passage", "question"}),
    "structured": frozenset({"passage", "where", "count", "kinds"}),
    "planned": frozenset({"passage", "where", "cells"}),
    "planned_questions": frozenset({"passage", "where", "cells"}),
    "planned_answer": frozenset({"passage", "question"}),
    "verify": frozenset({"passage", "question", "answer"}),
    "round_trip": frozenset({"passage", "question"}),
    "kinds": frozenset(),
    "personas": frozenset({"headings", "count"}),
    "constitution": frozenset(),
    "critique": frozenset({"question", "answer", "principle"}),
    "revise": frozenset({"question", "answer", "critique"}),
}
PURPOSES: dict[str, str] = {
    "question": "a small model finishes a question",
    "answer": "a small model answers one",
    "grounded": "candidates that see the passage",
    "structured": "questions of a chunk, kinds as the model likes",
    "planned": "questions that a plan asks for, with answers",
    "planned_questions": "questions that a plan asks for, without answers",
    "planned_answer": "the answer to a reviewed question",
    "verify": "a second model checks a question and its answer",
    "round_trip": "a second model answers a question, to compare",
    "kinds": "a line for each kind and difficulty",
    "personas": "a draft of who asks",
    "constitution": "principles that candidates are revised by, one a line",
    "critique": "what a candidate does against a principle",
    "revise": "a candidate written again after its critique",
}
MAY_USE: dict[str, frozenset[str]] = {  # beside those that a prompt needs
    "structured": frozenset({"language"}),
    "planned": frozenset({"language"}),
    "planned_questions": frozenset({"language"}),
    "planned_answer": frozenset({"language", "kind", "where"}),
    "personas": frozenset({"language"}),
    "round_trip": frozenset({"language"}),
    "critique": frozenset({"passage", "language"}),
    "revise": frozenset({"passage", "language", "principle"}),
}

_TURN = re.compile(r"^\[(system|user|assistant|tool)\][ \t]*\n?", re.MULTILINE)
_NAME = re.compile(r"\$([a-z]+)")
# What chat templates write between turns; a space inside makes it plain text again.
_SPECIAL = re.compile(
    r"<(?=\||/?s>|(?:bos|eos|pad|unk|mask|cls|sep)>|/?(?:start|end)_of_turn>|<SYS>>|</SYS>>|"
    r"｜|file_sep>|repo_name>)|\[(?=/?INST\]|/?(?:SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS)\])",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A prompt file.

    Attributes:
        name: What it is for: question, answer, grounded, structured, …
        turns: Role and text of each turn, with placeholders.
        path: Where it was read from.
        sha256: Of the file.
    """

    name: str
    turns: tuple[tuple[Role, str], ...]
    path: Path
    sha256: str

    def messages(self, **values: str) -> Messages:
        """The conversation with its placeholders filled in; a turn left empty is left out."""
        filled = ((role, _fill(text, values)) for role, text in self.turns)
        return tuple(Message(role=role, content=text) for role, text in filled if text.strip())


def load_prompts(folder: str | None = None) -> dict[str, Prompt]:
    """All prompts by name; a file in `folder` replaces ours of the same name.

    Raises:
        PrefkitError: The folder does not exist, holds a file of no known name, or a prompt lacks a
            placeholder or has an unknown turn.
    """
    paths = {name: FOLDER / f"{name}.txt" for name in PLACEHOLDERS}
    if folder is not None:
        own = Path(folder)
        if not own.is_dir():
            raise PrefkitError(f"{folder}: no such folder of prompts.", hint=_NAMES)
        for path in sorted(own.glob("*.txt")):
            if path.stem not in paths:
                close = difflib.get_close_matches(path.stem, PLACEHOLDERS, 1)
                suggestion = f"; did you mean `{close[0]}.txt`?" if close else "."
                raise PrefkitError(f"{path}: no prompt has that name{suggestion}", hint=_NAMES)
            paths[path.stem] = path
    return {name: read_prompt(name, path) for name, path in paths.items()}


def lines_of(prompt: Prompt, names: Sequence[str]) -> dict[str, str]:
    """A prompt file of lines `name: what it asks`, by name.

    Raises:
        PrefkitError: A name has no line.
    """
    text = "\n".join(body for _, body in prompt.turns)
    found = {name: says.strip() for name, says in re.findall(r"(?m)^([a-z-]+):(.+)$", text)}
    for name in names:
        if not found.get(name):
            raise PrefkitError(
                f"{prompt.path}: no line says what `{name}` asks for.",
                hint=f"It needs a line for each of: {', '.join(names)}.",
            )
    return found


def copy_prompts(folder: Path) -> list[Path]:
    """Copy our prompt files for editing; what is there already stays.

    Raises:
        PrefkitError: All of them are there already, or the folder cannot be written.
    """
    made = []
    try:
        for name in PLACEHOLDERS:
            target = folder / f"{name}.txt"
            if not target.exists():
                write_text(target, (FOLDER / f"{name}.txt").read_text(encoding="utf-8"))
                made.append(target)
    except OSError as error:
        raise PrefkitError(f"{folder}: cannot be written: {error.strerror}.") from error
    if not made:
        raise PrefkitError(f"{folder}: holds all prompts already.", hint="Name another folder.")
    return made


_NAMES = f"Prompts are: {', '.join(f'{name}.txt' for name in PLACEHOLDERS)}."


def read_prompt(name: str, path: Path) -> Prompt:
    """One prompt file.

    Raises:
        PrefkitError: It cannot be read, is empty, or lacks a placeholder.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PrefkitError(f"{path}: cannot be read as UTF-8 text: {error}.") from error
    missing = PLACEHOLDERS[name] - set(_NAME.findall(text))
    if missing:
        raise PrefkitError(
            f"{path}: the placeholder ${min(missing)} is missing.",
            hint=f"This prompt needs: {', '.join(f'${n}' for n in sorted(PLACEHOLDERS[name]))}.",
        )
    prompt = Prompt(name, _turns(text), path, hashlib.sha256(data).hexdigest())
    if not any(body.strip() for _, body in prompt.turns):
        raise PrefkitError(f"{path}: is empty.", hint="Delete it, and ours of that name is used.")
    return prompt


def _turns(text: str) -> tuple[tuple[Role, str], ...]:
    if not _TURN.match(text):
        return (("user", text.strip()),)
    parts = _TURN.split(text)[1:]
    roles = dict(zip(get_args(Role), get_args(Role), strict=True))
    return tuple(
        (roles[role], body.strip()) for role, body in zip(parts[::2], parts[1::2], strict=True)
    )


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: values.get(found[1], found[0]), text)


def neutral(text: str) -> str:
    """Document text in which no chat template's control token is left."""
    return _SPECIAL.sub(lambda found: f"{found[0]} ", text)


def fenced(text: str, name: str = "passage") -> str:
    """Document text between marks that it does not itself contain."""
    text, mark, number = neutral(text), name, 1
    while re.search(rf"</?\s*{mark}\b", text, re.IGNORECASE):
        number += 1
        mark = f"{name}-{number}"
    return f"<{mark}>\n{text}\n</{mark}>"
