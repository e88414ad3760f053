"""`--reader kreuzberg`: OpenDocument, RTF and the formats we read ourselves, through Kreuzberg.

Kreuzberg gives Markdown, so its headings, lists and tables are kept as far as it finds them. It
makes OCR of scanned pages when Tesseract and its language data are installed.
"""

import dataclasses
import re
import shutil
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, Unreadable, visible
from prefkit.generation.decoding import decode
from prefkit.generation.formats.markdown import read_markdown
from prefkit.generation.formats.packages import Package

_SECONDS = 300  # a file
_MARK = "\n\n@@page {page_num}@@\n\n"
_MARKER = re.compile(r"^@@page (\d+)@@$", re.MULTILINE)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_KINDS = {
    "word": f"{_OFFICE}.wordprocessingml.document",
    "ppt": f"{_OFFICE}.presentationml.presentation",
    "xl": f"{_OFFICE}.spreadsheetml.sheet",
}


def version() -> str:
    """Kreuzberg's version; part of the reader's identity in a run."""
    try:
        return metadata.version("kreuzberg")
    except metadata.PackageNotFoundError:
        return "absent"


class KreuzbergReader:
    """Documents by way of Kreuzberg's Markdown, with pages where it tells them."""

    suffixes = (".pdf", ".docx", ".pptx", ".xlsx", ".epub", ".odt", ".rtf")

    def __init__(self) -> None:
        try:
            import kreuzberg  # ty: ignore[import-not-found] - an optional package
        except ImportError as error:
            raise missing_extra("kreuzberg", "kreuzberg", "`--reader kreuzberg`") from error
        self._kreuzberg = kreuzberg

    def read(self, data: bytes) -> Parsed:
        """What Kreuzberg finds in a file."""
        kind = _kind(data) or self._kreuzberg.detect_mime_type_from_bytes(data)
        try:
            found = self._kreuzberg.extract_bytes_sync(data, kind, self._settings())
        except self._kreuzberg.KreuzbergError as error:
            raise Unreadable("broken-file", f"kreuzberg: {str(error)[:300]}") from error
        blocks = list(_blocks(found))
        if not blocks:
            raise Unreadable("no-text", "kreuzberg finds no text; scanned? OCR needs Tesseract")
        return Parsed(blocks, notes={"reader": f"kreuzberg {version()}"})

    def _settings(self) -> Any:  # a kreuzberg.ExtractionConfig
        return self._kreuzberg.ExtractionConfig(
            output_format="markdown",
            use_cache=False,
            disable_ocr=shutil.which("tesseract") is None,
            pages=self._kreuzberg.PageConfig(
                extract_pages=True, insert_page_markers=True, marker_format=_MARK
            ),
            extraction_timeout_secs=_SECONDS,
        )


def _kind(data: bytes) -> str:
    """The media type of a zip package, which Kreuzberg takes for a plain archive."""
    if not data.startswith(b"PK"):
        return "application/rtf" if data.startswith(b"{\\rtf") else ""
    package = Package(data, "zip")
    if "mimetype" in package:
        return decode(package.bytes_of("mimetype"))[0].strip()
    folders = {name.partition("/")[0] for name in package}
    return next((kind for folder, kind in _KINDS.items() if folder in folders), "application/zip")


def _blocks(found: Any) -> Iterator[Block]:  # a kreuzberg.ExtractionResult
    """The blocks of Kreuzberg's Markdown, which marks the slides of a presentation as pages."""
    first, *rest = _MARKER.split(visible(found.content))
    if rest:
        yield from read_markdown(first).blocks
        for number, text in zip(rest[::2], rest[1::2], strict=True):
            yield from _on_page(read_markdown(text).blocks, int(number))
    else:
        pages = found.pages or []
        yield from _found_on_pages(read_markdown(first).blocks, pages if len(pages) > 1 else [])


def _on_page(blocks: Iterable[Block], number: int) -> Iterator[Block]:
    return (dataclasses.replace(block, page=number) for block in blocks)


def _found_on_pages(blocks: list[Block], pages: list[Any]) -> Iterator[Block]:  # its page objects
    """Blocks with the page where their first letters stand: a PDF's Markdown marks no pages."""
    texts = [_letters(page["content"]) for page in pages]
    at = 0
    for block in blocks:
        begin = _letters(block.text[:200])[:40]
        at = next((n for n in range(at, len(texts)) if begin in texts[n]), at)
        yield dataclasses.replace(block, page=pages[at]["page_number"] if pages else None)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)
