"""PDF to blocks: lines with their place on the page first, then paragraphs.

Running headers and footers go before lines are joined, else they cut the paragraphs that cross a
page. Headings are told by size and weight of type, tables by gaps between words. Pages that are
pictures without text are named.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, Unreadable, heading, one_line, table, visible
from prefkit.generation.formats.pdf_pages import HYPHEN, Line, is_item, page_lines

_EDGE_LINES = 3  # of a page's top and bottom that may be a running header or footer
_NEW_PARAGRAPH = 1.25  # in line pitches
_CONTENTS_LINE = re.compile(r"(?:(?:\.\s?){4,}\s*\w{0,6}|(?:\s\.){2,}\s*\d{1,4})$")
_MARK = re.compile(r"^[•▪◦‣·●○■–\-*]\s+")
_AND = frozenset("and or to und oder bis et ou y o e og eller en of".split())  # `pre- and post-`
_LETTER = re.compile(r"[A-Za-z]")


@dataclasses.dataclass(frozen=True)
class Scans:
    """Pages that hold pictures and no text.

    Attributes:
        pages: Their 1-based numbers.
        total: Pages of the whole file.
    """

    pages: tuple[int, ...]
    total: int

    def __str__(self) -> str:
        return ranges(self.pages)


OCR = Callable[[Any, Scans], Mapping[int, list[Block]]]  # (PdfDocument, scans) -> blocks by page


def read_pdf(data: bytes) -> Parsed:
    """Blocks of a PDF with their pages.

    Raises:
        Unreadable: It is locked, damaged, or holds no text (a scan).
        PrefkitError: pypdfium2 is not installed.
    """
    return read_pdf_pages(data)


def read_pdf_pages(data: bytes, ocr: OCR | None = None) -> Parsed:
    """As `read_pdf`, with a way to read scanned pages.

    Args:
        data: The file.
        ocr: Gives the blocks of scanned pages; without it they are named as lost.
    """
    try:
        import pypdfium2
    except ImportError as error:
        raise missing_extra("pypdfium2", "docs", "Reading PDF") from error

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("locked", "the file asks for a password") from error
        raise Unreadable("broken-pdf", str(error)) from error
    try:
        pages = [page_lines(document, number) for number in range(len(document))]
        title = one_line(visible(document.get_metadata_dict().get("Title", "")))
        scans = _scans(document, pages)
        read = ocr(document, scans) if ocr and scans.pages else {}
    except pypdfium2.PdfiumError as error:
        raise Unreadable("broken-pdf", str(error)) from error
    finally:
        document.close()
    if not any(pages) and not any(read.values()):
        raise _without_text(scans)
    blocks = _with_read(blocks_of(pages), read)
    notes = _left_out(pages) | ({"ocr": f"pages {ranges(sorted(read))}"} if read else {})
    lost = (_lost(scans),) if scans.pages and not read else ()
    return Parsed(blocks, title, notes, lost=lost)


def _left_out(pages: Sequence[Sequence[Line]]) -> dict[str, str]:
    """How many lines of headers, footers and tables of contents are not in the text."""
    kept = without_running_lines(pages)
    running = sum(map(len, pages)) - sum(map(len, kept))
    listed = sum(bool(_CONTENTS_LINE.search(line.text)) for page in kept for line in page)
    counts = {"running-lines": running, "contents-lines": listed}
    return {name: str(count) for name, count in counts.items() if count}


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in a row as `3-7, 9`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in parts)


def _scans(document: Any, pages: Sequence[Sequence[Line]]) -> Scans:  # a pypdfium2.PdfDocument
    import pypdfium2.raw as raw

    found = []
    for number, lines in enumerate(pages, start=1):
        if lines:
            continue
        page = document[number - 1]
        try:
            if next(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]), None) is not None:
                found.append(number)
        finally:
            page.close()
    return Scans(tuple(found), len(pages))


def _lost(scans: Scans) -> Unreadable:
    return Unreadable(
        "scanned-pages",
        f"scanned pages {scans} of {scans.total}: no text; OCR them with `--reader tesseract`, "
        "or with `ocrmypdf IN OUT` before",
    )


def _without_text(scans: Scans) -> Unreadable:
    if scans.pages:
        return Unreadable("no-text", _lost(scans).detail)
    return Unreadable("no-text", f"{scans.total} pages without text or pictures")


def _with_read(blocks: list[Block], read: Mapping[int, list[Block]]) -> list[Block]:
    """Blocks with those of scanned pages in their places."""
    merged = [*blocks, *(block for found in read.values() for block in found)]
    return sorted(merged, key=lambda block: block.page or 0) if read else blocks


def blocks_of(pages: Sequence[Sequence[Line]]) -> list[Block]:
    """Blocks of a document from the lines of its pages."""
    lines = [line for page in without_running_lines(pages) for line in page]
    lines = [line for line in lines if not _CONTENTS_LINE.search(line.text)]
    words = Counter(w.lower() for line in lines for w in re.findall(r"[\w-]+", line.text))
    body = _body_size(lines)
    levels = _heading_levels(lines, body)
    return [
        dataclasses.replace(block, text=_join_hyphens(block.text, words))
        for block in _blocks(lines, levels)
    ]


def without_running_lines(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Pages without running headers and footers.

    A line near a page's edge is one when the same words, numbers aside, stand at the same height
    on at least two pages and a tenth of all, or when the edge lines of most pages stand there,
    set apart from the text.
    """
    same: Counter[tuple[int, str]] = Counter()
    apart: Counter[int] = Counter()
    for page in pages:
        same.update({_running_key(line) for line in _edges(page)})
        apart.update({round(line.baseline) for line in _apart(page)})
    often = max(2, len(pages) / 10)
    most = max(3, 0.6 * len(pages))
    kept = []
    for page in pages:
        running = {id(line) for line in _edges(page) if same[_running_key(line)] >= often}
        running |= {id(line) for line in _apart(page) if apart[round(line.baseline)] >= most}
        kept.append([line for line in page if id(line) not in running])
    return kept


def _running_key(line: Line) -> tuple[int, str]:
    return round(line.baseline), re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text)


def _by_height(page: Sequence[Line]) -> list[Line]:
    return sorted(page, key=lambda line: -line.baseline)


def _edges(page: Sequence[Line]) -> list[Line]:
    lines = _by_height(page)
    return lines if len(lines) <= 2 * _EDGE_LINES else lines[:_EDGE_LINES] + lines[-_EDGE_LINES:]


def _apart(page: Sequence[Line]) -> list[Line]:
    """The first and last line of a page, where a gap parts them from the rest."""
    lines = _by_height(page)
    if len(lines) < 3:
        return []
    found = []
    if lines[0].baseline - lines[1].baseline > 1.8 * lines[0].size:
        found.append(lines[0])
    if lines[-2].baseline - lines[-1].baseline > 1.8 * lines[-1].size:
        found.append(lines[-1])
    return found


def _body_size(lines: Sequence[Line]) -> float:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _heading_levels(lines: Sequence[Line], body: float) -> dict[tuple[float, bool], int]:
    """Level of each type style that is larger than the body's, or bold at its size."""
    styles = {
        (line.size, line.bold)
        for line in lines
        if len(line.cells) == 1
        and (line.size > 1.08 * body or (line.bold and line.size >= body))
        and _LETTER.search(line.text)
    }
    ranked = sorted(styles, reverse=True)
    return {style: min(rank, 6) for rank, style in enumerate(ranked, start=1)}


def _is_heading(line: Line, levels: dict[tuple[float, bool], int]) -> bool:
    return (
        (line.size, line.bold) in levels
        and len(line.cells) == 1
        and len(line.text) <= 120
        and line.text[-1] not in ".;,"
        and bool(_LETTER.search(line.text))
    )


def _blocks(lines: Sequence[Line], levels: dict[tuple[float, bool], int]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if _is_heading(line, levels):
            while end < len(lines) and _continues_heading(lines[end - 1], lines[end]):
                end += 1
            words = " ".join(part.text for part in lines[at:end])
            yield heading(words, levels[line.size, line.bold], line.page)
        elif _is_row(lines, at):
            while end < len(lines) and _is_next_row(lines[end - 1], lines[end]):
                end += 1
            yield table((row.cells for row in lines[at:end]), line.page)
        elif is_item(line.text):
            end = _list_end(lines, at, levels)
            yield Block("list", "\n".join(_items(lines[at:end])), page=line.page)
        else:
            while end < len(lines) and _continues(lines[end - 1], lines[end], levels):
                end += 1
            words = " ".join(part.text for part in lines[at:end])
            yield Block("paragraph", words, page=line.page)
        at = end


def _continues_heading(line: Line, following: Line) -> bool:
    return (
        (line.size, line.bold) == (following.size, following.bold)
        and line.page == following.page
        and 0 < line.bottom - following.baseline < 1.4 * line.size
        and not re.match(r"\d", following.text)
    )


def _is_row(lines: Sequence[Line], at: int) -> bool:
    return (
        len(lines[at].cells) > 1 and at + 1 < len(lines) and _is_next_row(lines[at], lines[at + 1])
    )


def _is_next_row(line: Line, following: Line) -> bool:
    return (
        len(following.cells) > 1
        and following.page == line.page
        and 0 < line.baseline - following.baseline < 4 * line.size
    )


def _list_end(lines: Sequence[Line], at: int, levels: dict[tuple[float, bool], int]) -> int:
    """One past the list's last line; what hangs below an item's text belongs to the item."""
    left, end = lines[at].left, at + 1
    while end < len(lines):
        line, above = lines[end], lines[end - 1]
        if _is_heading(line, levels) or len(line.cells) > 1:
            break
        hangs = line.left > left + 2 and _is_near(above, line)
        if not is_item(line.text) and not hangs:
            break
        end += 1
    return end


def _items(lines: Sequence[Line]) -> Iterator[str]:
    item = ""
    for line in lines:
        if is_item(line.text):
            if item:
                yield item
            item = _MARK.sub("- ", line.text)
        else:
            item = f"{item} {line.text}"
    yield item


def _is_near(line: Line, following: Line) -> bool:
    if following.page != line.page:
        return following.page == line.page + 1
    return -0.5 * line.size < line.bottom - following.baseline < _NEW_PARAGRAPH * 1.4 * line.size


def _continues(line: Line, following: Line, levels: dict[tuple[float, bool], int]) -> bool:
    if (
        _is_heading(following, levels)
        or is_item(following.text)
        or len(following.cells) > 1
        or abs(line.size - following.size) > 0.5
        or not _is_near(line, following)
    ):
        return False
    if following.page == line.page:
        return following.baseline <= line.bottom + 0.5 * line.size
    return line.text[-1] not in ".!?:" or following.text[0].islower()


def _join_hyphens(text: str, words: Counter[str]) -> str:
    """Words that were cut at a line's end, joined; with the hyphen where the document has it."""

    def joined(found: re.Match[str]) -> str:
        if found[2].lower() in _AND:
            return found[0].replace(HYPHEN, "-")
        whole, hyphened = found[1] + found[2], f"{found[1]}-{found[2]}"
        keep = words[hyphened.lower()] > words[whole.lower()] or found[2][0].isupper()
        return hyphened if keep else whole

    text = re.sub(rf"(\w+){HYPHEN} ?(\w+)", joined, text)
    text = re.sub(r"([^\W\d_]{2,})- ([^\W\d_]+)", joined, text)
    return text.replace(HYPHEN, "-")
