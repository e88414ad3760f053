"""The embedded Argilla server: started with one command, stopped without a trace.

Three programs under one parent: Redis (Argilla's job queue), the web server with the page and the
API, and one background worker. What they keep lies in `.prefkit/argilla` of the workspace:

    data/        the database (SQLite) and the job queue
    backups/     the database before each upgrade of Argilla
    owner.json   name, password and API key of the owner
    server.json  where it runs, while it runs
    server.log   what the web server says; worker.log and queue.log are the others'
"""

import contextlib
import dataclasses
import datetime
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Generator
from pathlib import Path

from prefkit.annotation.connection import OWNER, STATE
from prefkit.annotation.environment import data_folder, server_python
from prefkit.annotation.processes import Child, last_line
from prefkit.annotation.programs import LOGS, owner_of, programs
from prefkit.errors import PrefkitError
from prefkit.storage import write_json, write_text
from prefkit.workspace import Workspace

LOOPBACK = "127.0.0.1"
PORT = 6900
START_SECONDS = 180.0
STOP_SECONDS = 60.0
SCRATCH = "prefkit-argilla-"
LARGEST_LOG = 10_000_000  # bytes; a larger log is put aside at the next start


@dataclasses.dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: Of its page.
        pid: Of the parent process.
        started: ISO 8601, UTC.
        owner: Who may sign in as owner.
        secrets: File with the owner's password and API key.
    """

    url: str
    pid: int
    started: str
    owner: str
    secrets: Path


def serve(
    workspace: Workspace,
    host: str = LOOPBACK,
    port: int = PORT,
    ready: Callable[[Running], None] = lambda _: None,
) -> None:
    """Run the server until SIGINT or SIGTERM; a program that dies is started again.

    Args:
        workspace: Whose server; its environment is made on first use.
        host: Address to listen at; anything but loopback is open to the network, without TLS.
        port: Port to listen at; 0 takes a free one.
        ready: Called once, when the page can be opened.

    Raises:
        PrefkitError: The port is taken, another server runs on this workspace, the database is of
            a newer Argilla, or a program dies again and again.
    """
    python = server_python(workspace)
    folder = data_folder(workspace)
    with _only_one(folder), _until_told() as told, _scratch(folder) as scratch:
        port = _free(host, port)
        for name in LOGS:
            _put_aside(folder / name)
        owner = owner_of(folder)
        children = programs(python, folder, scratch, host, port, owner)
        try:
            for child in children:
                child.start()
            url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{port}"
            _wait_until_up(children, url, told, folder / "server.log")
            state = {"url": url, "pid": os.getpid(), "started": _now()}
            if not told:
                write_json(folder / STATE, state)
                ready(_running(folder, state))
            while not told:
                time.sleep(0.25)
                for child in children:
                    child.revive()
        finally:
            (folder / STATE).unlink(missing_ok=True)
            for child in reversed(children):
                child.stop()


def serve_detached(workspace: Workspace, host: str = LOOPBACK, port: int = PORT) -> Running:
    """Run `serve` in the background; returns when the page can be opened.

    Raises:
        PrefkitError: As `serve`; the reason is read from its log.
    """
    server_python(workspace)
    folder = data_folder(workspace)
    if running(workspace):
        raise _already(folder)
    log = folder / "detached.log"
    command = [sys.executable, "-m", "prefkit", "annotate", "serve"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--host", host, "--port", str(port)],
            cwd=workspace.root,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while process.poll() is None:
        found = running(workspace)
        if found and found.pid == process.pid:
            _detached.append(process)
            return found
        time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise PrefkitError(said.removeprefix("Error: ") or f"The server ended at once; see {log}.")


_detached: list[subprocess.Popen[bytes]] = []  # held: a handle let go of warns that it still runs


def running(workspace: Workspace) -> Running | None:
    """The server of a workspace, if it runs."""
    folder = workspace.private / "argilla"
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return _running(folder, state) if _is_locked(folder) else None


def stop(workspace: Workspace) -> bool:
    """Stop a workspace's server and wait for its end; whether one ran.

    Raises:
        PrefkitError: It does not end in time.
    """
    found = running(workspace)
    if found is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_locked(workspace.private / "argilla"):
        if time.monotonic() > deadline:
            raise PrefkitError(
                f"The server (process {found.pid}) does not end.",
                hint=f"See {workspace.private / 'argilla' / 'server.log'}; `kill -9 {found.pid}` "
                "loses nothing that was submitted.",
            )
        time.sleep(0.1)
    for child in [one for one in _detached if one.pid == found.pid]:
        child.wait()  # it was ours: let it leave no zombie
        _detached.remove(child)
    return True


def _running(folder: Path, state: dict) -> Running:
    owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
    secrets_file = folder / OWNER
    return Running(state["url"], state["pid"], state["started"], owner["username"], secrets_file)


def _wait_until_up(children: list[Child], url: str, told: list[int], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    address = url.removeprefix("http://")
    while not told:
        for child in children:
            child.revive()
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(address, timeout=2)
            connection.request("GET", "/api/v1/version")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        if time.monotonic() > deadline:
            raise PrefkitError(
                f"The server does not answer at {url} after {START_SECONDS:.0f} s: "
                f"{last_line(log)}",
                hint=f"{log} says more.",
            )
        time.sleep(0.1)


def _free(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PrefkitError(
                f"{host}:{port} cannot be used: {error.strerror or error}.",
                hint="Choose another port with --port, or --port 0 for any free one.",
            ) from error
        return probe.getsockname()[1]


@contextlib.contextmanager
def _only_one(folder: Path) -> Generator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _already(folder) from error
        yield


def _is_locked(folder: Path) -> bool:
    try:
        with (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _already(folder: Path) -> PrefkitError:
    url = "its address appears when it is up"
    with contextlib.suppress(OSError, ValueError, KeyError):
        url = json.loads((folder / STATE).read_text(encoding="utf-8"))["url"]
    return PrefkitError(
        f"{folder}: a server runs here already ({url}).",
        hint="Use it, or end it with `prefkit annotate stop`.",
    )


@contextlib.contextmanager
def _until_told() -> Generator[list[int]]:
    """A list that holds the signal once SIGINT or SIGTERM has come."""
    told: list[int] = []

    def note(number: int, _frame: types.FrameType | None) -> None:
        told.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _scratch(folder: Path) -> Generator[Path]:
    """A folder that is gone afterwards, or at the next start."""
    note = folder / "scratch"
    with contextlib.suppress(FileNotFoundError):  # of a server that was killed
        left = Path(note.read_text(encoding="utf-8"))
        if left.name.startswith(SCRATCH):
            shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=SCRATCH))
    try:
        write_text(note, str(path))
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        note.unlink(missing_ok=True)


def _put_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
