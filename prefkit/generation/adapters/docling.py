"""`--reader docling`: layout models for scans and complex tables, through Docling.

Docling's PDF pipeline needs weights from the Hugging Face hub (some 500 MB, fetched at the first
use). Without them, as on a machine without a network, the run stops with what to do.
"""

import io
from importlib import metadata
from typing import Any

from prefkit.errors import PrefkitError, missing_extra
from prefkit.generation.blocks import Parsed, Unreadable, visible
from prefkit.generation.formats.markdown import read_markdown
from prefkit.generation.formats.packages import Package

_OFFLINE = ("LocalEntryNotFound", "OfflineMode", "ConnectError", "ConnectionError", "HfHubHTTP")


def version() -> str:
    """Docling's version; part of the reader's identity in a run."""
    try:
        return metadata.version("docling")
    except metadata.PackageNotFoundError:
        return "absent"


class DoclingReader:
    """PDF and Office files by way of Docling's Markdown; page numbers are not kept."""

    suffixes = (".pdf", ".docx", ".pptx", ".xlsx")

    def __init__(self) -> None:
        try:
            from docling.datamodel.base_models import (  # ty: ignore[import-not-found] - optional
                DocumentStream,
            )
            from docling.document_converter import (  # ty: ignore[import-not-found] - optional
                DocumentConverter,
            )
        except ImportError as error:
            raise missing_extra("docling", "docling", "`--reader docling`") from error
        self._stream, self._converter = DocumentStream, DocumentConverter()

    def read(self, data: bytes) -> Parsed:
        """What Docling finds in a file.

        Raises:
            PrefkitError: Its weights are not there and cannot be fetched.
        """
        stream = self._stream(name=_name(data), stream=io.BytesIO(data))
        try:
            found = self._converter.convert(stream)
        except Exception as error:  # Docling raises what its models and backends raise
            if needs_weights(error):
                raise PrefkitError(
                    "`--reader docling` needs its weights, which cannot be fetched from here: "
                    f"{type(error).__name__}.",
                    hint="Fetch them where there is a network with `docling-tools models download` "
                    "and set DOCLING_ARTIFACTS_PATH, or leave out `--reader docling`.",
                ) from error
            reason = f"docling: {type(error).__name__}: {str(error)[:300]}"
            raise Unreadable("broken-file", reason) from error
        parsed = read_markdown(visible(found.document.export_to_markdown()))
        return Parsed(parsed.blocks, parsed.title, {"reader": f"docling {version()}"})


def needs_weights(error: BaseException) -> bool:
    """Whether an error, or one behind it, is a failure to reach the hub."""
    behind: Any = error
    while behind is not None:
        names = [kind.__name__ for kind in type(behind).__mro__]
        if any(mark in name for mark in _OFFLINE for name in names):
            return True
        behind = behind.__cause__ or behind.__context__
    return False


def _name(data: bytes) -> str:
    """A file name that tells Docling the format."""
    if data.startswith(b"%PDF"):
        return "document.pdf"
    package = Package(data, "zip")
    endings = {"word": "docx", "ppt": "pptx", "xl": "xlsx"}
    folders = {name.partition("/")[0] for name in package}
    ending = next((ending for folder, ending in endings.items() if folder in folders), "zip")
    return f"document.{ending}"
