"""DOCX to blocks: a walk over the body in order, content controls and insertions included."""

import io
import re
from collections.abc import Iterator
from typing import Any

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, heading, one_line, table, visible
from prefkit.generation.formats.packages import Package, attribute, local

Element = Any  # lxml ships no types

_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")


def read_docx(data: bytes) -> Parsed:
    """Blocks of a Word document.

    Raises:
        Unreadable: It is locked, no package, or unpacks to an absurd size.
        PrefkitError: python-docx is not installed.
    """
    try:
        import docx
    except ImportError as error:
        raise missing_extra("python-docx", "docs", "Reading DOCX") from error

    package = Package(data, "docx")
    package.refuse_entities()
    document = docx.Document(io.BytesIO(data))
    blocks = [*_Walker(document).walk(), *_notes(package)]
    return Parsed(blocks, one_line(document.core_properties.title or ""))


def _notes(package: Package) -> Iterator[Block]:
    """Footnotes and endnotes, after the text, each under its number."""
    for name in _NOTES:
        notes = package.tree(name) if name in package else ()
        numbered = (note for note in notes if attribute(note, "type") in ("", "normal"))
        for number, note in enumerate(numbered, start=1):
            parts = (node.text or " " for node in note.iter() if local(node) in ("t", "tab", "br"))
            if words := one_line(visible("".join(parts))):
                yield Block("paragraph", f"[{number}] {words}")


class _Walker:
    """Reads paragraphs and tables in body order; python-docx itself skips content controls."""

    def __init__(self, document: Any) -> None:  # a docx.Document
        from docx.oxml.ns import qn

        self._qn = qn
        self._body = document.element.body
        self._styles = {style.style_id: style.name or "" for style in document.styles}
        names = {self._style(p) for p in self._body.iter(qn("w:p"))}
        self._below_title = 1 if "Title" in names else 0
        self._counters: dict[tuple[str, int], int] = {}

    def walk(self) -> Iterator[Block]:
        items: list[str] = []
        for element in self._elements(self._body):
            if element.tag == self._qn("w:p") and (item := self._item(element)) is not None:
                items += [item] if item else []
                continue
            if items:
                yield Block("list", "\n".join(items))
                items = []
            if element.tag == self._qn("w:tbl"):
                yield from self._table(element)
            else:
                yield from self._paragraph(element)
        if items:
            yield Block("list", "\n".join(items))

    def _elements(self, parent: Element) -> Iterator[Element]:
        for child in parent:
            if child.tag in (self._qn("w:p"), self._qn("w:tbl")):
                yield child
            elif child.tag == self._qn("w:sdt"):
                content = child.find(self._qn("w:sdtContent"))
                if content is not None:
                    yield from self._elements(content)

    def _style(self, paragraph: Element) -> str:
        found = paragraph.find(f"{self._qn('w:pPr')}/{self._qn('w:pStyle')}")
        return "" if found is None else self._styles.get(found.get(self._qn("w:val")), "")

    def _text(self, element: Element) -> str:
        """All text that is not deleted, with tabs and breaks as spaces."""
        nodes = element.iter(self._qn("w:t"), self._qn("w:tab"), self._qn("w:br"))
        if next(element.iter(_FALLBACK), None) is not None:  # a text box again, for old programs
            nodes = (node for node in nodes if next(node.iterancestors(_FALLBACK), None) is None)
        parts = (node.text or "" if node.tag == self._qn("w:t") else " " for node in nodes)
        return one_line(visible("".join(parts)))

    def _paragraph(self, paragraph: Element) -> Iterator[Block]:
        text, style = self._text(paragraph), self._style(paragraph)
        if not text:
            return
        self._counters.clear()
        if style == "Title":
            yield heading(text, 1)
        elif found := re.fullmatch(r"[Hh]eading (\d)", style):
            yield heading(text, int(found[1]) + self._below_title)
        else:
            yield Block("paragraph", text)

    def _item(self, paragraph: Element) -> str | None:
        """The paragraph as a list item, or None when it is none; "" for an empty item."""
        style = self._style(paragraph)
        numbering = paragraph.find(f"{self._qn('w:pPr')}/{self._qn('w:numPr')}")
        if not style.startswith("List ") and (numbering is None or style.startswith("Heading")):
            return None
        text = self._text(paragraph)
        if not text:
            return ""
        level = self._level(style, numbering)
        if not style.startswith("List Number"):
            return f"{'  ' * level}- {text}"
        key = (style, level)
        self._counters[key] = self._counters.get(key, 0) + 1
        return f"{'  ' * level}{self._counters[key]}. {text}"

    def _level(self, style: str, numbering: Element | None) -> int:
        depth = None if numbering is None else numbering.find(self._qn("w:ilvl"))
        if depth is not None:
            return int(depth.get(self._qn("w:val"), 0))
        found = re.search(r"(\d)$", style)
        return int(found[1]) - 1 if found else 0

    def _table(self, element: Element) -> Iterator[Block]:
        rows = [
            [self._text(cell) for cell in row.xpath("./w:tc | ./w:sdt/w:sdtContent/w:tc")]
            for row in element.iterchildren(self._qn("w:tr"))
        ]
        self._counters.clear()
        if any(cell for row in rows for cell in row):
            yield table(rows)
