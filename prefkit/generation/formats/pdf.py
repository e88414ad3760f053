"""PDF to blocks: lines with their place on the page first, then paragraphs.

Running headers and footers go before lines are joined, else they cut the paragraphs that cross a
page. Headings are told by size and weight of type, tables by gaps between words.
"""

import ctypes
import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, Unreadable, heading, one_line, table, visible
from prefkit.generation.formats.markdown import ITEM

HYPHEN = "\x02"  # what PDFium puts for a hyphen at the end of a line, and joins the lines
_EDGE_LINES = 3  # of a page's top and bottom that may be a running header or footer
_COLUMN_GAP = 1.2  # in type sizes: a gap between words that parts columns; justified text: 0.6
_NEW_PARAGRAPH = 1.25  # in line pitches
_CONTENTS_LINE = re.compile(r"(?:\.\s?){4,}\s*\w{0,6}$")
_MARK = re.compile(r"^[•▪◦‣·●○■–\-*]\s+")
_LETTER = re.compile(r"[A-Za-z]")


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a page, in points from the lower left corner.

    Attributes:
        text: Its words.
        page: 1-based.
        left: Where it starts.
        baseline: Height of its baseline.
        bottom: Height of its last character's; lower, where a hyphen joined two lines.
        size: Type size of its first character.
        bold: Whether its first character is bold.
        cells: Its words parted at wide gaps; one cell for running text.
    """

    text: str
    page: int
    left: float
    baseline: float
    bottom: float
    size: float
    bold: bool
    cells: tuple[str, ...]


def read_pdf(data: bytes) -> Parsed:
    """Blocks of a PDF with their pages.

    Raises:
        Unreadable: It is locked, damaged, or holds no text (a scan).
        PrefkitError: pypdfium2 is not installed.
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
        pages = [_lines(document, number) for number in range(len(document))]
        title = one_line(document.get_metadata_dict().get("Title", ""))
    except pypdfium2.PdfiumError as error:
        raise Unreadable("broken-pdf", str(error)) from error
    finally:
        document.close()
    if not any(pages):
        raise Unreadable("no-text", f"{len(pages)} pages without text; scanned? run OCR first")
    return Parsed(blocks_of(pages), title)


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
        elif _is_item(line):
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


def _is_item(line: Line) -> bool:
    return bool(_MARK.match(line.text) or (ITEM.match(line.text) and len(line.text) > 3))


def _is_marker(cell: str) -> bool:
    return bool(_MARK.match(f"{cell} ") or re.fullmatch(r"\(?[\d.]+\)?|[a-z][.)]", cell))


def _list_end(lines: Sequence[Line], at: int, levels: dict[tuple[float, bool], int]) -> int:
    """One past the list's last line; what hangs below an item's text belongs to the item."""
    left, end = lines[at].left, at + 1
    while end < len(lines):
        line, above = lines[end], lines[end - 1]
        if _is_heading(line, levels) or len(line.cells) > 1:
            break
        hangs = line.left > left + 2 and _is_near(above, line)
        if not _is_item(line) and not hangs:
            break
        end += 1
    return end


def _items(lines: Sequence[Line]) -> Iterator[str]:
    item = ""
    for line in lines:
        if _is_item(line):
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
        or _is_item(following)
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
        whole, hyphened = found[1] + found[2], f"{found[1]}-{found[2]}"
        keep = words[hyphened.lower()] > words[whole.lower()] or found[2][0].isupper()
        return hyphened if keep else whole

    text = re.sub(rf"(\w+){HYPHEN} ?(\w+)", joined, text)
    text = re.sub(r"([a-z]{2,})- ([a-z]+)", joined, text)
    return text.replace(HYPHEN, "-")


def _lines(document: Any, number: int) -> list[Line]:  # a pypdfium2.PdfDocument
    page = document[number]
    text_page = page.get_textpage()
    try:
        return list(_PageReader(text_page, number + 1).lines())
    finally:
        text_page.close()
        page.close()


class _PageReader:
    """Reads the characters of one page with their places, through PDFium's own calls."""

    def __init__(self, text_page: Any, page: int) -> None:  # a pypdfium2.PdfTextPage
        import pypdfium2.raw as raw

        self._raw, self._text_page, self._page = raw, text_page, page
        count = text_page.count_chars()
        self._codes = [raw.FPDFText_GetUnicode(text_page, i) for i in range(count)]

    def lines(self) -> Iterator[Line]:
        start = 0
        for at, code in enumerate([*self._codes, 10]):
            if code not in (10, 13):
                continue
            if at > start and (line := self._line(start, at)):
                yield line
            start = at + 1

    def _line(self, start: int, end: int) -> Line | None:
        solid = [i for i in range(start, end) if not chr(self._codes[i]).isspace()]
        if not solid:
            return None
        size = self._size(solid[0])
        self._blank_footnote_marks(solid, size)
        cells = tuple(cell for cell in self._cells(solid, size) if cell)
        if len(cells) == 2 and _is_marker(cells[0]):
            cells = (" ".join(cells),)
        if not cells:
            return None
        left, baseline = self._origin(solid[0])
        bottom = self._origin(solid[-1])[1]
        bold = "bold" in self._font(solid[0]).lower()
        return Line(" ".join(cells), self._page, left, baseline, bottom, size, bold, cells)

    def _size(self, at: int) -> float:
        return round(self._raw.FPDFText_GetFontSize(self._text_page, at), 1)

    def _blank_footnote_marks(self, solid: Sequence[int], size: float) -> None:
        """Replace small figures that follow a word or a stop by spaces; powers of ten stay."""
        marked = False
        for at, code in zip(solid[1:], (self._codes[i] for i in solid[1:]), strict=True):
            before = chr(self._codes[at - 1])
            small = chr(code).isdigit() and self._size(at) < 0.8 * size
            marked = small and (marked or not (before.isdigit() or before.isspace()))
            if marked:
                self._codes[at] = 32

    def _cells(self, solid: Sequence[int], size: float) -> Iterator[str]:
        first = solid[0]
        for before, after in itertools.pairwise(solid):
            if after == before + 1:
                continue
            gap = self._box(after)[0] - self._box(before)[1]
            if gap > _COLUMN_GAP * size:
                yield self._words(first, before)
                first = after
        yield self._words(first, solid[-1])

    def _words(self, first: int, last: int) -> str:
        text = "".join(chr(code) for code in self._codes[first : last + 1])
        text = text.replace("\ufffe", HYPHEN)
        parts = (one_line(visible(part)) for part in text.split(HYPHEN))
        return HYPHEN.join(parts)

    def _origin(self, at: int) -> tuple[float, float]:
        x, y = ctypes.c_double(), ctypes.c_double()
        self._raw.FPDFText_GetCharOrigin(self._text_page, at, x, y)
        return x.value, y.value

    def _box(self, at: int) -> tuple[float, float]:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        self._raw.FPDFText_GetCharBox(self._text_page, at, left, right, bottom, top)
        return left.value, right.value

    def _font(self, at: int) -> str:
        name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
        self._raw.FPDFText_GetFontInfo(self._text_page, at, name, 128, flags)
        return name.value.decode("utf-8", "replace")
