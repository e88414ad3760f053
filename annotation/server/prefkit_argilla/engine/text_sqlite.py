"""Full text on SQLite: one FTS5 table for each dataset, filled with our own tokens.

FTS5's `ascii` tokenizer is told to split at spaces only: every character that our tokens may hold
is a token character, quotes stand in disguise. Roles are kept as hexadecimal digits, which no case
folding can change.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.database import rows, run
from prefkit_argilla.engine.documents import Column, Segments
from prefkit_argilla.engine.matched import Matched
from prefkit_argilla.engine.matching import Docs, Resolved, Tokens, positive
from prefkit_argilla.engine.query import And, Everything, Not, Or

_BETWEEN = " \ue000 "  # stands between messages: phrases do not reach over it
_PUNCTUATION = "_.,:;#*"  # ASCII that a token may hold beside letters, digits and quotes
_DISGUISED = str.maketrans({"'": "\ue001", '"': "\ue002"})
_DEEPEST = 4  # FTS5's own parser gives up on deep expressions


def table(dataset: int) -> str:
    """The dataset's table."""
    return f"prefkit_text_{dataset}"


def create(connection: Connection, dataset: int, columns: list[Column]) -> None:
    """Make the table anew."""
    drop(connection, dataset)
    names = ", ".join(f"c{column.position}" for column in columns) or "c0"
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {table(dataset)} USING fts5("
        f"{names}, tokenize=\"ascii tokenchars '{_PUNCTUATION}'\")"
    )


def drop(connection: Connection, dataset: int) -> None:
    """Forget the dataset's text."""
    run(connection, f"DROP TABLE IF EXISTS {table(dataset)}")


def exists(connection: Connection, dataset: int) -> bool:
    """Whether there is a table."""
    sql = "SELECT 1 FROM sqlite_master WHERE name = :name"
    return bool(rows(connection, sql, {"name": table(dataset)}))


def put(
    connection: Connection,
    dataset: int,
    columns: list[Column],
    documents: Iterable[tuple[int, list[Segments]]],
) -> None:
    """Store the tokens of records, in place of those that were there."""
    texts = [
        (doc, *(_stored(column, part) for column, part in zip(columns, parts, strict=True)))
        for doc, parts in documents
    ]
    if not texts or not columns:
        return
    remove(connection, dataset, [text[0] for text in texts])
    names = ", ".join(f"c{column.position}" for column in columns)
    marks = ", ".join("?" * (len(columns) + 1))
    connection.exec_driver_sql(
        f"INSERT INTO {table(dataset)} (rowid, {names}) VALUES ({marks})", texts
    )


def remove(connection: Connection, dataset: int, docs: list[int]) -> None:
    """Forget the text of records."""
    connection.exec_driver_sql(
        f"DELETE FROM {table(dataset)} WHERE rowid = ?", [(doc,) for doc in docs]
    )


def match(connection: Connection, dataset: int, node: Resolved, binder: Binder) -> Matched:
    """The records that a query finds, and how well."""
    name = table(dataset)
    if not exists(connection, dataset):
        return Matched("1 = 0")
    writer = _Writer(name, binder)
    condition = writer.condition(node)
    whole = _expression(node)
    if whole is not None:
        query = binder.bind(whole)
        return Matched(
            condition,
            # FTS5 may still hold records that were deleted a moment ago.
            docs=f"SELECT rowid FROM {name} WHERE {name} MATCH {query} "
            "AND rowid NOT IN (SELECT doc FROM prefkit_gone)",
            # CROSS JOIN keeps SQLite from asking FTS5 once for every record.
            tables=f"{name} CROSS JOIN prefkit_docs AS d",
            joined_condition=f"{name} MATCH {query} AND d.doc = {name}.rowid",
            score=f"-bm25({name})",
        )
    better = [expression for leaf in positive(node) if (expression := _expression(leaf))]
    if not better:
        return Matched(condition)
    query = binder.bind(" OR ".join(better))
    return Matched(
        condition,
        tables="prefkit_docs AS d LEFT JOIN ("
        f"SELECT rowid AS doc, -bm25({name}) AS score FROM {name} "
        f"WHERE {name} MATCH {query}) AS ranked ON ranked.doc = d.doc",
        joined_condition=condition,
        score="coalesce(ranked.score, 1.0)",
    )


def candidates(
    connection: Connection, dataset: int, tokens: tuple[str, ...], columns: tuple[int, ...]
) -> Iterator[tuple[int, int, Segments]]:
    """Where all the tokens stand in one column: (doc, column, its segments)."""
    name = table(dataset)
    if not exists(connection, dataset):
        return
    for column in columns:
        expression = _expression(Tokens("all", (column,), tuple(dict.fromkeys(tokens))))
        sql = f"SELECT rowid, c{column} FROM {name} WHERE {name} MATCH :query"
        for doc, stored in rows(connection, sql, {"query": expression}):
            segments = [part.split() for part in _plain(stored).split(_BETWEEN.strip())]
            yield doc, column, segments


class _Writer:
    """Writes a tree as SQL, with as much of it as possible left to FTS5."""

    def __init__(self, name: str, binder: Binder) -> None:
        self.name = name
        self.binder = binder

    def condition(self, node: Resolved) -> str:
        expression = _expression(node)
        if expression is not None:
            query = self.binder.bind(expression)
            return f"d.doc IN (SELECT rowid FROM {self.name} WHERE {self.name} MATCH {query})"
        if isinstance(node, Docs):
            return (
                f"d.doc IN (SELECT value FROM json_each({self.binder.bind(str(list(node.docs)))}))"
            )
        if isinstance(node, Not):
            return f"NOT ({self.condition(node.node)})"
        if isinstance(node, And | Or):
            operator = " AND " if isinstance(node, And) else " OR "
            return f"({operator.join(self.condition(inner) for inner in node.nodes)})"
        return "1 = 1" if isinstance(node, Everything) else "1 = 0"


def _expression(node: Resolved, depth: int = 0) -> str | None:
    """The tree in FTS5's own language; None when it cannot be said there."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, Tokens):
        return _leaf(node)
    if isinstance(node, Or):
        return _joined([_expression(inner, depth + 1) for inner in node.nodes], " OR ")
    if isinstance(node, And):
        wanted = [_expression(n, depth + 1) for n in node.nodes if not isinstance(n, Not)]
        unwanted = [_expression(n.node, depth + 1) for n in node.nodes if isinstance(n, Not)]
        found = _joined(wanted, " AND ") if wanted else None
        if found is None or not unwanted:
            return found
        refused = _joined(unwanted, " OR ")
        return None if refused is None else f"({found} NOT {refused})"
    return None


def _joined(parts: list[str | None], operator: str) -> str | None:
    said = [part for part in parts if part is not None]
    return f"({operator.join(said)})" if len(said) == len(parts) else None


def _leaf(leaf: Tokens) -> str | None:
    said = [_token(token, leaf.exact) for token in leaf.tokens]
    if None in said:
        return None  # no token can look like that
    quoted = [f'"{token}"' for token in said]
    if leaf.how == "prefix":
        return f"({_within(leaf.columns)} : {quoted[0]} *)"
    if leaf.how == "phrase":
        return f'({_within(leaf.columns)} : "{" ".join(str(token) for token in said)}")'
    if leaf.how == "any":
        return f"({_within(leaf.columns)} : ({' OR '.join(quoted)}))"
    if len(quoted) == 1:
        return f"({_within(leaf.columns)} : {quoted[0]})"
    each = [f"({_within((column,))} : ({' AND '.join(quoted)}))" for column in leaf.columns]
    return f"({' OR '.join(each)})"


def _within(columns: tuple[int, ...]) -> str:
    return "{" + " ".join(f"c{column}" for column in columns) + "}"


def _stored(column: Column, segments: Segments) -> str:
    if column.exact:
        return _BETWEEN.join(str(_token(role, exact=True)) for (role,) in segments)
    return _BETWEEN.join(" ".join(segment) for segment in segments).translate(_DISGUISED)


def _token(token: str, exact: bool) -> str | None:
    if exact:
        return "x" + token.encode("utf-8", "replace").hex()
    token = token.translate(_DISGUISED)
    usual = all(char.isalnum() or char in _PUNCTUATION for char in token if char.isascii())
    return token if usual and token else None


def _plain(stored: str) -> str:
    return stored.replace("\ue001", "'").replace("\ue002", '"')
