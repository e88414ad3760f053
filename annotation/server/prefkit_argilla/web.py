"""`python -m prefkit_argilla.web`: the Argilla server with its page, ready to be signed in to.

Reads one JSON document from standard input, because it holds secrets that a command line or an
environment would show: `{"host", "port", "owner": {"username", "password", "api_key",
"workspace"}, "backups"}`. Exits with 3 when the database belongs to a newer Argilla.
"""

import json
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from prefkit_argilla import database, engine, locking, webhooks
from prefkit_argilla.headers import SafeHeaders

NEWER_DATABASE = 3


def main() -> None:
    """Make the database ready and serve until told to stop."""
    said = json.load(sys.stdin)
    locking.configure()
    webhooks.configure()
    try:
        database.migrate(Path(said["backups"]))
    except database.NotOurs as error:
        sys.exit(_refuse(str(error)))
    database.ensure_owner(**said["owner"])
    from argilla_server._app import app  # after the engine is registered and the database is there

    assert engine  # imported for its registration
    uvicorn.run(
        SafeHeaders(locking.WritersInARow(app), _pages(app)),
        host=said["host"],
        port=said["port"],
        access_log=False,
        timeout_graceful_shutdown=5,
    )


def _pages(app: FastAPI) -> Path:
    """Where Argilla unpacked its page."""
    static = next(route for route in app.routes if route.name == "static")
    return Path(static.app.directory)


def _refuse(why: str) -> int:
    sys.stderr.write(why + "\n")
    return NEWER_DATABASE


if __name__ == "__main__":
    main()
