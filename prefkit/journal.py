"""The journal of a run: one line a finished unit of work, whole or not there."""

import io
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class Journal:
    """Append-only file of finished units; knows where each begins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: dict[str, int] = {}
        self._file: io.BufferedRandom | None = None
        if path.exists():
            self._load()

    def _load(self) -> None:
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offsets.setdefault(json.loads(line)["unit"], whole)
                whole += len(line)
        if whole < self._path.stat().st_size:
            log.warning("%s: cut a torn last line", self._path.name)
            os.truncate(self._path, whole)

    def __contains__(self, unit: str) -> bool:
        return unit in self._offsets

    def _open(self) -> io.BufferedRandom:
        if self._file is None:
            self._path.touch()
            self._file = self._path.open("r+b")
        return self._file

    def append(self, unit: str, entry: Mapping[str, Any]) -> None:  # JSON values
        """Write one unit as one line."""
        if unit in self._offsets:
            raise ValueError(f"unit {unit} is recorded twice")
        file = self._open()
        offset = file.seek(0, os.SEEK_END)
        file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        file.flush()
        self._offsets[unit] = offset

    def read(self, unit: str) -> dict[str, Any]:  # what append wrote
        """What was written for a unit."""
        file = self._open()
        file.seek(self._offsets[unit])
        return json.loads(file.readline())

    def close(self) -> None:
        """Close the file; reading or appending opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def delete(self) -> None:
        """Remove the file: all its units lie elsewhere now."""
        self.close()
        self._path.unlink(missing_ok=True)
