"""Which reader takes which file: the bundled ones, and those that a user names.

A reader is found by path (`./mine.py:Reader`), in the workspace (`readers/NAME.py`, which defines
`Reader`), by entry point (`prefkit.readers`), or among the optional ones that come along, in that
order. A named reader goes before the bundled ones for the endings that it declares.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from prefkit import plugins
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.generation.blocks import Parsed, Part, visible
from prefkit.generation.decoding import decode
from prefkit.generation.formats.delimited import delimited_reader
from prefkit.generation.formats.epub import read_epub
from prefkit.generation.formats.json_rows import read_json, read_json_lines
from prefkit.generation.formats.markdown import read_markdown
from prefkit.generation.formats.pdf import read_pdf
from prefkit.generation.formats.plain import read_plain
from prefkit.generation.formats.restructured import read_restructured
from prefkit.generation.formats.slides import read_pptx
from prefkit.generation.formats.spreadsheet import read_xlsx
from prefkit.generation.formats.web import read_html
from prefkit.generation.formats.word import read_docx
from prefkit.workspace import Workspace

TABLE_TOKENS = 200  # of a piece of a long table, so that each piece, with its header, fits a chunk
OPTIONAL = {
    "docling": "prefkit.generation.adapters.docling:DoclingReader",
    "kreuzberg": "prefkit.generation.adapters.kreuzberg:KreuzbergReader",
    "tesseract": "prefkit.generation.adapters.tesseract:TesseractReader",
}
_LIBRARIES = ("lxml", "openpyxl", "pypdfium2", "python-docx", "trafilatura")

Content = Parsed | Sequence[Part]


class Reader(Protocol):
    """Turns the bytes of a file into blocks, or into several documents.

    It raises `Unreadable` for a file that it cannot use. Whatever else it raises counts as a file
    that is broken; a `PrefkitError` stops the run.
    """

    suffixes: tuple[str, ...]

    def read(self, data: bytes) -> Content:
        """What the file holds."""
        ...


@dataclasses.dataclass(frozen=True)
class Taken:
    """A reader that was chosen, and what the manifest says of it.

    Attributes:
        name: What it is called.
        origin: bundled, or where the plug-in came from.
        sha256: Changes when what it reads may change: of the plug-in's file, or of our readers
            and the libraries under them.
        read: The reading.
    """

    name: str
    origin: str
    sha256: str
    read: Callable[[bytes], Content]


@dataclasses.dataclass(frozen=True)
class Readers:
    """The reader of each ending, in lower case with its dot."""

    by_suffix: Mapping[str, Taken]

    def of(self, suffix: str) -> Taken | None:
        """The reader of an ending, if there is one."""
        return self.by_suffix.get(suffix.lower())

    @property
    def named(self) -> tuple[Taken, ...]:
        """The readers that the user named, each once."""
        return tuple(
            dict.fromkeys(taken for taken in self.by_suffix.values() if taken.origin != "bundled")
        )


def readers(
    names: Sequence[str] = (),
    workspace: Workspace | None = None,
    *,
    text_field: str | None = None,
    table_tokens: int = TABLE_TOKENS,
) -> Readers:
    """The bundled readers, and before them those that are named, the first one first.

    Args:
        names: Plug-ins and optional readers.
        workspace: Whose `readers/` folder is searched.
        text_field: Field of a JSON row that holds the text; told by its name when unset.
        table_tokens: Most words and marks of a piece of a long CSV or XLSX table.

    Raises:
        PrefkitError: There is no such reader, it is none, or it lacks a package.
    """
    options = f"{text_field or ''} {table_tokens}"
    sha256 = hashlib.sha256(f"{_version()} {options}".encode()).hexdigest()
    by_suffix = {
        suffix: Taken(suffix.removeprefix("."), "bundled", sha256, read)
        for suffix, read in _bundled(text_field, table_tokens).items()
    }
    for name in reversed(names):
        reader, taken = _find(name, workspace or Workspace.find())
        by_suffix |= {suffix.lower(): taken for suffix in reader.suffixes}
    return Readers(by_suffix)


def _from_text(read: Callable[[str], Content]) -> Callable[[bytes], Content]:
    def from_bytes(data: bytes) -> Content:
        text, encoding = decode(data)
        content = read(visible(text))
        if encoding == "utf-8" or not isinstance(content, Parsed):
            return content
        return dataclasses.replace(content, notes=content.notes | {"encoding": encoding})

    return from_bytes


def _bundled(text_field: str | None, tokens: int) -> dict[str, Callable[[bytes], Content]]:
    markdown, plain = _from_text(read_markdown), _from_text(read_plain)
    web, restructured = _from_text(read_html), _from_text(read_restructured)
    return {
        ".md": markdown,
        ".markdown": markdown,
        ".txt": plain,
        ".text": plain,
        ".rst": restructured,
        ".rest": restructured,
        ".html": web,
        ".htm": web,
        ".xhtml": web,
        ".pdf": read_pdf,
        ".docx": read_docx,
        ".pptx": read_pptx,
        ".epub": read_epub,
        ".csv": _from_text(delimited_reader(tokens)),
        ".tsv": _from_text(delimited_reader(tokens, "\t")),
        ".xlsx": functools.partial(read_xlsx, tokens=tokens),
        ".xlsm": functools.partial(read_xlsx, tokens=tokens),
        ".jsonl": _from_text(functools.partial(read_json_lines, text_field=text_field)),
        ".ndjson": _from_text(functools.partial(read_json_lines, text_field=text_field)),
        ".json": _from_text(functools.partial(read_json, text_field=text_field)),
    }


@functools.cache
def _version() -> str:
    """Digest of the code that reads: our files, and the versions of the libraries they use."""
    here = Path(__file__).parent
    files = (here / "blocks.py", here / "decoding.py", here / "readers.py")
    digest = hashlib.sha256()
    for file in (*files, *sorted((here / "formats").glob("*.py"))):
        digest.update(file.read_bytes())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {metadata.version(library)}\n".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"{library} absent\n".encode())
    return digest.hexdigest()


def _find(name: str, workspace: Workspace) -> tuple[Reader, Taken]:
    path, colon, attribute = name.rpartition(":")
    file = workspace.root / "readers" / f"{name}.py"
    known = plugins.names("reader", workspace)
    if colon and path.endswith(".py"):
        beside = workspace.root / path
        name = f"{beside}:{attribute}" if not Path(path).exists() and beside.exists() else name
        found = plugins.find("reader", name, workspace)
    elif file.is_file():
        found = dataclasses.replace(
            plugins.find("reader", f"{file}:Reader", workspace), source="workspace"
        )
    elif name in OPTIONAL and name not in known:
        found = _optional(name)
    elif name in known:
        found = plugins.find("reader", name, workspace)
    else:
        raise PrefkitError(
            f"There is no reader called `{name}`.",
            hint=f"Known: {', '.join(sorted({*OPTIONAL, *known}))}; or ./mine.py:Reader, or "
            "readers/NAME.py in the workspace. The bundled readers need no name.",
            exit_code=EXIT_USAGE,
        )
    reader = _made(name, found.target)
    return reader, Taken(Path(name).stem, found.source, found.sha256, reader.read)


def _optional(name: str) -> plugins.Found:
    import importlib

    from prefkit.storage import sha256_of

    module_name, _, attribute = OPTIONAL[name].partition(":")
    module = importlib.import_module(module_name)
    own = sha256_of(Path(module.__file__ or ""))
    sha256 = hashlib.sha256(f"{own} {module.version()} {_version()}".encode()).hexdigest()
    return plugins.Found("reader", name, "optional", None, getattr(module, attribute), sha256)


def _made(name: str, target: Any) -> Reader:  # whatever the plug-in's author made
    try:
        reader = target() if isinstance(target, type) else target
    except PrefkitError:
        raise
    except Exception as error:
        raise _refused(name, f"cannot be made: {type(error).__name__}: {error}") from error
    suffixes = getattr(reader, "suffixes", None)
    if not callable(getattr(reader, "read", None)):
        raise _refused(name, "has no `read(data)`")
    if not isinstance(suffixes, tuple | list) or not suffixes:
        raise _refused(name, "has no `suffixes`")
    if wrong := [s for s in suffixes if not isinstance(s, str) or not s.startswith(".")]:
        raise _refused(name, f"declares {wrong[0]!r} among its `suffixes`; such as '.xml' is meant")
    return reader


def _refused(name: str, why: str) -> PrefkitError:
    return PrefkitError(
        f"Reader {name}: {why}.",
        hint='A reader has `suffixes = (".xml",)` and `read(self, data: bytes) -> Parsed`.',
        exit_code=EXIT_USAGE,
    )
