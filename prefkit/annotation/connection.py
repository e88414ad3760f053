"""Which Argilla server, with which key: this workspace's own, or a team's."""

import dataclasses
import importlib
import json
import os
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError, missing_extra
from prefkit.workspace import Workspace

STATE = "server.json"
OWNER = "owner.json"
KEY_VARIABLE = "ARGILLA_API_KEY"
URL_VARIABLE = "ARGILLA_API_URL"


@dataclasses.dataclass(frozen=True)
class Connection:
    """A server and the key to it.

    Attributes:
        url: Such as `http://127.0.0.1:6900`, without a slash at its end.
        api_key: Secret: it is never shown, logged or recorded.
        where: The server in words, for messages.
    """

    url: str
    api_key: str = dataclasses.field(repr=False)
    where: str


@dataclasses.dataclass(frozen=True)
class ServerInfo:
    """What a server says of itself and of whom the key belongs to.

    Attributes:
        version: Of Argilla.
        user: Name of the key's user.
        role: `owner`, `admin` or `annotator`.
    """

    version: str
    user: str
    role: str


def connect_to(server: str | None, workspace: Workspace) -> Connection:
    """The connection to a server: the one named, this workspace's own, or `ARGILLA_API_URL`'s.

    Raises:
        PrefkitError: No server is named and none runs here, or a URL comes without a key.
    """
    server = server or (None if _runs(workspace) else os.environ.get(URL_VARIABLE))
    if not server:
        return _own(workspace)
    url = server.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise PrefkitError(
            f"{server!r} is not the address of a server.",
            hint="Write it as https://argilla.example.org or http://127.0.0.1:6900.",
        )
    shown = url.split("://")[0] + "://" + url.split("://")[1].rpartition("@")[2]  # no password
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise PrefkitError(
            f"{shown}: no API key for this server.",
            hint=f"Put the key from Argilla's page `My settings` into {KEY_VARIABLE}.",
        )
    return Connection(url, key, shown)


def http() -> Any:  # the module httpx
    """The HTTP library, which comes with the extra `annotate`.

    Raises:
        PrefkitError: It is not installed.
    """
    try:
        return importlib.import_module("httpx")
    except ImportError as error:
        raise missing_extra("httpx", "annotate", "Talking to Argilla") from error


def _runs(workspace: Workspace) -> bool:
    return (workspace.private / "argilla" / STATE).exists()


def _own(workspace: Workspace) -> Connection:
    folder = workspace.private / "argilla"
    state, owner = _read(folder / STATE), _read(folder / OWNER)
    if not state or not owner:
        raise PrefkitError(
            f"{workspace.root}: no Argilla server runs in this workspace.",
            hint="Start it with `prefkit annotate serve --detach`, or name a team's server with "
            "--server URL.",
        )
    return Connection(state["url"], owner["api_key"], f"this workspace's server ({state['url']})")


def _read(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PrefkitError(
            f"{path}: cannot be read: {error}.",
            hint="`prefkit annotate stop`, then `prefkit annotate serve`, write it anew.",
        ) from error


def check(connection: Connection, timeout: float = 10.0) -> ServerInfo:
    """Ask a server who it is and whom the key belongs to.

    Raises:
        PrefkitError: It does not answer, is not Argilla, or refuses the key.
    """
    httpx = http()
    headers = {"X-Argilla-Api-Key": connection.api_key}
    try:
        with httpx.Client(base_url=connection.url, headers=headers, timeout=timeout) as client:
            version = client.get("/api/v1/version")
            me = client.get("/api/v1/me")
    except httpx.HTTPError as error:
        raise PrefkitError(
            f"{connection.where} does not answer: {str(error) or type(error).__name__}.",
            hint="Is it running? `prefkit annotate serve --detach` starts this workspace's own.",
        ) from error
    if me.status_code in (401, 403):
        raise PrefkitError(
            f"{connection.where} refuses the API key.",
            hint=f"{KEY_VARIABLE} must hold the key from Argilla's page `My settings`.",
        )
    try:
        return ServerInfo(version.json()["version"], me.json()["username"], me.json()["role"])
    except (ValueError, KeyError, TypeError) as error:
        raise PrefkitError(
            f"{connection.where} is not an Argilla 2 server (it answered {me.status_code}).",
            hint="Give the address of the page people sign in to, without a path behind it.",
        ) from error
