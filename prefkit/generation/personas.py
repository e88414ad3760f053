"""Who asks: a TOML file of personas and their style, written by hand or drafted by a model."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prefkit.chat import ChatModel, Request, Sampling
from prefkit.errors import PrefkitError
from prefkit.generation.prompting import Prompt, fenced
from prefkit.generation.structured import whole_objects
from prefkit.storage import explain, write_text

DRAFTED = 5  # personas that a model is asked for
_HEADINGS = 120  # that it is shown
_HEADER = """\
# Who asks the questions of `prefkit generate --personas`. {origin}
# Read it, edit it, delete who never asks: every persona gets the same share of the questions.
"""


class Persona(BaseModel):
    """Someone who asks.

    Attributes:
        name: Short; stands in every example's metadata.
        who: What they do and know.
        style: How they word a question.
        weight: Their share of the questions, beside the others' weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=60)
    who: str = Field(min_length=1, max_length=400)
    style: str = Field(default="", max_length=400)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


def read_personas(path: Path) -> tuple[tuple[Persona, ...], str]:
    """The personas of a file, and its SHA-256.

    Raises:
        PrefkitError: It cannot be read, holds none, or one is malformed; names file and field.
    """
    try:
        data = path.read_bytes()
        content = tomllib.loads(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PrefkitError(f"{path}: cannot be read as TOML: {error}.", hint=_HINT) from error
    rows = content.get("personas")
    unknown = sorted(set(content) - {"personas"})
    if not isinstance(rows, list) or not rows or unknown:
        what = f"`{unknown[0]}` is not known here" if unknown else "holds no `[[personas]]`"
        raise PrefkitError(f"{path}: {what}.", hint=_HINT)
    personas = tuple(_persona(row, f"{path}: persona {n}") for n, row in enumerate(rows, start=1))
    names = [persona.name for persona in personas]
    for name in names:
        if names.count(name) > 1:
            raise PrefkitError(f"{path}: two personas are called `{name}`.", hint=_HINT)
    return personas, hashlib.sha256(data).hexdigest()


_HINT = 'A persona is `[[personas]]` with `name = "…"`, `who = "…"` and perhaps `style = "…"`.'


def _persona(row: object, where: str) -> Persona:
    try:
        return Persona.model_validate(row)
    except ValidationError as error:
        raise PrefkitError(f"{where}: {explain(error, Persona)}", hint=_HINT) from error


def draft_personas(
    model: ChatModel, prompt: Prompt, headings: Iterable[str], seed: int, language: str
) -> list[Persona]:
    """Ask a model who would read documents with such headings.

    Args:
        model: Who drafts.
        prompt: `personas.txt`.
        headings: Titles and headings of the corpus.
        seed: Of the draw.
        language: What to write in, by its name.

    Raises:
        PrefkitError: Its reply holds no persona.
    """
    distinct = list(dict.fromkeys(" ".join(heading.split()) for heading in headings if heading))
    shown = distinct[:: max(1, len(distinct) // _HEADINGS)][:_HEADINGS]
    messages = prompt.messages(
        headings=fenced("\n".join(shown)), count=str(DRAFTED), language=language
    )
    (reply,) = model.complete([Request(messages, Sampling(max_tokens=900, seed=seed))])
    found: dict[str, Persona] = {}
    for value in whole_objects(reply.text, "name", "personas"):
        try:
            persona = Persona.model_validate(
                {k: value.get(k, "") for k in ("name", "who", "style")}
            )
        except ValidationError:
            continue
        found.setdefault(persona.name, persona)
    if not found:
        raise PrefkitError(
            f"{model.name}: drafted no persona: {reply.error or reply.text[:200]!r}",
            hint="Write the file by hand, or ask a stronger model. " + _HINT,
        )
    return list(found.values())


def write_personas(path: Path, personas: Sequence[Persona], drafted_by: str) -> None:
    """Write a file of personas for people to read and edit.

    Raises:
        PrefkitError: The file is there already.
    """
    if path.exists():
        raise PrefkitError(f"{path}: there already.", hint="Name another file, or remove it first.")
    parts = [_HEADER.format(origin=f"Drafted by {_one_line(drafted_by)}.")]
    for persona in personas:
        fields = {"name": persona.name, "who": persona.who, "style": persona.style}
        lines = [f"{key} = {_string(value)}" for key, value in fields.items() if value]
        parts.append("\n".join(["[[personas]]", *lines, ""]))
    write_text(path, "\n".join(parts))


def _string(text: str) -> str:
    """A TOML basic string: JSON's, but for DEL, which TOML wants escaped."""
    return json.dumps(_one_line(text), ensure_ascii=False).replace("\x7f", "\\u007F")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
