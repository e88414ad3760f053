from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from prefkit.chat import Reply, Request
from prefkit.generation.blocks import ParsedDocument, place
from prefkit.generation.chunks import cut_chunks
from prefkit.generation.examples import Passage, passages_of
from prefkit.generation.formats.markdown import read_markdown
from prefkit.records import Document


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


def parsed(text: str, source: str = "handbook.md") -> ParsedDocument:
    canonical, placed = place(read_markdown(text).blocks)
    return ParsedDocument(
        Document(text=canonical, source=source, title="Handbook", sha256="0"), placed
    )


def passage(text: str) -> Passage:
    document = parsed(text)
    chunks = cut_chunks(document, 10_000)
    return passages_of(document, chunks)[0]


HANDBOOK = """\
# Harbour handbook

## Engines

The Heron engine burns 4 litres of fuel an hour. The Heron engine must be inspected every six weeks.
Only trained crew may open the Heron engine.

## Flags

A blue flag means that swimming is forbidden. The harbour office is open from 08:00 to 17:30.

| Flag | Meaning |
|------|---------|
| Red | Danger |
"""


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with one small handbook and a file nobody can read."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    return folder
