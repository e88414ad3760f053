"""A query's leaves resolved to tokens in columns; the rest of the tree is as it was parsed."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal

from argilla_server.errors.future import UnprocessableEntityError

from prefkit_argilla.engine import analysis
from prefkit_argilla.engine.documents import Column, Segments
from prefkit_argilla.engine.query import (
    And,
    Everything,
    Fuzzy,
    Leaf,
    Node,
    Not,
    Nothing,
    Or,
    Phrase,
    Prefix,
    Word,
    parse,
)

MOST_LEAVES = 1024  # Lucene's limit of clauses
DEEPEST = 20  # SQLite's parser gives up on twice as many levels

How = Literal["all", "any", "phrase", "prefix"]


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Tokens that must stand within one of the columns: all, any, in a row, or as a beginning."""

    how: How
    columns: tuple[int, ...]
    tokens: tuple[str, ...]
    exact: bool = False

    def __post_init__(self) -> None:
        """One token in a row is just one token."""
        if len(self.tokens) == 1 and self.how in ("phrase", "any"):
            object.__setattr__(self, "how", "all")


@dataclasses.dataclass(frozen=True)
class Docs:
    """Records found beforehand, by a search that no index can do."""

    docs: tuple[int, ...]


Resolved = Tokens | Docs | Not | And | Or | Everything | Nothing
Expand = Callable[[str, int, bool], list[str]]
Near = Callable[[tuple[str, ...], int, tuple[int, ...]], list[int]]


class Resolver:
    """Resolves queries over some columns.

    Args:
        columns: Those to search.
        expand: Tokens near a misspelt one: (token, edits, exact).
        near: Records with a loose phrase: (tokens, slop, columns).
    """

    def __init__(self, columns: list[Column], expand: Expand, near: Near) -> None:
        self.analysed = tuple(column.position for column in columns if not column.exact)
        self.exact = tuple(column.position for column in columns if column.exact)
        self.expand = expand
        self.near = near

    def resolve(self, text: str) -> Resolved:
        """The tree of a query string.

        Raises:
            UnprocessableEntityError: It has more terms, or is nested deeper, than any person types.
        """
        clean = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        node = parse(clean, self._is_blank)
        depth, leaves = _size(node)
        if leaves > MOST_LEAVES or depth > DEEPEST:
            raise UnprocessableEntityError(
                f"The query is too large: {leaves} terms, {depth} levels of operators "
                f"(at most {MOST_LEAVES} and {DEEPEST})."
            )
        return self._node(node)

    def _is_blank(self, leaf: Leaf) -> bool:
        if not isinstance(leaf, Word | Phrase) or self.exact:
            return False
        return not analysis.tokens(leaf.text)

    def _node(self, node: Node) -> Resolved:
        if isinstance(node, Not):
            return Not(self._node(node.node))
        if isinstance(node, And | Or):
            return type(node)(tuple(self._node(inner) for inner in node.nodes))
        if isinstance(node, Everything | Nothing):
            return node
        found = [*self._in_analysed(node), *self._in_exact(node)]
        if not found:
            return Nothing()
        return found[0] if len(found) == 1 else Or(tuple(found))

    def _in_analysed(self, leaf: Leaf) -> Iterator[Resolved]:
        columns = self.analysed
        if not columns:
            return
        if isinstance(leaf, Prefix):
            yield Tokens("prefix", columns, (analysis.lowered(leaf.text),))
            return
        if isinstance(leaf, Fuzzy):
            near = self.expand(analysis.lowered(leaf.text), leaf.edits, False)
            if near:
                yield Tokens("any", columns, tuple(near))
            return
        tokens = tuple(analysis.tokens(leaf.text))
        if not tokens:
            return
        if isinstance(leaf, Phrase) and leaf.slop and len(tokens) > 1:
            yield Docs(tuple(self.near(tokens, leaf.slop, columns)))
        elif isinstance(leaf, Phrase):
            yield Tokens("phrase", columns, tokens)
        else:
            yield Tokens("all", columns, tuple(dict.fromkeys(tokens)))

    def _in_exact(self, leaf: Leaf) -> Iterator[Resolved]:
        if not self.exact:
            return
        if isinstance(leaf, Fuzzy):
            near = self.expand(leaf.text, leaf.edits, True)
            if near:
                yield Tokens("any", self.exact, tuple(near), exact=True)
        else:
            how: How = "prefix" if isinstance(leaf, Prefix) else "all"
            yield Tokens(how, self.exact, (leaf.text,), exact=True)


def positive(node: Resolved) -> Iterator[Tokens]:
    """The leaves that a record is the better for matching."""
    if isinstance(node, Tokens):
        yield node
    elif isinstance(node, And | Or):
        for inner in node.nodes:
            yield from positive(inner)


def _size(node: Node) -> tuple[int, int]:
    """Levels and leaves of a tree; it may be too deep for recursion."""
    deepest = leaves = 0
    waiting = [(node, 1)]
    while waiting:
        at, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(at, Not):
            waiting.append((at.node, depth + 1))
        elif isinstance(at, And | Or):
            waiting.extend((inner, depth + 1) for inner in at.nodes)
        else:
            leaves += 1
    return deepest, leaves


def stands_near(tokens: tuple[str, ...], slop: int, segments: Segments, gap: int) -> bool:
    """Whether a phrase stands in a column when its words may be moved `slop` places in all.

    The rule is Lucene's: each token's position less its place in the phrase; the spread of these
    is the number of moves. Two equal tokens never share a position.
    """
    places: dict[str, list[int]] = {token: [] for token in tokens}
    position = 0
    for number, segment in enumerate(segments):
        position += gap if number else 0
        for token in segment:
            if token in places:
                places[token].append(position)
            position += 1
    if not all(places.values()):
        return False
    return _least_spread(tokens, places) <= slop


def _least_spread(tokens: tuple[str, ...], places: dict[str, list[int]]) -> float:
    """The smallest spread over all ways to place the tokens."""
    starts = sorted({at - index for index, token in enumerate(tokens) for at in places[token]})
    least = float("inf")
    for start in starts:
        taken: set[int] = set()
        end = start
        for index, token in enumerate(tokens):
            free = [at for at in places[token] if at - index >= start and at not in taken]
            if not free:
                return least
            taken.add(free[0])
            end = max(end, free[0] - index)
        least = min(least, end - start)
    return least
