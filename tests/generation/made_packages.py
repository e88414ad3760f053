"""Books, presentations and workbooks for tests, made part by part."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
_NAMES = f'xmlns:a="{_DRAWING}" xmlns:r="{_RELATIONS}" xmlns:p="{_SLIDES}"'


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip package of these parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return made.getvalue()


def epub(chapters: Mapping[str, str], title: str = "A book", **parts: str) -> bytes:
    """A book whose chapters are the insides of XHTML bodies, by file name, in their order."""
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<container><rootfiles>"
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
            f'<dc:title>{title}</dc:title></metadata><manifest>{items}<item id="nav" '
            'href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest>'
            f'<spine><itemref idref="nav"/>{spine}</spine></package>',
            "OPS/nav.xhtml": "<html><body><p>Table of contents</p></body></html>",
            **{
                f"OPS/{name}": '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
                '<html xmlns="http://www.w3.org/1999/xhtml" '
                'xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head>'
                f"<body>{inside}</body></html>"
                for name, inside in chapters.items()
            },
            **parts,
        }
    )


def pptx(slides: Sequence[str], notes: Mapping[int, str] | None = None) -> bytes:
    """A presentation; a slide is the XML of its shapes, `notes` are texts by slide number."""
    numbers = range(1, len(slides) + 1)
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in numbers)
    parts = {
        "ppt/presentation.xml": f"<p:presentation {_NAMES}><p:sldIdLst>{ids}</p:sldIdLst>"
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations(
            {f"rId{n}": ("slide", f"slides/slide{n}.xml") for n in numbers}
        ),
    }
    for number, shapes in enumerate(slides, start=1):
        hidden = ' show="0"' if shapes.startswith("hidden") else ""
        parts[f"ppt/slides/slide{number}.xml"] = _slide(shapes.removeprefix("hidden"), hidden)
    for number, text in (notes or {}).items():
        parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations(
            {"rId1": ("notesSlide", f"../notesSlides/n{number}.xml")}
        )
        parts[f"ppt/notesSlides/n{number}.xml"] = _slide(shape([text], "body"), "", "notes")
    return zipped(parts)


def _slide(shapes: str, hidden: str, kind: str = "sld") -> str:
    return f"<p:{kind} {_NAMES}{hidden}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{kind}>"


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="{name}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f"<Relationships>{entries}</Relationships>"


def shape(lines: Sequence[str | tuple[str, int]], placeholder: str | None = None) -> str:
    """A shape with paragraphs; `(text, level)` sets a level."""
    kind = f' type="{placeholder}"' if placeholder else ""
    holder = "" if placeholder is None else f"<p:nvSpPr><p:nvPr><p:ph{kind}/></p:nvPr></p:nvSpPr>"
    paragraphs = ""
    for line in lines:
        text, level = (line, 0) if isinstance(line, str) else line
        runs = f"<a:r><a:t>{escape(text)}</a:t></a:r>"
        paragraphs += f'<a:p><a:pPr lvl="{level}"/>{runs}</a:p>'
    return f"<p:sp>{holder}<p:txBody>{paragraphs}</p:txBody></p:sp>"


def slide_table(rows: Sequence[Sequence[str]]) -> str:
    """A table on a slide."""
    cells = "".join(
        "<a:tr>"
        + "".join(
            f"<a:tc><a:txBody><a:p><a:r><a:t>{escape(cell)}</a:t></a:r></a:p></a:txBody></a:tc>"
            for cell in row
        )
        + "</a:tr>"
        for row in rows
    )
    return (
        '<p:graphicFrame><a:graphic><a:graphicData uri="table"><a:tbl>'
        f"{cells}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
