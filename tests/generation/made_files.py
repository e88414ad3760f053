"""Small real files for tests: a PDF writer, and a Word document."""

from collections.abc import Sequence
from pathlib import Path

LEFT, TOP, PITCH = 60, 780, 14.0  # points


def pdf(*pages: Sequence[tuple[str, float, bool] | str], gap: float = 24) -> bytes:
    """A PDF with one line of text a string; `(text, size, bold)` sets the type.

    An empty string leaves a gap, `\\t` starts a new column, and a line is set at the foot of the
    page when it begins with `@`.
    """
    objects: list[bytes] = []
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(b"<< /Type /Catalog /Pages 2 0 R >>")
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    for name in ("Helvetica", "Helvetica-Bold"):
        objects.append(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} >>".encode())
    for number, lines in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources "
            b"<< /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents %d 0 R >>" % (6 + 2 * number)
        )
        content = _content(lines, gap)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(objects)


def _content(lines: Sequence[tuple[str, float, bool] | str], gap: float) -> bytes:
    parts, height = [], float(TOP)
    for line in lines:
        text, size, bold = (line, 10.0, False) if isinstance(line, str) else line
        if not text:
            height -= gap - PITCH
            continue
        at = 40.0 if text.startswith("@") else height
        for column, cell in enumerate(text.removeprefix("@").split("\t")):
            shown = cell.encode("cp1252").replace(b"\\", b"\\\\")
            shown = shown.replace(b"(", b"\\(").replace(b")", b"\\)")
            font = 2 if bold else 1
            left = LEFT + 160 * column
            parts.append(b"BT /F%d %g Tf %g %g Td (%s) Tj ET" % (font, size, left, at, shown))
        if not text.startswith("@"):
            height -= PITCH if size <= 10 else 2 * PITCH
    return b"\n".join(parts)


def scanned_pdf(*pages: str, picture: bytes = b"\x00", size: tuple[int, int] = (1, 1)) -> bytes:
    """A PDF with a line of text a page; a page without text holds a grey picture, like a scan."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    image = b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray "
    image += b"/BitsPerComponent 8 /Length %d >>\nstream\n%s\nendstream"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        image % (*size, len(picture), picture),
    ]
    for number, text in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R"
            b" >> /XObject << /I 4 0 R >> >> /Contents %d 0 R >>" % (6 + 2 * number)
        )
        content = b"q 500 0 0 700 50 50 cm /I Do Q"
        if text:
            content = b"BT /F1 10 Tf 60 780 Td (%s) Tj ET" % text.encode("cp1252")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(body))
    )


def docx(path: Path) -> Path:
    """A Word document with a title, headings, lists and a table."""
    import docx as word

    document = word.Document()
    document.add_paragraph("Boat manual", style="Title")
    document.add_heading("Engines", level=1)
    document.add_paragraph("The Heron engine burns 4 litres an hour.")
    document.add_paragraph("Close the tap.", style="List Number")
    document.add_paragraph("Wait a minute.", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Part", "Weight", "Heron", "31 kg"), strict=True):
        cell.text = text
    document.add_paragraph("Clean the filter.", style="List Number")
    document.add_paragraph("Spare parts", style="List Bullet")
    document.save(str(path))
    return path
