"""EPUB to blocks: the book's files in the order of its spine."""

import posixpath
from collections.abc import Iterator

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, Unreadable, one_line, visible
from prefkit.generation.formats.markup import read_markup
from prefkit.generation.formats.packages import Element, Package, attribute, joined, local

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXT = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_FRONT = frozenset(("nav", "toc"))  # properties of a file that only lists the others


def read_epub(data: bytes) -> Parsed:
    """Blocks of a book, without its table of contents.

    Raises:
        Unreadable: It is locked, broken, or no book.
        PrefkitError: lxml is not installed.
    """
    try:
        import lxml  # noqa: F401 - asked for here, used by the pages
    except ImportError as error:
        raise missing_extra("lxml", "docs", "Reading EPUB") from error

    package = Package(data, "epub")
    book = _root_file(package)
    root = package.tree(book)
    names = _spine(root, posixpath.dirname(book))
    locked = _locked(package)
    if locked & set(names):
        raise Unreadable("locked", "protected against copying (DRM)")
    blocks: list[Block] = []
    lost = []
    for name in names:
        if name not in package:
            lost.append(Unreadable("missing-part", f"{name} is listed and not there"))
            continue
        blocks += read_markup(package.bytes_of(name))
    return Parsed(blocks, _title(root), lost=tuple(lost))


def _named(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if local(element) == name)


def _root_file(package: Package) -> str:
    for entry in _named(package.tree(_CONTAINER), "rootfile"):
        if path := entry.get("full-path"):
            return joined("", path)
    raise Unreadable("broken-epub", f"{_CONTAINER} names no book")


def _spine(root: Element, folder: str) -> list[str]:
    """The names of the files that hold the text, in reading order."""
    items = {item.get("id"): item for item in _named(root, "item")}
    names = []
    for reference in _named(root, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _TEXT:
            continue
        if not _FRONT & set((item.get("properties") or "").split()):
            names.append(joined(folder, item.get("href") or ""))
    if not names:
        raise Unreadable("broken-epub", "its spine lists no text")
    return list(dict.fromkeys(names))


def _locked(package: Package) -> set[str]:
    if _ENCRYPTION not in package:
        return set()
    references = _named(package.tree(_ENCRYPTION), "CipherReference")
    return {joined("", attribute(reference, "URI")) for reference in references}


def _title(root: Element) -> str:
    titles = (one_line(visible("".join(title.itertext()))) for title in _named(root, "title"))
    return next((title for title in titles if title), "")
