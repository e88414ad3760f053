"""Full text on PostgreSQL: a tsvector made of our own tokens, each marked with its column.

A tsvector forgets positions of long texts (256 a word, 16,383 in all), so phrases are looked up in
the tokens themselves, after the index has named the candidates.
"""

from collections.abc import Iterable, Iterator

from psycopg2.extras import execute_values
from sqlalchemy import Connection

from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.database import rows, run
from prefkit_argilla.engine.documents import Column, Segments
from prefkit_argilla.engine.matched import Matched
from prefkit_argilla.engine.matching import Docs, Resolved, Tokens, positive
from prefkit_argilla.engine.query import And, Everything, Not, Or

_MOST_POSITIONS = 255
_LAST_POSITION = 16_383
_MOST_BYTES = 900_000  # a tsvector holds a megabyte
_LONGEST = 500  # characters of a role that count
_RANKING = 1  # ts_rank divides by 1 + log(length)


def drop(connection: Connection, dataset: int) -> None:
    """Forget the dataset's text."""
    run(connection, "DELETE FROM prefkit_text WHERE dataset = :dataset", {"dataset": dataset})


def put(
    connection: Connection,
    dataset: int,
    columns: list[Column],
    documents: Iterable[tuple[int, list[Segments]]],
) -> None:
    """Store the tokens of records, in place of those that were there."""
    values = [
        (doc, dataset, _lexemes(columns, parts), _texts(columns, parts)) for doc, parts in documents
    ]
    with connection.connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO prefkit_text (doc, dataset, lexemes, tokens) VALUES %s "
            "ON CONFLICT (doc) DO UPDATE SET lexemes = excluded.lexemes, tokens = excluded.tokens",
            values,
            template="(%s, %s, %s::tsvector, %s::text[])",
        )


def match(connection: Connection, dataset: int, node: Resolved, binder: Binder) -> Matched:
    """The records that a query finds, and how well."""
    number = binder.bind(dataset)
    writer = _Writer(number, binder)
    condition = writer.condition(node)
    better = [_leaf(leaf) for leaf in positive(node)]
    docs = writer.select(node)
    if not better:
        return Matched(condition, docs)
    query = binder.bind(" | ".join(better))
    whole = _expression(node)
    return Matched(
        condition,
        docs,
        tables="prefkit_docs AS d LEFT JOIN prefkit_text AS x "
        f"ON x.doc = d.doc AND x.dataset = {number}",
        joined_condition=condition
        if whole is None
        else f"x.lexemes @@ CAST({binder.bind(whole)} AS tsquery)",
        score=f"coalesce(ts_rank(x.lexemes, CAST({query} AS tsquery), {_RANKING}), 1.0)",
    )


def candidates(
    connection: Connection, dataset: int, tokens: tuple[str, ...], columns: tuple[int, ...]
) -> Iterator[tuple[int, int, Segments]]:
    """Where all the tokens stand in one column: (doc, column, its segments)."""
    for column in columns:
        found = rows(
            connection,
            "SELECT doc, tokens[:place] FROM prefkit_text "
            "WHERE dataset = :dataset AND lexemes @@ CAST(:query AS tsquery)",
            {
                "place": column + 1,
                "dataset": dataset,
                "query": _leaf(Tokens("all", (column,), tuple(dict.fromkeys(tokens)))),
            },
        )
        for doc, stored in found:
            yield doc, column, [part.split() for part in stored.split("\n")]


class _Writer:
    """Writes a tree as SQL, with as much of it as possible left to the index."""

    def __init__(self, dataset: str, binder: Binder) -> None:
        self.dataset = dataset
        self.binder = binder

    def condition(self, node: Resolved) -> str:
        select = self.select(node)
        if select is not None:
            return f"d.doc IN ({select})"
        if isinstance(node, Docs):
            return f"d.doc = ANY(CAST({self.binder.bind(list(node.docs))} AS bigint[]))"
        if isinstance(node, Not):
            return f"NOT ({self.condition(node.node)})"
        if isinstance(node, And | Or):
            operator = " AND " if isinstance(node, And) else " OR "
            return f"({operator.join(self.condition(inner) for inner in node.nodes)})"
        return "1 = 1" if isinstance(node, Everything) else "1 = 0"

    def select(self, node: Resolved) -> str | None:
        """The records that the index finds; None when it cannot say."""
        expression = _expression(node)
        if expression is not None:
            return self._found(f"x.lexemes @@ {self._query(expression)}")
        return self._phrase(node) if isinstance(node, Tokens) else None

    def _phrase(self, leaf: Tokens) -> str:
        said = self.binder.bind(f" {' '.join(leaf.tokens)} ")
        places = [
            f"strpos(x.tokens[{self.binder.bind(column + 1)}], {said}) > 0"
            for column in leaf.columns
        ]
        expression = self._query(_leaf(leaf))
        return self._found(f"x.lexemes @@ {expression} AND ({' OR '.join(places)})")

    def _found(self, condition: str) -> str:
        return (
            f"SELECT x.doc FROM prefkit_text AS x WHERE x.dataset = {self.dataset} AND {condition}"
        )

    def _query(self, expression: str) -> str:
        return f"CAST({self.binder.bind(expression)} AS tsquery)"


def _expression(node: Resolved) -> str | None:
    """The tree as a tsquery; None when it cannot be said there."""
    if isinstance(node, Tokens):
        return None if node.how == "phrase" else _leaf(node)
    if isinstance(node, And | Or):
        parts = [_expression(inner) for inner in node.nodes]
        said = [part for part in parts if part is not None]
        operator = " & " if isinstance(node, And) else " | "
        return f"({operator.join(said)})" if len(said) == len(parts) else None
    if isinstance(node, Not):
        inner = _expression(node.node)
        return None if inner is None else f"!{inner}"
    return None


def _leaf(leaf: Tokens) -> str:
    """The tokens as a tsquery; of a phrase, what its records hold at least."""
    ending = ":*" if leaf.how == "prefix" else ""
    operator = " | " if leaf.how == "any" else " & "
    return _either(
        _either((_quoted(column, token) + ending for token in leaf.tokens), operator)
        for column in leaf.columns
    )


def _either(parts: Iterable[str], operator: str = " | ") -> str:
    return f"({operator.join(parts)})"


def _quoted(column: int, token: str) -> str:
    lexeme = f"{column}/{token[:_LONGEST]}".replace("\\", "\\\\").replace("'", "''")
    return f"'{lexeme}'"


def _lexemes(columns: list[Column], parts: list[Segments]) -> str:
    places: dict[str, list[int]] = {}
    position = 0
    for column, segments in zip(columns, parts, strict=True):
        for segment in segments:
            for token in segment:
                position += 1
                found = places.setdefault(_quoted(column.position, token), [])
                if len(found) < _MOST_POSITIONS:
                    found.append(min(position, _LAST_POSITION))
    written = " ".join(
        f"{key}:{','.join(map(str, dict.fromkeys(at)))}" for key, at in places.items()
    )
    if len(written.encode()) < _MOST_BYTES:
        return written
    return _without_positions(places)


def _without_positions(places: dict[str, list[int]]) -> str:
    """As many of the words as fit: a record of many megabytes is found by its first ones."""
    kept: list[str] = []
    left = _MOST_BYTES
    for key in places:
        left -= len(key.encode()) + 1
        if left < 0:
            break
        kept.append(key)
    return " ".join(kept)


def _texts(columns: list[Column], parts: list[Segments]) -> list[str]:
    return [
        "" if column.exact else "\n".join(f" {' '.join(segment)} " for segment in segments)
        for column, segments in zip(columns, parts, strict=True)
    ]
