"""Our tables and triggers: made when they are missing, made again when they are not ours.

They live beside Argilla's and start with `prefkit_`. Argilla's migrations may rebuild a table and
so lose its triggers; a database may come from another engine or an older version of this one. In
all these cases everything is dropped and made from Argilla's tables again.
"""

import itertools
import logging
from pathlib import Path

from sqlalchemy import Connection, inspect

from prefkit_argilla.engine.database import Database, rows, run

VERSION = 2

log = logging.getLogger("argilla")

_HERE = Path(__file__).parent
_LOCK = 7_262_539_201  # any number that nobody else locks in PostgreSQL
_WATCHED = ("records", "responses", "suggestions", "vectors", "questions", "metadata_properties")


def ensure(database: Database) -> None:
    """Make our tables and triggers unless they are there and whole.

    Raises:
        RuntimeError: Argilla's own tables are missing: the database is not migrated.
    """
    with database.reading() as connection:
        if _whole(connection):
            return
    with database.writing() as connection:
        if connection.dialect.name != "sqlite":
            run(connection, f"SELECT pg_advisory_xact_lock({_LOCK})")
        if _whole(connection):
            return
        if not set(_WATCHED) <= set(inspect(connection).get_table_names()):
            raise RuntimeError("The database has no Argilla tables: migrate it first.")
        log.info("Preparing the search tables")
        drop(connection)
        for script in ("", "_backfill", "_fill"):
            _execute(connection, f"{connection.dialect.name}{script}.sql")
        run(connection, "INSERT INTO prefkit_schema (version) VALUES (:v)", {"v": VERSION})


def fill_metadata(connection: Connection) -> None:
    """Collect the values of metadata properties that were made after some of the records."""
    _execute(connection, f"{connection.dialect.name}_fill.sql")


def note_all(connection: Connection, dataset: int) -> None:
    """Note every record of a dataset, to be indexed again."""
    mark = "random()" if connection.dialect.name == "sqlite" else "nextval('prefkit_marks')"
    run(
        connection,
        f"INSERT INTO prefkit_dirty (doc, mark) SELECT doc, {mark} FROM prefkit_docs "
        "WHERE dataset = :dataset ON CONFLICT (doc) DO UPDATE SET mark = excluded.mark",
        {"dataset": dataset},
    )


def drop(connection: Connection) -> None:
    """Remove everything of ours, of whatever version."""
    if connection.dialect.name == "sqlite":
        _drop_sqlite(connection)
    else:
        _drop_postgresql(connection)


def _whole(connection: Connection) -> bool:
    if not inspect(connection).has_table("prefkit_schema"):
        return False
    if [row.version for row in rows(connection, "SELECT version FROM prefkit_schema")] != [VERSION]:
        return False
    return _triggers(connection) == _expected(connection.dialect.name)


def _expected(dialect: str) -> set[str]:
    words = (_HERE / f"{dialect}.sql").read_text(encoding="utf-8").split()
    return {
        name
        for before, name in itertools.pairwise(words)
        if before == "TRIGGER" and name.startswith("prefkit_")
    }


def _triggers(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        sql = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        sql = (
            "SELECT t.tgname AS name FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
        )
    return {row.name for row in rows(connection, sql) if row.name.startswith("prefkit_")}


def _execute(connection: Connection, script: str) -> None:
    sql = (_HERE / script).read_text(encoding="utf-8")
    if connection.dialect.name != "sqlite":
        with connection.connection.cursor() as cursor:
            cursor.execute(sql)
        return
    for statement in _statements(sql):
        connection.exec_driver_sql(statement)


def _statements(sql: str) -> list[str]:
    """The statements of a script; a trigger's body has semicolons of its own, indented."""
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    statements: list[str] = []
    current: list[str] = []
    for line in lines:
        current.append(line)
        in_trigger = current[0].startswith("CREATE TRIGGER")
        if line == "END;" if in_trigger else line.endswith(";"):
            statements.append("\n".join(current).strip())
            current = []
        elif not line and len(current) == 1:
            current = []
    return statements


def _drop_sqlite(connection: Connection) -> None:
    kinds = "SELECT type, name FROM sqlite_master WHERE name LIKE 'prefkit\\_%' ESCAPE '\\'"
    found = [(row.type, row.name) for row in rows(connection, kinds)]
    for kind, name in found:
        if kind == "trigger":
            run(connection, f"DROP TRIGGER IF EXISTS {name}")
    virtual = [name for kind, name in found if kind == "table" and _is_text(name)]
    plain = [
        name for kind, name in found if kind == "table" and not name.startswith("prefkit_text_")
    ]
    for name in (*virtual, *plain):
        run(connection, f"DROP TABLE IF EXISTS {name}")


def _is_text(name: str) -> bool:
    return name.startswith("prefkit_text_") and name.removeprefix("prefkit_text_").isdigit()


def _drop_postgresql(connection: Connection) -> None:
    here = "current_schema()::regnamespace"
    found = rows(
        connection,
        "SELECT p.oid::regprocedure::text AS name FROM pg_proc AS p "
        f"WHERE p.pronamespace = {here} AND p.proname LIKE 'prefkit\\_%'",
    )
    for row in found:
        run(connection, f"DROP FUNCTION {row.name} CASCADE")
    kinds = {"r": "TABLE", "S": "SEQUENCE"}
    found = rows(
        connection,
        "SELECT c.relname AS name, c.relkind::text AS kind FROM pg_class AS c "
        f"WHERE c.relnamespace = {here} AND c.relkind IN ('r', 'S') "
        "AND c.relname LIKE 'prefkit\\_%' AND NOT EXISTS ("
        "SELECT 1 FROM pg_depend AS o WHERE o.objid = c.oid AND o.deptype = 'i')",
    )
    for row in found:
        run(connection, f"DROP {kinds[row.kind]} IF EXISTS {row.name} CASCADE")
