"""Zip packages (DOCX, PPTX, XLSX, EPUB) and the XML in them, read within limits.

A few kilobytes of zip or of XML entities can stand for gigabytes: nothing is unpacked before its
size is known to be sane, and entities that a file defines itself are refused.
"""

import io
import posixpath
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

from prefkit.generation.blocks import Unreadable

Element = ElementTree.Element

_LARGEST_RATIO = 200  # unpacked to packed; a real document stays far below
_SMALL = 1_000_000  # bytes unpacked that hurt nobody, whatever their ratio
_LARGEST_PACKAGE = 1_000_000_000
_LARGEST_PART = 64_000_000  # of XML
_MOST_PARTS = 50_000
_DEEPEST = 500
_MOST_ELEMENTS = 4_000_000
_OLE = b"\xd0\xcf\x11\xe0"  # the container of a password-protected file, and of old Office files
_ENTITY = tuple("<!ENTITY".encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be"))


class Package:
    """The files in a zip package, by name.

    Raises:
        Unreadable: It is locked, no zip, or would unpack to an absurd size.
    """

    def __init__(self, data: bytes, kind: str) -> None:
        self.kind = kind
        if data.startswith(_OLE):
            raise Unreadable("locked", f"password-protected, or an old file under a .{kind} name")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise Unreadable(f"broken-{kind}", f"not a zip package: {error}") from error
        entries = self._zip.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > _LARGEST_PACKAGE or unpacked > max(_LARGEST_RATIO * len(data), _SMALL):
            raise Unreadable("too-large", f"unpacks from {len(data)} to {unpacked} bytes")
        if len(entries) > _MOST_PARTS:
            raise Unreadable("too-large", f"{len(entries)} parts, more than {_MOST_PARTS}")
        if any(entry.flag_bits & 1 for entry in entries):
            raise Unreadable("locked", "its parts ask for a password")
        self._sizes = {entry.filename: entry.file_size for entry in entries}

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def bytes_of(self, name: str) -> bytes:
        """A part's content.

        Raises:
            Unreadable: There is no such part, it is damaged, or larger than any text is.
        """
        if name not in self._sizes:
            raise Unreadable(f"broken-{self.kind}", f"without its part {name}")
        if self._sizes[name] > _LARGEST_PART:
            raise Unreadable("too-large", f"{name} unpacks to {self._sizes[name]} bytes")
        try:
            return self._zip.read(name)
        except Exception as error:  # zlib, CRC, a cut file, an unknown method: all mean damage
            raise Unreadable(f"broken-{self.kind}", f"{name}: {error}") from error

    def tree(self, name: str) -> Element:
        """A part as XML."""
        try:
            return xml_tree(self.bytes_of(name))
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Unreadable(f"broken-{self.kind}", f"{name}: {error}") from error

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """Office's relations of a part: by id, the last word of the type and the target's name."""
        folder, file = posixpath.split(name)
        relations = f"{folder}/_rels/{file}.rels".removeprefix("/")
        if relations not in self:
            return {}
        return {
            relation.get("Id", ""): (
                relation.get("Type", "").rpartition("/")[2],
                joined(folder, relation.get("Target", "")),
            )
            for relation in self.tree(relations)
            if relation.get("TargetMode") != "External"
        }

    def refuse_entities(self) -> None:
        """Refuse XML that defines entities, before a library expands them.

        Raises:
            Unreadable: A part does, or is larger than any text is.
        """
        for name in self._sizes:
            if name.endswith((".xml", ".rels")):
                data = self.bytes_of(name)
                if any(mark in data for mark in _ENTITY):
                    raise Unreadable(f"broken-{self.kind}", f"{name} defines XML entities")


def joined(folder: str, target: str) -> str:
    """The name of a part that another one in `folder` points to."""
    return posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")


def xml_tree(data: bytes) -> Element:
    """XML as a tree, without entities of its own, absurd depth or size.

    Raises:
        Unreadable: It has one of these.
        expat.ExpatError: It is not XML.
    """
    builder, depth, count = ElementTree.TreeBuilder(), 0, 0
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > _DEEPEST or count > _MOST_ELEMENTS:
            raise Unreadable("too-large", "XML nested too deeply, or with too many elements")
        builder.start(_full(name), {_full(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_full(name))

    def entity(*declared: Any) -> None:  # expat's seven arguments
        raise Unreadable("broken-xml", "defines XML entities")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = entity
    parser.Parse(data, True)
    return builder.close()


def _full(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """An attribute's value by its name without a namespace; "" when it has none such."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return ""
