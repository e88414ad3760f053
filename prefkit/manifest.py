"""`manifest.json`: what a run was made from, with what, and how it ended."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from prefkit.errors import PrefkitError
from prefkit.storage import count_rows, sha256_of, validated

if TYPE_CHECKING:
    from prefkit.workspace import Workspace

Status = Literal["running", "finished", "interrupted", "failed"]


class Input(BaseModel):
    """A file or folder a run was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: str
    rows: int | None = None
    run: str | None = Field(None, description="Name of the run folder it lies in, if any.")

    @classmethod
    def of(cls, path: Path, workspace: "Workspace") -> "Input":
        """Describe a file or folder by its hash and, when it lies in a run, that run's name."""
        run = run_of(path)
        return cls(
            path=workspace.show(path),
            sha256=sha256_of(path),
            rows=count_rows(path),
            run=run.name if run else None,
        )


class Manifest(BaseModel):
    """What `manifest.json` says."""

    model_config = ConfigDict(extra="forbid")

    stage: str
    status: Status
    digest: str
    argv: list[str]
    started: str
    ended: str | None = None
    seconds: float = 0.0
    resumed: int = 0
    seed: int = 0
    inputs: list[Input] = []
    outputs: dict[str, int] = Field({}, description="Records a stream.")
    dropped: dict[str, int] = Field({}, description="Drops a rule.")
    plugins: list[dict[str, str]] = []
    totals: dict[str, float] = Field({}, description="Tokens, calls, cost and such, summed.")
    device: str = "cpu"
    versions: dict[str, str] = {}
    platform: str = ""
    error: str = ""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder.

    Raises:
        PrefkitError: It is missing or damaged.
    """
    path = folder / "manifest.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: not a readable run manifest ({error}).") from error
    return validated(value, Manifest, str(path))


def run_of(path: Path) -> Path | None:
    """The run folder a data file or adapter lies in, if any."""
    for folder in (path, *path.resolve().parents):
        if (folder / "manifest.json").is_file():
            return folder
    return None
