"""Files to documents: which files count, how each is read, and why one is left out."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload
from urllib.parse import urlsplit

from prefkit import console
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.blocks import (
    Block,
    Parsed,
    ParsedDocument,
    Part,
    Unreadable,
    has_words,
    heading_text,
    place,
    whole_characters,
)
from prefkit.generation.decoding import decode
from prefkit.generation.document_cache import DocumentCache, cache_key
from prefkit.generation.readers import Content, Readers, Taken, readers
from prefkit.generation.sources.fetching import Fetched, Fetcher
from prefkit.generation.sources.files import Place, is_url, places
from prefkit.records import Document, Dropped
from prefkit.workspace import Workspace

__all__ = ["Read", "decode", "read_documents", "read_sources", "texts_of"]

STAGE = "generate"
MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read, and what was not.

    Attributes:
        documents: In order of their source path. With a cache they are loaded when asked for, so
            that memory does not grow with the texts of all files.
        dropped: Files left out, and parts of files, each with its reason; `record_id` is the
            file's path.
        readers: The readers that the user named.
        unchanged: Files whose content the cache knew.
    """

    documents: Sequence[ParsedDocument]
    dropped: list[Dropped]
    readers: tuple[Taken, ...] = ()
    unchanged: int = 0
    digest: str = ""

    @property
    def sha256(self) -> str:
        """Digest of all that was read: sources and contents, in order."""
        return self.digest


def read_sources(
    sources: str | Path | Sequence[str | Path], config: GenerateConfig, workspace: Workspace
) -> Read:
    """Read documents as `[generate]` says, with the workspace's readers and cache.

    Raises:
        PrefkitError: As `read_documents`, or a reader that is named does not exist.
    """
    largest = int(config.largest_megabytes * MEGABYTE)
    table_tokens = max(32, int(0.9 * config.chunk_tokens))
    chosen = readers(
        config.reader, workspace, text_field=config.text_field, table_tokens=table_tokens
    )
    fetcher = Fetcher(largest, private=config.allow_private_url) if config.allow_url else None
    return read_documents(
        sources,
        largest=largest,
        limit=config.limit,
        include=config.include,
        exclude=config.exclude,
        readers=chosen,
        cache=DocumentCache(workspace.private / "cache" / "documents"),
        fetcher=fetcher,
        base=workspace.root,
    )


def read_documents(
    source: str | Path | Sequence[str | Path],
    *,
    largest: int = 50 * MEGABYTE,
    limit: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    readers: Readers | None = None,
    cache: DocumentCache | None = None,
    fetcher: Fetcher | None = None,
    base: Path | None = None,
) -> Read:
    """Read folders of documents, files, patterns such as `docs/**/*.md`, and pages of the web.

    Hidden files are passed over. A file that cannot be used is dropped with a reason and does not
    stop the others.

    Args:
        source: What to read, one or several.
        largest: Most bytes of a file that is read.
        limit: Stop after so many documents.
        include: Patterns of which a file of a folder has to match one.
        exclude: Patterns of files that do not count.
        readers: The reader of each ending; the bundled ones when unset.
        cache: Where contents are kept, so that only changed files are read again.
        fetcher: Gets pages of the web, which are refused without it.
        base: Where a relative source is looked for when it is not in the current folder.

    Raises:
        PrefkitError: A source does not exist or cannot be listed, a page of the web was not asked
            for, or no document is usable.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    _refuse_pages([str(entry) for entry in sources if is_url(str(entry))], fetcher)
    reading = _Reading(readers or _bundled(), largest, cache, fetcher)
    found = places(sources, include=include, exclude=exclude, base=base)
    corpus = Corpus(reading, keep=cache is None)
    dropped: list[Dropped] = []
    first: dict[bytes, str] = {}
    with console.progress("files", len(found), if_long=True) as bar:
        for entry in found:
            if limit is not None and len(corpus) >= limit:
                break
            for number, item in enumerate(reading.items(entry)):
                if isinstance(item, Dropped):
                    dropped.append(item)
                elif limit is None or len(corpus) < limit:
                    if same := _same_before(item, first):
                        dropped.append(_drop(item.document.source, same))
                    else:
                        corpus.add(entry, number, item)
            bar.advance(note=f"{len(corpus)} documents")
    if not corpus:
        shown = ", ".join(str(entry) for entry in sources)
        hint = f"Readable files end in {', '.join(reading.readers.by_suffix)}; "
        raise PrefkitError(
            f"{shown}: no usable document. {_why(dropped)}",
            hint=f"{hint}hidden files are passed over.",
        )
    unchanged = cache.hits if cache else 0
    return Read(corpus, dropped, reading.readers.named, unchanged, corpus.digest())


def _refuse_pages(pages: Sequence[str], fetcher: Fetcher | None) -> None:
    for page in pages:
        address = urlsplit(page)
        if address.username or address.password:
            raise PrefkitError(
                f"The address of a page on {address.hostname} holds a user or a password.",
                hint="Addresses are recorded: download the page, and name the file.",
            )
        if fetcher is None:
            raise PrefkitError(
                f"{page}: pages of the web are fetched only when you ask for it.",
                hint="Add `--allow-url`.",
            )


def _bundled() -> Readers:
    return readers()


def _same_before(item: ParsedDocument, first: dict[bytes, str]) -> Unreadable | None:
    """Why a document is left out whose text an earlier one has."""
    name = item.document.source
    earlier = first.setdefault(hashlib.sha256(item.document.text.encode()).digest()[:16], name)
    return None if earlier == name else Unreadable("duplicate-document", f"same text as {earlier}")


def _drop(name: str, reason: Unreadable) -> Dropped:
    detail = f"{name}: {reason.detail}"
    return Dropped(record_id=name, stage=STAGE, rule=reason.rule, detail=detail)


def _why(dropped: list[Dropped]) -> str:
    shown = "; ".join(f"{entry.detail} ({entry.rule})" for entry in dropped[:5])
    more = f"; and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    return f"{shown}{more}." if dropped else "It is empty."


class Corpus(Sequence[ParsedDocument]):
    """Documents in order. Those the cache holds are loaded when asked for, and not kept."""

    def __init__(self, reading: "_Reading", *, keep: bool) -> None:
        self._reading, self._keep = reading, keep
        self._entries: list[tuple[Place, int, str] | ParsedDocument] = []
        self._hash = hashlib.sha256()
        self._last: tuple[Place, list[ParsedDocument | Dropped]] | None = None

    def add(self, entry: Place, number: int, parsed: ParsedDocument) -> None:
        """Add a document that stands as the `number`th of what its file gives."""
        document = parsed.document
        self._hash.update(f"{document.source}\0{document.sha256}\n".encode())
        keep = self._keep or entry.path is None
        self._entries.append(parsed if keep else (entry, number, document.id))

    def digest(self) -> str:
        """Digest of the sources and contents, in order."""
        return self._hash.hexdigest()

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> ParsedDocument: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ParsedDocument]: ...
    def __getitem__(self, index: int | slice) -> ParsedDocument | Sequence[ParsedDocument]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        entry = self._entries[index]
        return entry if isinstance(entry, ParsedDocument) else self._loaded(*entry)

    def _loaded(self, entry: Place, number: int, identity: str) -> ParsedDocument:
        if self._last is None or self._last[0] != entry:
            self._last = entry, list(self._reading.items(entry))
        items = self._last[1]
        item = items[number] if number < len(items) else None
        if not isinstance(item, ParsedDocument) or item.document.id != identity:
            raise PrefkitError(
                f"{entry.path}: changed while it was being worked on.",
                hint="Start again when nobody writes to the documents.",
            )
        return item


@dataclasses.dataclass(frozen=True)
class _Reading:
    """How files are read."""

    readers: Readers
    largest: int
    cache: DocumentCache | None
    fetcher: Fetcher | None

    def items(self, entry: Place) -> Iterator[ParsedDocument | Dropped]:
        """The documents of a file, and what of it is left out."""
        try:
            if entry.path is None:
                fetched = self._fetch(entry.name)
                data, suffix, stem = fetched.data, fetched.suffix, fetched.title
            else:
                suffix, stem = entry.path.suffix.lower(), entry.path.stem
                self._refuse_unknown(entry.path)
                data = _bytes(entry.path, self.largest)
            sha256 = hashlib.sha256(data).hexdigest()
            content = self._content(data, sha256, suffix)
        except Unreadable as reason:
            yield _drop(entry.name, reason)
            return
        parts = [Part("", content)] if isinstance(content, Parsed) else content
        for part in parts:
            name = f"{entry.name}#{part.name}" if part.name else entry.name
            yield from _documents(name, stem, sha256, part.parsed)

    def _fetch(self, url: str) -> Fetched:
        if self.fetcher is None:
            raise Unreadable("not-fetched", "pages of the web were not asked for")
        return self.fetcher.fetch(url)

    def _refuse_unknown(self, path: Path) -> None:
        if path.is_symlink() and path.is_dir():
            raise Unreadable("link-to-folder", "links to folders are not followed")
        if self.readers.of(path.suffix) is None:
            raise Unreadable("unknown-format", f"no reader for `{path.suffix or path.name}` files")

    def _content(self, data: bytes, sha256: str, suffix: str) -> Content:
        reader = self.readers.of(suffix)
        if reader is None:
            raise Unreadable("unknown-format", f"no reader for `{suffix}` files")
        if self.cache is None:
            return _parsed(reader, data, suffix)
        key = cache_key(sha256, suffix, reader)
        known = self.cache.get(key)
        if known is None:
            try:
                known = _parsed(reader, data, suffix)
            except Unreadable as reason:
                known = reason
            self.cache.put(key, known)
        if isinstance(known, Unreadable):
            raise known
        return known


def _documents(
    name: str, stem: str, sha256: str, parsed: Parsed | Unreadable
) -> Iterator[ParsedDocument | Dropped]:
    if isinstance(parsed, Unreadable):
        yield _drop(name, parsed)
        return
    if has_words(parsed.blocks):
        yield _document(name, stem, sha256, parsed)
    else:
        reason = Unreadable("no-text", "nothing but headings or marks")
        yield _drop(name, parsed.lost[0] if parsed.lost else reason)
        return
    for reason in parsed.lost:
        yield _drop(name, reason)


def _document(name: str, stem: str, sha256: str, parsed: Parsed) -> ParsedDocument:
    text, placed = place(block for block in parsed.blocks if block.text.strip())
    headings = (heading_text(block) for block in parsed.blocks if block.kind == "heading")
    document = Document(
        text=text,
        source=name,
        title=next(headings, "") or parsed.title or stem,
        license=parsed.license,
        sha256=sha256,
        metadata=parsed.notes,
    )
    return ParsedDocument(document, placed)


def _parsed(reader: Taken, data: bytes, suffix: str) -> Content:
    try:
        content = reader.read(data)
    except (Unreadable, PrefkitError):
        raise
    except Exception as error:  # a damaged file raises whatever its parser stumbles over
        kind = suffix.removeprefix(".")
        raise Unreadable(f"broken-{kind}", f"{type(error).__name__}: {error}") from error
    if isinstance(content, Parsed):
        return _whole(content)
    if isinstance(content, Sequence) and all(isinstance(part, Part) for part in content):
        return [
            Part(part.name, _whole(part.parsed) if isinstance(part.parsed, Parsed) else part.parsed)
            for part in content
        ]
    raise PrefkitError(
        f"Reader {reader.name} gave {type(content).__name__}; a Parsed or a list of Part is wanted."
    )


def _whole(parsed: Parsed) -> Parsed:
    """What a reader found, with whole characters only: some formats can hold halves."""

    def mended(block: Block) -> Block:
        text = whole_characters(block.text)
        return block if text == block.text else dataclasses.replace(block, text=text)

    notes = {name: whole_characters(note) for name, note in parsed.notes.items()}
    blocks = [mended(block) for block in parsed.blocks]
    title = whole_characters(parsed.title)
    return dataclasses.replace(parsed, blocks=blocks, title=title, notes=notes)


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


def texts_of(documents: Iterable[ParsedDocument]) -> dict[str, str]:
    """Text of each document by its id."""
    return {parsed.document.id: parsed.document.text for parsed in documents}
