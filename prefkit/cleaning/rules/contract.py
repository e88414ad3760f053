"""What a rule is, what it sees, and what it finds."""

import dataclasses
import functools
import re
from collections.abc import Callable

from prefkit.cleaning.rows import Completion, Row
from prefkit.config import CleanConfig

SNIPPET = 60  # characters of the text shown in a detail
FENCED = re.compile(r"(?s)(```|~~~).*?(?:\1|\Z)")
CODE = re.compile(FENCED.pattern + r"|`[^`\n]*`")


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a rule holds against a row.

    Attributes:
        rule: Its name.
        detail: What it found; personal data and secrets are masked.
    """

    rule: str
    detail: str


class View:
    """A row, with what several rules want to know of it worked out once.

    Attributes:
        row: The row.
        passage: What the answer may rest on; None when it is not at hand.
        good: The completions that training would make likelier.
        texts: `(field, text)` of every turn of the prompt and every completion.
        whole: All texts in one, for a cheap first look.
        folded: `whole` in lower case.
    """

    def __init__(self, row: Row, passage: str | None = None) -> None:
        self.row = row
        self.passage = passage
        self.good: tuple[Completion, ...] = row.good
        self.texts: tuple[tuple[str, str], ...] = tuple(row.texts())
        self.whole = "\n".join([text for _, text in self.texts])
        self.folded = self.whole.lower()

    @functools.cached_property
    def prose(self) -> tuple[tuple[str, str], ...]:
        """`texts` with code taken out."""
        return tuple((field, without_code(text)) for field, text in self.texts)


Check = Callable[[View, CleanConfig], str | None]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A named check of a row.

    Attributes:
        check: Gives the detail of what is wrong, or None.
        what: What it refuses, in one line.
        tune: Fields of `[clean]` that move it; empty when there are none.
        needs: Fields of `[clean]` without which it is off.
    """

    check: Check
    what: str
    tune: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def on(self, config: CleanConfig) -> bool:
        """Whether the configuration gives it all it needs."""
        return all(getattr(config, field) for field in self.needs)


def without_code(text: str) -> str:
    """The text with fenced and inline code replaced by the word code."""
    return CODE.sub("code", text) if "`" in text or "~~~" in text else text


def outside_code(pattern: re.Pattern[str], view: View) -> str | None:
    """The first match of a pattern in the prose of a row, for a detail."""
    for field, text in view.prose:
        if found := pattern.search(text):
            return f"`{clip(found[0].strip())}` in the {field}"
    return None


def clip(text: str) -> str:
    """The text on one line, cut to what a detail shows."""
    flat = " ".join(text[: 4 * SNIPPET].split())
    return flat if len(flat) <= SNIPPET else flat[: SNIPPET - 1] + "…"


def around(text: str, place: int) -> str:
    """What stands around a place of a text."""
    return clip(text[max(0, place - SNIPPET // 3) : place + SNIPPET // 2])
