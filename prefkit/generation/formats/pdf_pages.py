"""The lines of a PDF's pages with their places, through PDFium's own calls."""

import ctypes
import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from prefkit.generation.blocks import one_line, visible
from prefkit.generation.formats.markdown import ITEM

HYPHEN = "\x02"  # what PDFium puts for a hyphen at the end of a line, and joins the lines
_COLUMN_GAP = 1.2  # in type sizes: a gap between words that parts columns; justified text: 0.6
_SLANTED = 0.3  # sine of twice the angle: from 9 to 81 degrees
_BOLD = re.compile(r"bold|black|heavy|demi|(?:^|\+)(?:cm|ec|sf)\w*bx", re.IGNORECASE)
_MARK = re.compile(r"^[•▪◦‣·●○■–\-*]\s+")


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
        bold: Whether its first and last characters are bold.
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


def is_item(text: str) -> bool:
    """Whether a line begins with the mark or number of a list item."""
    return bool(_MARK.match(text) or (ITEM.match(text) and len(text) > 3))


def page_lines(document: Any, number: int) -> list[Line]:  # a pypdfium2.PdfDocument
    """The lines of the page with that 0-based number, in the order of the file."""
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
        if not solid or self._is_slanted(solid[0]):
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
        bold = all(_BOLD.search(self._font(at)) for at in (solid[0], solid[-1]))
        return Line(" ".join(cells), self._page, left, baseline, bottom, size, bold, cells)

    def _is_slanted(self, at: int) -> bool:
        """Whether a character stands across the page, as those of a watermark do."""
        angle = self._raw.FPDFText_GetCharAngle(self._text_page, at)
        return abs(math.sin(2 * angle)) > _SLANTED

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


def _is_marker(cell: str) -> bool:
    return bool(_MARK.match(f"{cell} ") or re.fullmatch(r"\(?[\d.]+\)?|[a-z][.)]", cell))
