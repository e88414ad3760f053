"""Where the training rows come from, read off the manifests of the runs upstream."""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from prefkit.manifest import read_manifest
from prefkit.records import Record
from prefkit.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Upstream:
    """A run that the trained one was made from.

    Attributes:
        name: Its folder.
        stage: What made it.
        made: Records a stream.
        dropped: Records a rule.
    """

    name: str
    stage: str
    made: dict[str, int]
    dropped: dict[str, int]

    def line(self) -> str:
        """The run as one line of a list."""
        made = ", ".join(f"{rows} {stream}" for stream, rows in self.made.items())
        dropped = ", ".join(f"{rows} {rule}" for rule, rows in self.dropped.items())
        return f"- `{self.name}`: {made or self.stage}" + (f"; dropped {dropped}" * bool(dropped))


def upstream(run: Path, workspace: Workspace) -> list[Upstream]:
    """Runs that a run was made from, nearest first."""
    found = []
    for folder in workspace.lineage(run):
        if folder != run:
            manifest = read_manifest(folder)
            found.append(Upstream(folder.name, manifest.stage, manifest.outputs, manifest.dropped))
    return found


def sources(records: Iterable[Record]) -> Counter[str]:
    """How many training rows rest on whose judgment: human, judge, rule, or the generator."""
    return Counter(
        getattr(record, "source", "") or getattr(record, "generator", "") or "not said"
        for record in records
    )
