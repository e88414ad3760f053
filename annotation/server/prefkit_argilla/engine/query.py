"""A query string to a tree, as Lucene's SimpleQueryParser reads it.

Terms are joined by AND. `|` is OR, `-` before a term is NOT, quotes make a phrase, `"…"~2` lets its
words stand apart, `word~1` allows typing errors, `wor*` is a beginning, parentheses group and a
backslash takes an operator's meaning away. Operators bind from left to right. Nothing is ever
malformed: what makes no sense as an operator is left out.
"""

import dataclasses
from collections.abc import Callable

MOST_EDITS = 2
DEEPEST = 50
_SPACE = " \t\n\r"
_ENDS = '"|+()' + _SPACE


@dataclasses.dataclass(frozen=True)
class Word:
    """What stands between spaces; its analysis may find no token, one or several."""

    text: str


@dataclasses.dataclass(frozen=True)
class Phrase:
    """Words next to each other, or at most `slop` moves away from it."""

    text: str
    slop: int = 0


@dataclasses.dataclass(frozen=True)
class Prefix:
    """Tokens that begin so; not analysed beyond lower case."""

    text: str


@dataclasses.dataclass(frozen=True)
class Fuzzy:
    """Tokens at most `edits` insertions, deletions and replacements away."""

    text: str
    edits: int


@dataclasses.dataclass(frozen=True)
class Not:
    """Every record that the inner node does not match."""

    node: "Node"


@dataclasses.dataclass(frozen=True)
class And:
    """What all nodes match."""

    nodes: tuple["Node", ...]


@dataclasses.dataclass(frozen=True)
class Or:
    """What any node matches."""

    nodes: tuple["Node", ...]


@dataclasses.dataclass(frozen=True)
class Everything:
    """The query `*`."""


@dataclasses.dataclass(frozen=True)
class Nothing:
    """A query without any term."""


Leaf = Word | Phrase | Prefix | Fuzzy
Node = Leaf | Not | And | Or | Everything | Nothing


def parse(text: str, is_blank: Callable[[Leaf], bool]) -> Node:
    """The tree of a query.

    Args:
        text: What a person typed.
        is_blank: Whether a leaf holds no token (a lone `&`): such a leaf is left out.
    """
    if text.strip(_SPACE) == "*":
        return Everything()
    return _Parser(text, 0, len(text), is_blank, 0).tree() or Nothing()


class _Parser:
    """One level of parentheses, from `at` to `end`."""

    def __init__(
        self, text: str, at: int, end: int, is_blank: Callable[[Leaf], bool], depth: int
    ) -> None:
        self.text = text
        self.at = at
        self.end = end
        self.is_blank = is_blank
        self.depth = depth
        self.top: Node | None = None
        self.negations = 0
        self.operator: type[And] | type[Or] | None = None
        self.previous: type[And] | type[Or] | None = None

    def tree(self) -> Node | None:
        while self.at < self.end:
            char = self.text[self.at]
            if char == "-":
                self.negations += 1
                self.at += 1
                continue
            if char == "(":
                self._group()
            elif char == '"':
                self._phrase()
            elif char in "+|":
                if self.operator is None and self.top is not None:
                    self.operator = And if char == "+" else Or
                self.at += 1
            elif char in _SPACE or char == ")":
                self.at += 1
            else:
                self._token()
            self.negations = 0
        return self.top

    def _group(self) -> None:
        start = self.at + 1
        close = self._closing(start)
        if close is None or self.depth >= DEEPEST:
            self.at = start
        elif close == start:
            self.operator = None
            self.at = close + 1
        else:
            inner = _Parser(self.text, start, close, self.is_blank, self.depth + 1)
            self._join(inner.tree())
            self.at = close + 1

    def _closing(self, at: int) -> int | None:
        depth = 1
        while at < self.end:
            char = self.text[at]
            if char == "\\":
                at += 2
                continue
            depth += (char == "(") - (char == ")")
            if depth == 0:
                return at
            at += 1
        return None

    def _phrase(self) -> None:
        start = at = self.at + 1
        said: list[str] = []
        while at < self.end and self.text[at] != '"':
            if self.text[at] == "\\":
                at += 1
                if at >= self.end:
                    break
            said.append(self.text[at])
            at += 1
        if at >= self.end:
            self.at = start
        elif at == start:
            self.operator = None
            self.at = at + 1
        else:
            self.at = at + 1
            self._join(Phrase("".join(said), self._slop()))

    def _slop(self) -> int:
        if self.at >= self.end or self.text[self.at] != "~":
            return 0
        if self.at + 1 < self.end:
            return self._number()
        self.at += 1
        return 0

    def _token(self) -> None:
        said: list[str] = []
        starred = fuzzy = False
        while self.at < self.end:
            char = self.text[self.at]
            if char == "\\":
                starred = False
                self.at += 1
                if self.at < self.end:
                    said.append(self.text[self.at])
                    self.at += 1
                continue
            if char in _ENDS:
                break
            if char == "~" and said:
                fuzzy = True
                break
            starred = bool(said) and char == "*"
            said.append(char)
            self.at += 1
        if said:
            self._join(self._leaf("".join(said), starred, fuzzy))

    def _leaf(self, said: str, starred: bool, fuzzy: bool) -> Leaf:
        if fuzzy:
            edits = min(self._number(), MOST_EDITS)
            return Fuzzy(said, edits) if edits else Word(said)
        return Prefix(said[:-1]) if starred else Word(said)

    def _number(self) -> int:
        """The figure after the tilde: none means the most, anything else than a figure zero."""
        self.at += 1
        start = self.at
        while self.at < self.end and self.text[self.at] not in _ENDS:
            self.at += 1
        figure = self.text[start : self.at]
        if not figure:
            return MOST_EDITS
        try:
            return min(max(int(figure), 0), 2**31 - 1) if len(figure) < 11 else 0
        except ValueError:
            return 0

    def _join(self, branch: Node | None) -> None:
        if branch is not None and not self._left_out(branch):
            if self.negations % 2:
                branch = Not(branch)
            if self.top is None:
                self.top = branch
            else:
                operator = self.operator or And
                grown = self.top.nodes if self.previous is operator else (self.top,)
                self.top = operator((*grown, branch))
                self.previous = operator
        self.operator = None

    def _left_out(self, branch: Node) -> bool:
        return isinstance(branch, Leaf) and self.is_blank(branch)
