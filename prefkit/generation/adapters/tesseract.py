"""`--reader tesseract`: text layers as always, and pages of a PDF without one by OCR."""

import re
import shutil
import subprocess
from typing import Any

from prefkit.errors import PrefkitError
from prefkit.generation.blocks import Block, Parsed, Unreadable, one_line, visible
from prefkit.generation.formats.pdf import Scans, read_pdf_pages

_SCALE = 300 / 72  # pixels a point: what Tesseract was trained on
_SECONDS = 120  # a page
_LARGEST_SIDE = 10_000  # pixels


def version() -> str:
    """Tesseract's own version; part of the reader's identity in a run."""
    program = shutil.which("tesseract")
    if program is None:
        return "absent"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).split("\n", 1)[0]


class TesseractReader:
    """PDFs as the bundled reader reads them, with OCR for pages that hold no text."""

    suffixes = (".pdf",)

    def __init__(self) -> None:
        self._program = shutil.which("tesseract")
        if self._program is None:
            raise PrefkitError(
                "`--reader tesseract` needs the program tesseract, which is not installed.",
                hint="Install it (`apt-get install tesseract-ocr`, and `tesseract-ocr-deu` and the "
                "like for other languages), or run `ocrmypdf IN OUT` on the files first.",
            )
        languages = _languages(self._program)
        self._languages = "+".join(sorted(languages - {"osd"}, key=lambda name: name != "eng"))

    def read(self, data: bytes) -> Parsed:
        """Blocks of a PDF; `metadata` names the pages whose text is a guess."""
        return read_pdf_pages(data, self._pages)

    def _pages(self, document: Any, scans: Scans) -> dict[int, list[Block]]:  # pypdfium2's type
        return {number: self._page(document, number) for number in scans.pages}

    def _page(self, document: Any, number: int) -> list[Block]:
        page = document[number - 1]
        try:
            scale = min(_SCALE, _LARGEST_SIDE / max(*page.get_size(), 1))
            bitmap = page.render(scale=scale, grayscale=True)
            picture = _portable(bitmap)
        finally:
            page.close()
        try:
            done = subprocess.run(
                [str(self._program), "-", "-", "-l", self._languages, "--psm", "3"],
                input=picture,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unreadable("no-text", f"page {number}: OCR took over {_SECONDS} s") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
            raise Unreadable("no-text", f"page {number}: tesseract: {said}")
        return _blocks(done.stdout.decode("utf-8", "replace"), number)


def _languages(program: str) -> set[str]:
    said = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False)
    found = {line.strip() for line in said.stdout.split("\n")[1:] if line.strip()}
    if not found - {"osd"}:
        raise PrefkitError(
            "tesseract is installed without a language.",
            hint="Install one, such as `apt-get install tesseract-ocr-eng`.",
        )
    return found


def _portable(bitmap: Any) -> bytes:  # pypdfium2 ships no types
    """A grey bitmap as a PGM picture, which needs no picture library."""
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    pixels = bytes(bitmap.buffer)
    rows = (pixels[row * stride : row * stride + width] for row in range(height))
    return b"P5 %d %d 255\n" % (width, height) + b"".join(rows)


def _blocks(text: str, number: int) -> list[Block]:
    paragraphs = re.split(r"\n\s*\n", visible(text))
    joined = (re.sub(r"(\w)-\n(\w)", r"\1\2", paragraph) for paragraph in paragraphs)
    return [Block("paragraph", words, page=number) for p in joined if (words := one_line(p))]
