"""Where things are: the workspace, its runs, the bundled content, and what SOURCE means."""

import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from prefkit.errors import PrefkitError
from prefkit.manifest import read_manifest

CONFIG_NAME = "prefkit.toml"


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A folder with `prefkit.toml`, or the current folder when there is none.

    Attributes:
        root: Absolute path of the workspace.
        config_file: Its `prefkit.toml`, if it has one.
    """

    root: Path
    config_file: Path | None = None

    @classmethod
    def find(cls, start: Path | None = None, config_file: Path | None = None) -> "Workspace":
        """The nearest folder upwards from `start` that holds a `prefkit.toml`."""
        if config_file is not None:
            if not config_file.is_file():
                raise PrefkitError(f"{config_file}: no such configuration file.")
            return cls(config_file.resolve().parent, config_file.resolve())
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / CONFIG_NAME).is_file():
                return cls(folder, folder / CONFIG_NAME)
        return cls(here)

    @property
    def runs(self) -> Path:
        """The folder of run folders."""
        return self.root / "runs"

    @property
    def private(self) -> Path:
        """Caches and server environments; ignored by git."""
        return self.root / ".prefkit"

    def content_folders(self, kind: str) -> list[Path]:
        """Where to look for editable content (`judges`, `benchmarks/suites`, …), nearest first."""
        return [self.root / kind, bundled(kind)]

    def show(self, path: Path) -> str:
        """`path` relative to the workspace when it lies inside."""
        resolved = path.resolve()
        return (
            resolved.relative_to(self.root).as_posix()
            if resolved.is_relative_to(self.root)
            else str(resolved)
        )

    def run_folders(self, stage: str | None = None) -> Iterator[Path]:
        """Run folders of this workspace, newest first."""
        found = []
        for path in self.runs.glob("*/manifest.json") if self.runs.is_dir() else ():
            manifest = read_manifest(path.parent)
            if stage in (None, manifest.stage):
                found.append((manifest.started, path.parent))
        yield from (folder for _, folder in sorted(found, reverse=True))

    def run_folder(self, name: str) -> Path:
        """The run that `name` says: a folder, a name in runs/, or `@stage`.

        Raises:
            PrefkitError: There is no such run, or no finished run of that stage.
        """
        if name.startswith("@"):
            stage = name.removeprefix("@")
            for folder in self.run_folders(stage):
                if read_manifest(folder).status == "finished":
                    return folder
            known = sorted({read_manifest(f).stage for f in self.run_folders()})
            raise PrefkitError(
                f"{name}: no finished {stage} run in {self.runs}.",
                hint=f"Run `prefkit {stage}` first, or name a file."
                + (f" Stages with runs here: {', '.join(known)}." if known else ""),
            )
        for folder in (Path(name), self.root / name, self.runs / name):
            if (folder / "manifest.json").is_file():
                return folder.resolve()
        raise PrefkitError(
            f"{name}: no such run.", hint="`prefkit runs list` names the runs of this workspace."
        )

    def stream(self, source: str, name: str, split: str | None = None) -> list[Path]:
        """Files that hold the records `name` (`examples`, `pairs`, …) of a SOURCE.

        SOURCE is a JSONL file, a run folder or its name, `-` for standard input, or `@stage` for
        the newest finished run of that stage. When a run does not hold the records itself, the
        runs it was made from are searched, nearest first.

        Args:
            source: What the user typed.
            name: The records wanted.
            split: Only this split of them; a stream without splits is returned whole.

        Raises:
            PrefkitError: Nothing of that kind is found.
        """
        if source == "-":
            return [_spool_stdin()]
        if not source.startswith("@") and Path(source).is_file():
            return [Path(source)]
        if not source.startswith("@") and not self._is_run(source):
            kind = "is a folder without a run" if Path(source).is_dir() else "no such file or run"
            raise PrefkitError(
                f"{source}: {kind}.",
                hint=f"Give a {name} file, a run folder, `-`, or @stage such as `@generate`.",
            )
        folder = self.run_folder(source)
        for run in self.lineage(folder):
            files = stream_files(run, name, split)
            if files:
                return files
        raise PrefkitError(
            f"{source}: neither {folder.name} nor the runs it was made from hold {name}.",
            hint="`prefkit runs show` lists what a run holds.",
        )

    def run_at(self, source: str) -> Path | None:
        """The run folder that SOURCE says; None when it says a file, `-` or a dataset.

        Raises:
            PrefkitError: It names a stage without a finished run.
        """
        named = source.startswith("@") or (not Path(source).is_file() and self._is_run(source))
        return self.run_folder(source) if named else None

    def _is_run(self, name: str) -> bool:
        return any(
            (folder / "manifest.json").is_file()
            for folder in (Path(name), self.root / name, self.runs / name)
        )

    def lineage(self, folder: Path) -> Iterator[Path]:
        """A run and the runs it was made from, nearest first, each once."""
        queue, seen = [folder], {folder}
        while queue:
            run = queue.pop(0)
            yield run
            for entry in read_manifest(run).inputs:
                upstream = self.runs / entry.run if entry.run else None
                if upstream is None or not (upstream / "manifest.json").is_file():
                    upstream = run.parent / entry.run if entry.run else None
                if upstream and (upstream / "manifest.json").is_file() and upstream not in seen:
                    seen.add(upstream)
                    queue.append(upstream)


def stream_files(run: Path, name: str, split: str | None = None) -> list[Path]:
    """The files of one record stream in one run folder; empty when it has none."""
    for suffix in (".jsonl", ".parquet"):
        whole = run / "data" / f"{name}{suffix}"
        if whole.is_file():
            return [whole]
        parts = sorted((run / "data" / name).glob(f"*{suffix}"))
        if parts:
            return [p for p in parts if split in (None, p.stem)]
    return []


def bundled(kind: str) -> Path:
    """Content that came with prefkit: inside the wheel, else beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "_bundled" / kind
    return inside if inside.exists() else package.parent / kind


def cache_folder() -> Path:
    """`PREFKIT_CACHE`, else `prefkit` in the user's cache folder."""
    import os

    if os.environ.get("PREFKIT_CACHE"):
        return Path(os.environ["PREFKIT_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "prefkit"


def _spool_stdin() -> Path:
    with tempfile.NamedTemporaryFile("wb", suffix=".jsonl", delete=False) as file:
        file.write(sys.stdin.buffer.read())
    return Path(file.name)
