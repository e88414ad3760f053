"""What a reader found in a file, kept by the file's content: unchanged files are not read again.

The key is made of the file's bytes, its reader and the reader's version. An entry carries its own
digest, so that a torn or edited one counts as absent. The folder may be deleted at any time.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefkit.generation.blocks import Block, Parsed, Part, Unreadable
from prefkit.generation.readers import Content, Taken
from prefkit.storage import writing

log = logging.getLogger(__name__)


@dataclasses.dataclass
class DocumentCache:
    """Entries in a folder, one file each.

    Attributes:
        folder: Such as `.prefkit/cache/documents` of a workspace.
        hits: Files that were found in it.
        misses: Files that were not.
    """

    folder: Path
    hits: int = 0
    misses: int = 0
    _writes: bool = dataclasses.field(default=True, repr=False)

    def get(self, key: str) -> Content | Unreadable | None:
        """What was found in the file of that key; None when it is not known."""
        try:
            digest, _, body = self._path(key).read_bytes().partition(b"\n")
            if hashlib.sha256(body).hexdigest().encode() == digest:
                found = _content(json.loads(body))
                self.hits += 1
                return found
        except (OSError, ValueError, KeyError, TypeError):
            pass  # absent, torn, or of another make: it is read anew
        self.misses += 1
        return None

    def put(self, key: str, content: Content | Unreadable) -> None:
        """Keep what was found; without room the cache goes without, and says so once."""
        if not self._writes:
            return
        body = json.dumps(_value(content), ensure_ascii=True, separators=(",", ":")).encode()
        try:
            with writing(self._path(key), synced=False) as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        except OSError as error:
            self._writes = False
            log.warning("%s: documents are not cached: %s", self.folder, error.strerror)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def cache_key(sha256: str, suffix: str, reader: Taken) -> str:
    """The key of a file's content under a reader."""
    return hashlib.sha256(f"{sha256} {suffix} {reader.name} {reader.sha256}".encode()).hexdigest()


def _value(content: Content | Unreadable) -> Any:  # a JSON value
    if isinstance(content, Unreadable):
        return {"rule": content.rule, "detail": content.detail}
    if isinstance(content, Sequence):
        return {"parts": [[part.name, _value(part.parsed)] for part in content]}
    return {
        "blocks": [[block.kind, block.text, block.level, block.page] for block in content.blocks],
        "title": content.title,
        "notes": content.notes,
        "license": content.license,
        "lost": [[reason.rule, reason.detail] for reason in content.lost],
    }


def _content(value: Any) -> Content | Unreadable:  # what `_value` made
    if "parts" in value:
        return [Part(name, _one(inner)) for name, inner in value["parts"]]
    return _one(value)


def _one(value: Any) -> Parsed | Unreadable:  # what `_value` made
    if "rule" in value:
        return Unreadable(value["rule"], value["detail"])
    return Parsed(
        [Block(*fields) for fields in value["blocks"]],
        value["title"],
        value["notes"],
        value["license"],
        tuple(Unreadable(*fields) for fields in value["lost"]),
    )
