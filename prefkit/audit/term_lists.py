"""Word lists of groups of people: TOML files, ours or the workspace's, and where texts use them.

A list is crude: it knows words, not what they mean in a text, and no names of people.
"""

import dataclasses
import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from prefkit.errors import PrefkitError
from prefkit.storage import validated
from prefkit.workspace import Workspace

FOLDER = "audit/terms"  # of a workspace
OURS = Path(__file__).parent / "terms"
WORD = re.compile(r"[^\W_]+")
LISTED = re.compile(r'"([^"]*)"|(\S+)')  # a phrase in quotes, or a word
JOINT = re.compile(r"[ \t\n\u00a0-]+|['’]")  # what may stand between the words of a phrase
LONGEST = 100_000  # characters of a text that are looked at
Words = tuple[str, ...]


class Ambiguous(BaseModel):
    """One word that stands for two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owns: str = Field(min_length=1, description="What it becomes before a noun.")
    alone: str = Field(min_length=1, description="What it becomes elsewhere.")


class TermFile(BaseModel):
    """What a file of terms may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    note: str = Field("", description="What the list does not see.")
    groups: dict[str, str | tuple[str, ...]] = Field(
        description="Group: its terms, as a list or as text with phrases in quotes."
    )
    swaps: dict[str, str] = Field({}, description="Terms that stand for each other.")
    ambiguous: dict[str, Ambiguous] = Field({}, description="Words that stand for two.")


@dataclasses.dataclass(frozen=True)
class TermList:
    """One list.

    Attributes:
        name: Of its file, without `.toml`.
        title: For people.
        note: What it does not see.
        groups: Terms of each group, each as its words.
        swaps: What each term becomes in a counterfactual, both ways.
        ambiguous: Terms that become one of two words.
        source: `prefkit`, or its file in the workspace.
    """

    name: str
    title: str
    note: str
    groups: Mapping[str, tuple[Words, ...]]
    swaps: Mapping[Words, str]
    ambiguous: Mapping[Words, Ambiguous]
    source: str


def load_terms(workspace: Workspace) -> list[TermList]:
    """All lists by name; a file of the workspace replaces ours of the same name.

    A list without groups is left out: so a workspace switches one of ours off.

    Raises:
        PrefkitError: A file is wrong; names it and what is wrong.
    """
    files = {path.name: path for path in sorted(OURS.glob("*.toml"))}
    files |= {path.name: path for path in sorted((workspace.root / FOLDER).glob("*.toml"))}
    lists = [_read(files[name], workspace) for name in sorted(files)]
    return [terms for terms in lists if terms.groups]


def _read(path: Path, workspace: Workspace) -> TermList:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PrefkitError(
            f"{path}: not a readable list of terms: {error}.",
            hint="See 'Demographics' in prefkit/audit/README.md for what a list looks like.",
        ) from error
    said = validated(values, TermFile, str(path))
    groups = {name: tuple(_terms(path, name, terms)) for name, terms in said.groups.items()}
    of: dict[Words, str] = {}
    for name, terms in groups.items():
        for term in terms:
            if of.setdefault(term, name) != name:
                raise PrefkitError(
                    f"{path}: `{' '.join(term)}` is a term of `{of[term]}` and of `{name}`.",
                    hint="A term belongs to one group of a list.",
                )
    there = {words_of(one): other for one, other in said.swaps.items()}
    back: dict[Words, str] = {}
    for one, other in said.swaps.items():
        back.setdefault(words_of(other), one)
    doubtful = {words_of(word): how for word, how in said.ambiguous.items()}
    source = "prefkit" if path.parent == OURS else workspace.show(path)
    return TermList(path.stem, said.title, said.note, groups, back | there, doubtful, source)


def _terms(path: Path, group: str, terms: str | Sequence[str]) -> Iterator[Words]:
    listed = terms
    if isinstance(terms, str):
        listed = [phrase or word for phrase, word in LISTED.findall(terms)]
    for term in dict.fromkeys(listed):
        words = words_of(term)
        if not words:
            raise PrefkitError(
                f"{path}: groups.{group}: `{term}` has no letter or digit.",
                hint="A term is a word, or a phrase in quotes.",
            )
        yield words


def words_of(term: str) -> Words:
    """A term as the words that are looked for: composed, casefolded, without marks."""
    return tuple(folded(word) for word in WORD.findall(unicodedata.normalize("NFC", term)))


def folded(word: str) -> str:
    """A word without case."""
    return word if word.islower() and word.isascii() else word.casefold()


@dataclasses.dataclass(frozen=True)
class Read:
    """A text as matchers read it.

    Attributes:
        text: In NFC, so that a letter and its accent are one.
        words: The words of its first LONGEST characters, casefolded.
        spans: Where each word stands.
    """

    text: str
    words: list[str]
    spans: list[tuple[int, int]]

    @classmethod
    def of(cls, text: str) -> "Read":
        """Take a text apart."""
        text = text if text.isascii() else unicodedata.normalize("NFC", text)
        found = list(WORD.finditer(text, 0, LONGEST))
        return cls(text, [folded(word[0]) for word in found], [word.span() for word in found])


@dataclasses.dataclass(frozen=True)
class Match:
    """A term in a text: `text[start:end]`, and its words."""

    start: int
    end: int
    term: Words


class Matcher:
    """Finds whole words and phrases of some terms, the longest first, whatever their case."""

    def __init__(self, terms: Sequence[Words]) -> None:
        self._by_first: dict[str, list[Words]] = {}
        for term in sorted(set(terms), key=lambda term: (-len(term), term)):
            self._by_first.setdefault(term[0], []).append(term)

    def matches(self, read: Read) -> list[Match]:
        """Where terms stand in a text, from left to right, without overlap."""
        found: list[Match] = []
        free = 0
        for place, word in enumerate(read.words):
            if word not in self._by_first or place < free:
                continue
            for term in self._by_first[word]:
                if _stands(term, read, place):
                    free = place + len(term)
                    found.append(Match(read.spans[place][0], read.spans[free - 1][1], term))
                    break
        return found


def _stands(term: Words, read: Read, place: int) -> bool:
    """Whether the words of a term follow each other with only spaces, hyphens, or `'` between."""
    end = place + len(term)
    if len(term) == 1:
        return True
    if tuple(read.words[place:end]) != term:
        return False
    gaps = itertools.pairwise(read.spans[place:end])
    return all(JOINT.fullmatch(read.text, one[1], other[0]) for one, other in gaps)
