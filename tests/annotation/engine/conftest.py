"""Databases for the search engine's tests.

They run inside the Argilla server's environment, apart from prefkit's own tests:

    PYTHONPATH=annotation/server SERVER_ENV/bin/python -m pytest -c /dev/null \
        --rootdir tests/annotation/engine tests/annotation/engine

Every test runs on SQLite and on PostgreSQL. PostgreSQL is started here from Debian's package, as an
unprivileged user on a socket of its own; `PREFKIT_TEST_POSTGRESQL` names another server instead
(`postgresql://user:password@host/`), one where databases may be made.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

import pytest
from postgresql_server import binaries, new_database, started

if importlib.util.find_spec("argilla_server") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    _HOME = tempfile.mkdtemp(prefix="prefkit-engine-")
    os.environ["ARGILLA_HOME_PATH"] = _HOME
    os.environ["ARGILLA_DATABASE_URL"] = f"sqlite+aiosqlite:///{_HOME}/argilla.db"
    os.environ["ARGILLA_SEARCH_ENGINE"] = "sql"
    os.environ["HF_HUB_OFFLINE"] = "1"

    from argilla_server.database import set_sqlite_pragma
    from sqlalchemy import Engine, event

    # Argilla speaks SQLite to every connection of a process that it is set up with; here both
    # kinds share one process, and our own connections set the same pragma.
    event.remove(Engine, "connect", set_sqlite_pragma)


def pytest_sessionfinish():
    if "_HOME" in globals():
        shutil.rmtree(_HOME, ignore_errors=True)


def migrate(url):
    """Make Argilla's tables."""
    subprocess.run(
        [sys.executable, "-m", "argilla_server", "database", "migrate"],
        env={**os.environ, "ARGILLA_DATABASE_URL": url},
        check=True,
        capture_output=True,
        timeout=120,
    )


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory):
    """A migrated SQLite database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/argilla.db"
    migrate(url)
    return url


@pytest.fixture(scope="session")
def postgresql_server():
    """The address of a PostgreSQL server, without a database's name."""
    given = os.environ.get("PREFKIT_TEST_POSTGRESQL")
    if given:
        yield given.rstrip("/")
        return
    found = binaries()
    if found is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with started(found, "fsync=off", "shared_buffers=256MB") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server):
    """A migrated PostgreSQL database."""
    url = new_database(postgresql_server, "prefkit_engine")
    migrate(url)
    return url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request):
    """A migrated database, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(scope="session")
def world(database_url):
    """Datasets, records and annotators in a database, and the engine on it."""
    from world import World

    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def empty_url(request, tmp_path, database_url):
    """A migrated database of the test's own."""
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/own.db"
    else:
        server = request.getfixturevalue("postgresql_server")
        url = new_database(server, "prefkit_engine_own")
    migrate(url)
    return url
