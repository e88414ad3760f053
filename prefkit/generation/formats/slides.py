"""PPTX to blocks: titles as headings, bullets with their levels, tables, notes; slides as pages."""

from collections.abc import Iterator, Sequence

from prefkit.generation.blocks import Block, Parsed, Unreadable, heading, one_line, table, visible
from prefkit.generation.formats.packages import Element, Package, attribute, local

_SHOW = "ppt/presentation.xml"
_TITLES = frozenset(("title", "ctrTitle"))
_RUNNING = frozenset(("ftr", "hdr", "dt", "sldNum", "sldImg"))
_BULLETED = frozenset(("", "body", "obj"))  # kinds of placeholder that the layouts set as bullets
_DRAWN = ("chart", "diagram")


def read_pptx(data: bytes) -> Parsed:
    """Blocks of a presentation, slide by slide.

    Raises:
        Unreadable: It is locked, broken, or unpacks to an absurd size.
    """
    package = Package(data, "pptx")
    related = package.related(_SHOW)
    blocks: list[Block] = []
    hidden: list[int] = []
    drawn: list[int] = []
    ids = [e for e in package.tree(_SHOW).iter() if local(e) == "sldId"]
    for number, entry in enumerate(ids, start=1):
        name = related.get(_relation(entry), ("", ""))[1]
        slide = package.tree(name)
        if slide.get("show") in ("0", "false"):
            hidden.append(number)
            continue
        blocks += _slide(slide, number)
        blocks += _notes(package, name, number)
        if any(_is_drawn(element) for element in slide.iter()):
            drawn.append(number)
    return Parsed(blocks, _title(package), lost=tuple(_lost(hidden, drawn)))


def _lost(hidden: Sequence[int], drawn: Sequence[int]) -> Iterator[Unreadable]:
    if hidden:
        yield Unreadable("hidden-part", f"hidden slides {_listed(hidden)} are left out")
    if drawn:
        yield Unreadable("no-text", f"charts or diagrams on slides {_listed(drawn)}: not read")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _relation(element: Element) -> str:
    """The id of a relation; `id` without a namespace is another thing."""
    return next((v for k, v in element.attrib.items() if k.endswith("relationships}id")), "")


def _slide(slide: Element, number: int) -> Iterator[Block]:
    shapes = [shape for tree in slide.iter() if local(tree) == "spTree" for shape in _shapes(tree)]
    titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
    for shape in titles:
        if words := " ".join(_paragraph(p) for p in _paragraphs(shape)).strip():
            level = 1 if _placeholder(shape) == "ctrTitle" else 2
            yield heading(one_line(words), level, number)
    for shape in shapes:
        if shape not in titles:
            yield from _shape(shape, number)


def _shapes(tree: Element) -> Iterator[Element]:
    for child in tree:
        if local(child) == "grpSp":
            yield from _shapes(child)
        elif local(child) in ("sp", "graphicFrame"):
            yield child
        elif local(child) == "AlternateContent":
            yield from (s for choice in list(child)[:1] for s in _shapes(choice))


def _placeholder(shape: Element) -> str | None:
    """The kind of placeholder a shape fills, "" for a plain one, None for a free text box."""
    for element in shape.iter():
        if local(element) == "ph":
            return element.get("type", "")
    return None


def _shape(shape: Element, number: int) -> Iterator[Block]:
    kind = _placeholder(shape)
    if kind in _RUNNING:
        return
    for element in shape.iter():
        if local(element) == "tbl":
            yield from _table(element, number)
            return
    items: list[str] = []
    counts: dict[int, int] = {}
    for paragraph in _paragraphs(shape):
        words = _paragraph(paragraph)
        marker = _marker(paragraph, kind, counts)
        if not words:
            continue
        if marker:
            items.append(f"{marker} {words}")
            continue
        if items:
            yield Block("list", "\n".join(items), page=number)
            items = []
        yield Block("paragraph", words, page=number)
    if items:
        yield Block("list", "\n".join(items), page=number)


def _marker(paragraph: Element, kind: str | None, counts: dict[int, int]) -> str:
    """A list item's indent and mark; "" for a paragraph that is none."""
    settings = next((child for child in paragraph if local(child) == "pPr"), None)
    said = set() if settings is None else {local(child) for child in settings}
    level = 0 if settings is None else min(int(settings.get("lvl") or 0), 8)
    if "buNone" in said or not (said & {"buChar", "buAutoNum"} or kind in _BULLETED):
        return ""
    for deeper in [known for known in counts if known > level]:
        del counts[deeper]
    if "buAutoNum" not in said:
        return f"{'  ' * level}-"
    counts[level] = counts.get(level, 0) + 1
    return f"{'  ' * level}{counts[level]}."


def _paragraphs(shape: Element) -> Iterator[Element]:
    for body in shape.iter():
        if local(body) == "txBody":
            yield from (child for child in body if local(child) == "p")


def _paragraph(paragraph: Element) -> str:
    parts = []
    for element in paragraph.iter():
        if local(element) == "t":
            parts.append(element.text or "")
        elif local(element) in ("br", "tab"):
            parts.append(" ")
    return one_line(visible("".join(parts)))


def _table(element: Element, number: int) -> Iterator[Block]:
    rows = [
        [
            " ".join(_paragraph(p) for p in cell.iter() if local(p) == "p")
            for cell in row
            if local(cell) == "tc"
        ]
        for row in element
        if local(row) == "tr"
    ]
    if any(cell.strip() for row in rows for cell in row):
        yield table(rows, number)


def _notes(package: Package, slide: str, number: int) -> Iterator[Block]:
    for kind, name in package.related(slide).values():
        if kind != "notesSlide" or name not in package:
            continue
        for shape in package.tree(name).iter():
            if local(shape) == "sp" and _placeholder(shape) == "body":
                words = [text for p in _paragraphs(shape) if (text := _paragraph(p))]
                if words:
                    words[0] = f"Notes: {words[0]}"
                yield from (Block("paragraph", text, page=number) for text in words)


def _is_drawn(element: Element) -> bool:
    return local(element) == "graphicData" and attribute(element, "uri").endswith(_DRAWN)


def _title(package: Package) -> str:
    if "docProps/core.xml" not in package:
        return ""
    for element in package.tree("docProps/core.xml").iter():
        if local(element) == "title":
            return one_line(visible(element.text or ""))
    return ""
