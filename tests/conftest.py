import os
from pathlib import Path

import pytest
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
