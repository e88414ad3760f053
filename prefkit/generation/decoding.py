"""Bytes to text: which encoding a file is in, and whether it is text at all."""

import codecs
import re

from prefkit.generation.blocks import Unreadable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{3,20})", re.IGNORECASE)


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
