"""A small handbook, and documents made from Markdown text."""

from prefkit.generation.blocks import ParsedDocument, place
from prefkit.generation.chunks import cut_chunks
from prefkit.generation.examples import Passage, passages_of
from prefkit.generation.formats.markdown import read_markdown
from prefkit.records import Document


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
