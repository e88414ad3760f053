"""Argilla's search engine over Argilla's own database: no Elasticsearch to run.

Importing this package registers the engine as `sql`; `ARGILLA_SEARCH_ENGINE=sql` chooses it. It
works on SQLite and PostgreSQL and answers as Argilla's Elasticsearch engine does.
"""

from prefkit_argilla.engine.engine import SqlSearchEngine

__all__ = ["SqlSearchEngine"]
