from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from handbook import HANDBOOK

from prefkit.chat import Reply, Request


class ScriptedModel:
    """Replies by a function of the last message; remembers what it was asked."""

    name = "scripted"
    device = "cpu"

    def __init__(
        self, say: Callable[[Request], str | Reply] = lambda request: "", structured: bool = False
    ) -> None:
        self.say = say
        self.structured = structured
        self.asked: list[Request] = []

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        self.asked += requests
        said = [self.say(request) for request in requests]
        return [
            reply if isinstance(reply, Reply) else Reply(reply, prompt_tokens=10) for reply in said
        ]


@pytest.fixture
def scripted() -> type[ScriptedModel]:
    return ScriptedModel


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with one small handbook and a file nobody can read."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    return folder
