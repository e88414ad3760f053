import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer
from hypothesis import HealthCheck, settings

from prefkit.workspace import Workspace

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the library is first imported

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("default")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace that is also the current folder."""
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "prefkit.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(root)
    return Workspace.find()


@pytest.fixture
def chat_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A scripted OpenAI-compatible server on loopback; see `tests/chat_server.py`."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with ChatServer() as server:
        yield server
