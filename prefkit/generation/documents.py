"""Files to documents: which files count, how each is read, and why one is left out."""

import codecs
import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prefkit.errors import PrefkitError
from prefkit.generation.blocks import (
    Parsed,
    ParsedDocument,
    Unreadable,
    has_words,
    heading_text,
    place,
    visible,
)
from prefkit.generation.formats.markdown import read_markdown
from prefkit.generation.formats.pdf import read_pdf
from prefkit.generation.formats.plain import read_plain
from prefkit.generation.formats.web import read_html
from prefkit.generation.formats.word import read_docx
from prefkit.records import Document, Dropped

STAGE = "generate"
MEGABYTE = 1_000_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{3,20})", re.IGNORECASE)


def _from_text(read: Callable[[str], Parsed]) -> Callable[[bytes], Parsed]:
    def from_bytes(data: bytes) -> Parsed:
        text, encoding = decode(data)
        parsed = read(visible(text))
        notes = {} if encoding == "utf-8" else {"encoding": encoding}
        return dataclasses.replace(parsed, notes=parsed.notes | notes)

    return from_bytes


READERS: dict[str, Callable[[bytes], Parsed]] = {
    ".md": _from_text(read_markdown),
    ".markdown": _from_text(read_markdown),
    ".txt": _from_text(read_plain),
    ".text": _from_text(read_plain),
    ".html": _from_text(read_html),
    ".htm": _from_text(read_html),
    ".xhtml": _from_text(read_html),
    ".pdf": read_pdf,
    ".docx": read_docx,
}


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read, and what was not.

    Attributes:
        documents: In order of their source path.
        dropped: Files left out, each with its reason; `record_id` is the file's path.
    """

    documents: list[ParsedDocument]
    dropped: list[Dropped]

    @property
    def sha256(self) -> str:
        """Digest of all that was read: sources and contents, in order."""
        digest = hashlib.sha256()
        for parsed in self.documents:
            digest.update(f"{parsed.document.source}\0{parsed.document.sha256}\n".encode())
        return digest.hexdigest()


def read_documents(source: Path, *, largest: int = 50 * MEGABYTE, limit: int | None = None) -> Read:
    """Read a folder of documents, or a single file.

    Hidden files are passed over. A file that cannot be used is dropped with a reason and does not
    stop the others.

    Args:
        source: Folder or file: Markdown, text, HTML, PDF, DOCX.
        largest: Most bytes of a file that is read.
        limit: Stop after so many documents.

    Raises:
        PrefkitError: The source does not exist or cannot be listed, or holds no usable document.
    """
    if not source.exists():
        raise PrefkitError(
            f"{source}: no such file or folder.",
            hint="Name a folder of .md, .txt, .html, .pdf or .docx files.",
        )
    root = source if source.is_dir() else source.parent
    documents: list[ParsedDocument] = []
    dropped: list[Dropped] = []
    seen: dict[str, str] = {}
    for path in _files(source):
        if limit is not None and len(documents) >= limit:
            break
        name = path.relative_to(root).as_posix()
        try:
            parsed = _read_file(path, name, largest)
            first = seen.setdefault(parsed.document.text, name)
            if first != name:
                raise Unreadable("duplicate-document", f"same text as {first}")
            documents.append(parsed)
        except Unreadable as reason:
            detail = f"{name}: {reason.detail}"
            dropped.append(Dropped(record_id=name, stage=STAGE, rule=reason.rule, detail=detail))
    if not documents:
        raise PrefkitError(f"{source}: no usable document. {_why(dropped)}", hint=_READABLE)
    return Read(documents, dropped)


_READABLE = f"Readable files end in {', '.join(READERS)}; hidden files are passed over."


def _why(dropped: list[Dropped]) -> str:
    shown = "; ".join(f"{entry.detail} ({entry.rule})" for entry in dropped[:5])
    more = f"; and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    return f"{shown}{more}." if dropped else "It is empty."


def _files(source: Path) -> Iterator[Path]:
    """Files under `source` in a fixed order; links to folders are not followed."""
    if source.is_file():
        yield source
        return
    found: list[Path] = []
    for folder, subfolders, names in os.walk(source, onerror=_cannot_list):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        found += [Path(folder) / n for n in (*names, *links) if not n.startswith(".")]
    yield from sorted(found, key=lambda path: path.relative_to(source).parts)


def _cannot_list(error: OSError) -> None:
    raise PrefkitError(f"{error.filename}: cannot be listed: {error.strerror}.") from error


def _read_file(path: Path, name: str, largest: int) -> ParsedDocument:
    if path.is_symlink() and path.is_dir():
        raise Unreadable("link-to-folder", "links to folders are not followed")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise Unreadable("unknown-format", f"no reader for `{path.suffix or path.name}` files")
    data = _bytes(path, largest)
    parsed = _parsed(reader, data, path.suffix.lower())
    if not has_words(parsed.blocks):
        raise Unreadable("no-text", "nothing but headings or marks")
    text, placed = place(block for block in parsed.blocks if block.text.strip())
    headings = (heading_text(block) for block in parsed.blocks if block.kind == "heading")
    document = Document(
        text=text,
        source=name,
        title=next(headings, "") or parsed.title or path.stem,
        sha256=hashlib.sha256(data).hexdigest(),
        metadata=parsed.notes,
    )
    return ParsedDocument(document, placed)


def _parsed(reader: Callable[[bytes], Parsed], data: bytes, suffix: str) -> Parsed:
    try:
        return reader(data)
    except (Unreadable, PrefkitError):
        raise
    except Exception as error:  # a damaged file raises whatever its parser stumbles over
        kind = suffix.removeprefix(".")
        raise Unreadable(f"broken-{kind}", f"{type(error).__name__}: {error}") from error


def _bytes(path: Path, largest: int) -> bytes:
    try:
        if not path.is_file():
            raise Unreadable("missing", "a broken link, or not a regular file")
        size = path.stat().st_size
        if size == 0:
            raise Unreadable("empty", "0 bytes")
        if size > largest:
            raise Unreadable(
                "too-large", f"{size / MEGABYTE:.1f} MB, more than {largest / MEGABYTE:g}"
            )
        return path.read_bytes()
    except OSError as error:
        raise Unreadable("unreadable", error.strerror or str(error)) from error


def decode(data: bytes) -> tuple[str, str]:
    """Text and the encoding it was in.

    A byte-order mark decides, then UTF-8, then the charset a page declares, then windows-1252,
    which single-byte Western text nearly always is.

    Raises:
        Unreadable: The bytes are not text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data.removeprefix(mark), encoding), encoding
    if b"\0" in data:
        raise Unreadable("binary", "holds NUL bytes")
    try:
        return _with_words(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        pass
    if declared := _DECLARED.search(data[:2048]):
        try:
            return _decoded(data, declared[1].decode()), declared[1].decode().lower()
        except LookupError:
            pass
    if sum(byte < 32 and byte not in b"\t\n\f\r" for byte in data) > len(data) / 100:
        raise Unreadable("binary", "holds control bytes")
    return _decoded(data, "windows-1252"), "windows-1252"


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return _with_words(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise Unreadable(
            "wrong-encoding", f"not {encoding}: byte {error.start} cannot be decoded; save as UTF-8"
        ) from error


def _with_words(text: str) -> str:
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    return text


def texts_of(documents: Iterable[ParsedDocument]) -> dict[str, str]:
    """Text of each document by its id."""
    return {parsed.document.id: parsed.document.text for parsed in documents}
