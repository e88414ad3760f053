"""XHTML to blocks without guessing: for books, which hold no menus and no notices to leave out."""

import dataclasses
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from prefkit.generation.blocks import Block, heading, one_line, table, visible

Element = Any  # lxml ships no types

_HEADING = re.compile(r"h([1-6])")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z][A-Za-z0-9]{1,31};")
_SKIPPED = frozenset(
    "head script style nav template svg math iframe object audio video rt rp".split()
)
_AROUND = frozenset("aside button dialog footer form input label select textarea".split())
_ROLES_AROUND = frozenset("navigation search banner contentinfo complementary dialog".split())
_CLASSES_AROUND = frozenset("headerlink breadcrumb breadcrumbs comments cookie share toc".split())
_NOTES = frozenset(
    "note doc-footnote doc-endnotes footnote footnote-list footnotes admonition".split()
)
_ITEMS = frozenset(("ul", "ol", "menu"))
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption "
    "figure footer form header hr html li main p section summary tbody thead tr".split()
)


def read_markup(data: bytes) -> list[Block]:
    """Blocks of an XHTML or HTML file, in its order; a printed page's number where it is marked."""
    import lxml.html as html
    from lxml import etree  # ty: ignore[missing-module-member] - compiled, ships no types

    declared = re.match(rb"\s*<\?xml[^>]{0,100}encoding=[\"']([\w-]+)", data)
    text = visible(data.decode(declared[1].decode() if declared else "utf-8", "replace"))
    source = _ENTITY.sub(lambda found: unescape(found[0]), text)
    source = re.sub(r"^\s*<\?xml[^>]*\?>", "", source)
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    root = etree.fromstring(source.encode(), parser)
    if root is None or not _name(root).endswith("html"):
        root = html.document_fromstring(source)
    walker = _Walker()
    walker.element(root)
    walker.flush()
    return walker.blocks


def marked_text(text: str) -> list[Block]:
    """Blocks of the one part that a page of the web marks as its text; none when it marks none."""
    import lxml.html as html

    parser = html.HTMLParser(encoding="utf-8")
    root = html.document_fromstring(text.encode(), parser=parser)
    for marks in ("//main | //*[@role='main']", "//article"):
        found = [part for part in root.xpath(marks) if not _inside_another(part, marks)]
        if len(found) == 1:
            walker = _Walker(page_of_web=True)
            walker.element(found[0])
            walker.flush()
            return walker.blocks
    return []


def _inside_another(part: Element, marks: str) -> bool:
    return any(above in part.getroottree().xpath(marks) for above in part.iterancestors())


def _name(element: Element) -> str:
    if not isinstance(element.tag, str):
        return ""  # a comment, an instruction, an entity that was not replaced
    return element.tag.rpartition("}")[2].lower()


@dataclasses.dataclass
class _Walker:
    """Collects the words between block elements; both parsers stop at a depth of 256.

    Attributes:
        page_of_web: Leave out what is around the text of a page: menus, forms, side notes.
    """

    page_of_web: bool = False
    blocks: list[Block] = dataclasses.field(default_factory=list)
    words: list[str] = dataclasses.field(default_factory=list)
    page: int | None = None

    def element(self, element: Element) -> None:
        name = _name(element)
        if not name or name in _SKIPPED or element.get("hidden") is not None:
            return
        if self.page_of_web and _is_around(element, name):
            return
        self._note_page(element)
        if found := _HEADING.fullmatch(name):
            self.flush()
            if words := one_line(_all_text(element)).rstrip("¶").strip():
                self.blocks.append(heading(words, int(found[1]), self.page))
        elif name == "table":
            self._table(element)
        elif name == "pre":
            self._code(element)
        elif name in _ITEMS:
            self._list(element)
        else:
            self._inside(element, name)

    def _inside(self, element: Element, name: str) -> None:
        apart = name in _BLOCKS
        if apart:
            self.flush()
        if name in ("br", "img"):
            self.words.append(f" {element.get('alt') or ''} ")
        self.words.append(element.text or "")
        for child in element:
            self.element(child)
            self.words.append(child.tail or "")
        if apart:
            self.flush()

    def flush(self) -> None:
        words = one_line("".join(self.words))
        self.words.clear()
        if words:
            self.blocks.append(Block("paragraph", words, page=self.page))

    def _note_page(self, element: Element) -> None:
        kinds = [v for k, v in element.attrib.items() if k.rpartition("}")[2].endswith("type")]
        if "pagebreak" in " ".join(kinds) or element.get("role") == "doc-pagebreak":
            said = element.get("title") or element.get("aria-label") or _all_text(element)
            if found := re.search(r"\d{1,6}", said):
                self.page = int(found[0])

    def _code(self, element: Element) -> None:
        self.flush()
        lines = [line.rstrip() for line in _all_text(element, " ").split("\n")]
        if code := "\n".join(lines).strip("\n"):
            self.blocks.append(Block("code", f"```\n{code}\n```", page=self.page))

    def _list(self, element: Element) -> None:
        self.flush()
        if items := list(_items(element, 0)):
            self.blocks.append(Block("list", "\n".join(items), page=self.page))

    def _table(self, element: Element) -> None:
        self.flush()
        rows = []
        for row in element.iter("{*}tr"):
            cells = [cell for cell in row if _name(cell) in ("td", "th")]
            texts = [one_line(_all_text(cell)) for cell in cells]
            spans = [_span(cell) for cell in cells]
            rows.append(
                [c for t, s in zip(texts, spans, strict=True) for c in (t, *[""] * (s - 1))]
            )
        width = max((len(row) for row in rows), default=0)
        for caption in element.iter("{*}caption"):
            self.words.append(_all_text(caption))
        self.flush()
        if width > 1 and any(cell for row in rows for cell in row):
            self.blocks.append(table(([*r, *[""] * (width - len(r))] for r in rows), self.page))
        else:  # one column: a frame for the page's layout
            for row in rows:
                self.words += row
                self.flush()


def _is_around(element: Element, name: str) -> bool:
    classes = set((element.get("class") or "").lower().split())
    role = element.get("role")
    if role in _NOTES or classes & _NOTES:
        return False
    marked = role in _ROLES_AROUND or bool(_CLASSES_AROUND & classes)
    return name in _AROUND or marked or element.get("aria-hidden") == "true"


def _span(cell: Element) -> int:
    said = cell.get("colspan") or ""
    return min(max(int(said), 1), 50) if said.isdecimal() and len(said) < 5 else 1


def _items(element: Element, depth: int) -> Iterator[str]:
    ordered = _name(element) == "ol"
    number = int(element.get("start")) if (element.get("start") or "").isdecimal() else 1
    for child in element:
        if _name(child) in _ITEMS:
            yield from _items(child, depth + 1)
        elif _name(child) == "li":
            nested: list[Element] = []
            if words := one_line(_all_text(child, aside=nested)):
                yield f"{'  ' * depth}{f'{number}.' if ordered else '-'} {words}"
                number += 1
            for inner in nested:
                yield from _items(inner, depth + 1)


def _all_text(element: Element, between: str = " ", aside: list[Element] | None = None) -> str:
    """An element's words; nested lists are put `aside` when that is given."""
    parts = [element.text or ""]
    for child in element:
        name = _name(child)
        if aside is not None and name in _ITEMS:
            aside.append(child)
        elif name == "br":
            parts.append("\n")
        elif name == "img":
            parts.append(child.get("alt") or "")
        elif name and name not in _SKIPPED:
            space = between if name in _BLOCKS else ""
            parts += [space, _all_text(child, between, aside), space]
        parts.append(child.tail or "")
    return "".join(parts)
