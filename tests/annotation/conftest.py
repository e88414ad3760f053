"""A real Argilla server for the tests marked `argilla`: one a session, in a folder of its own."""

import dataclasses
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk

from prefkit.annotation import server
from prefkit.annotation.connection import Connection, connect_to
from prefkit.annotation.environment import SHARED
from prefkit.workspace import Workspace

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-argilla"


@dataclasses.dataclass
class Server:
    """A running server and the workspace it belongs to."""

    workspace: Workspace

    @property
    def connection(self) -> Connection:
        return connect_to(None, self.workspace)

    def restart(self) -> None:
        server.stop(self.workspace)
        server.serve_detached(self.workspace, port=0)


@pytest.fixture(scope="session")
def server_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SHARED, os.environ.get(SHARED, str(ENVIRONMENT)))
        yield


@pytest.fixture(scope="session")
def live_server(
    server_environment: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The server itself, for tests that stop, kill or restart it."""
    root = tmp_path_factory.mktemp("argilla")
    workspace = Workspace(root)
    server.serve_detached(workspace, port=0)
    try:
        yield Server(workspace)
    finally:
        server.stop(workspace)


@pytest.fixture
def argilla_server(live_server: Server) -> Connection:
    """The connection of the owner."""
    return live_server.connection


@pytest.fixture
def dataset_name() -> str:
    """A name that no other test has used: they share one server."""
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def people(dataset_name: str) -> tuple[str, str]:
    """Names that no other test has used: all share one server."""
    return f"{dataset_name}-ada", f"{dataset_name}-bob"


@pytest.fixture
def desk(
    workspace: Workspace,
    argilla_server: Connection,
    dataset_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    """A workspace to push from and pull into, and the server."""
    return Desk(workspace, argilla_server, dataset_name, monkeypatch)
