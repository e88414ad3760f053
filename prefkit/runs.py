"""A run folder: what was done, from what, with what; resumable at any instant.

Work is cut into units with stable names. A finished unit is one line in `journal.jsonl`: all its
records and drops, or nothing. A torn last line is cut on resume. When all units are done the
journal is folded into `data/*.jsonl` in the planned order, so an interrupted and resumed run ends
with the same bytes as one that was never stopped.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import io
import json
import logging
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import prefkit
from prefkit.config import StageConfig, differing_keys
from prefkit.errors import PrefkitError
from prefkit.journal import Journal
from prefkit.manifest import Input, Manifest, read_manifest
from prefkit.records import Dropped, Record, content_id
from prefkit.storage import read_json_lines, write_json, write_text, writing
from prefkit.workspace import Workspace

log = logging.getLogger(__name__)

VERSIONED = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "datasets",
    "openai",
    "scikit-learn",
    "rouge-score",
    "sacrebleu",
    "scipy",
    "numpy",
    "pydantic",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where and how a run is made; nothing here can change its records.

    Attributes:
        workspace: Where runs lie.
        out: Folder of the new run; a fresh one in the workspace when unset.
        resume: The run to continue.
        engine: Where the steps of large work run: `local` or `ray`.
        workers: Processes of the local engine; one a core when unset.
        argv: The command, for the manifest.
    """

    workspace: Workspace = dataclasses.field(default_factory=Workspace.find)
    out: Path | None = None
    resume: str | None = None
    engine: str = "local"
    workers: int | None = None
    argv: tuple[str, ...] = dataclasses.field(default_factory=lambda: tuple(sys.argv))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run would do, known before it starts: `--dry-run` prints it.

    Attributes:
        stage: Name of the stage, also the run folder's first word.
        config: The resolved configuration.
        inputs: What it reads.
        counts: How many records of each kind come in.
        expected: Calls, tokens, cost and other estimates.
    """

    stage: str
    config: StageConfig
    inputs: tuple[Input, ...] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    expected: Mapping[str, float | str | None] = dataclasses.field(default_factory=dict)

    def digest_fields(self) -> dict[str, Any]:  # JSON values
        """All that decides the records: configuration and content of the inputs."""
        return {
            "stage": self.stage,
            "config": self.config.digest_fields(),
            "inputs": [entry.sha256 for entry in self.inputs],
        }

    def digest(self) -> str:
        """Digest of `digest_fields`."""
        return content_id(self.digest_fields())

    def describe(self) -> dict[str, Any]:  # JSON values
        """The plan as one JSON object."""
        return {
            "stage": self.stage,
            "config": self.config.model_dump(mode="json"),
            "inputs": [entry.model_dump() for entry in self.inputs],
            "counts": dict(self.counts),
            "expected": dict(self.expected),
        }


class _RunLog(logging.FileHandler):
    """The log of a run; on a full disk it goes short, and the error of the run says why."""

    def handleError(self, record: logging.LogRecord) -> None:
        return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class Run:
    """A run folder being written. Use as a context manager; call `finish` at the end.

    ```python
    with Run.start(plan, settings) as run:
        for unit in run.pending(units):
            run.record(unit, {"examples": drafted.examples}, drafted.dropped)
        run.finish(units)
    ```
    """

    def __init__(self, path: Path, manifest: Manifest, lock: io.TextIOWrapper) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock
        self._journal = Journal(path / "journal.jsonl")
        self._began = datetime.datetime.now(datetime.UTC)
        self._earlier = manifest.seconds
        self._delivered_drops: Counter[str] = Counter()
        self._delivered_totals: Counter[str] = Counter()
        self._handler = _RunLog(path / "run.log", encoding="utf-8")
        self._handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        )
        logger = logging.getLogger("prefkit")
        logger.addHandler(self._handler)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)

    @classmethod
    def start(cls, plan: Plan, settings: Settings) -> "Run":
        """Make a new run folder, or take up the one that `settings.resume` names.

        Raises:
            PrefkitError: The folder is taken, another process holds it, or the run to resume was
                made with another configuration or other inputs (names the keys that differ).
        """
        if settings.resume is not None:
            return cls._resume(plan, settings)
        now = datetime.datetime.now(datetime.UTC)
        digest = plan.digest()
        path = settings.out or _fresh(
            settings.workspace.runs, f"{plan.stage}-{now:%Y%m%d-%H%M%S}-{digest[:4]}"
        )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise PrefkitError(
                f"{path}: already there and not an empty folder.",
                hint=f"Name another --out, or continue it with `--resume {path}`.",
            )
        path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        manifest = Manifest(
            stage=plan.stage,
            status="running",
            digest=digest,
            argv=list(settings.argv),
            started=now.isoformat(timespec="microseconds"),
            seed=plan.config.seed,
            inputs=list(plan.inputs),
            versions=_versions(),
            platform=f"{platform.platform()} python {platform.python_version()}",
        )
        try:
            write_json(path / "config.json", plan.config.model_dump(mode="json"))
            write_json(path / "digest.json", plan.digest_fields())
            run = cls(path, manifest, lock)
            run._save()
        except OSError:  # no room for what a run begins with: leave nothing that looks like one
            lock.close()
            shutil.rmtree(path, ignore_errors=True)
            raise
        return run

    @classmethod
    def _resume(cls, plan: Plan, settings: Settings) -> "Run":
        name = settings.resume or ""
        path = settings.workspace.run_folder(
            _newest_unfinished(settings.workspace, plan.stage) if name == "last" else name
        )
        manifest = read_manifest(path)
        if manifest.stage != plan.stage:
            raise PrefkitError(
                f"{path.name} is a {manifest.stage} run, not a {plan.stage} run.",
                hint=f"Resume it with `prefkit {manifest.stage} --resume {path.name}`.",
            )
        if manifest.digest != plan.digest():
            old = json.loads((path / "digest.json").read_text(encoding="utf-8"))
            differing = differing_keys(old, plan.digest_fields())
            raise PrefkitError(
                f"{path.name} was made with other settings, so it cannot be resumed with these:\n  "
                + "\n  ".join(differing),
                hint="Repeat the original options (see config.json there), or start a new run.",
            )
        lock = _lock(path)
        for torn in path.rglob(".*.part"):  # what a killed process was writing
            torn.unlink(missing_ok=True)
        if manifest.status == "finished":
            return cls(path, manifest, lock)
        manifest = manifest.model_copy(
            update={"status": "running", "resumed": manifest.resumed + 1, "error": ""}
        )
        run = cls(path, manifest, lock)
        run._save()
        return run

    @property
    def finished(self) -> bool:
        """Whether a resumed run had nothing left to do."""
        return self.manifest.ended is not None

    def pending(self, units: Iterable[str]) -> list[str]:
        """The units that no earlier attempt finished, in order."""
        return [unit for unit in units if unit not in self._journal]

    def record(
        self,
        unit: str,
        records: Mapping[str, Sequence[Record]],
        dropped: Sequence[Dropped] = (),
        totals: Mapping[str, float] | None = None,
        values: Mapping[str, Any] | None = None,  # JSON values the stage wants back
    ) -> None:
        """Write one finished unit: all of it or nothing.

        Args:
            unit: Its stable name.
            records: Records a stream; `pairs/train` is the train split of `pairs`.
            dropped: What the unit dropped, with reasons.
            totals: Numbers to sum over the run (tokens, calls, usd).
            values: Anything the stage wants to read back with `values_of`, kept until the end.
        """
        self._journal.append(
            unit,
            {
                "unit": unit,
                "records": {
                    stream: [record.model_dump(mode="json") for record in group]
                    for stream, group in records.items()
                },
                "dropped": [entry.model_dump(mode="json") for entry in dropped],
                "totals": dict(totals or {}),
                "values": dict(values or {}),
            },
        )

    def values_of(self, unit: str) -> dict[str, Any]:  # what the stage recorded
        """The `values` recorded with a finished unit."""
        return self._journal.read(unit)["values"]

    def records_of(self, unit: str, stream: str) -> list[dict[str, Any]]:  # JSON records
        """The records of one stream recorded with a finished unit, as JSON objects."""
        return self._journal.read(unit)["records"].get(stream, [])

    def dropped_of(self, unit: str) -> list[dict[str, Any]]:  # JSON records
        """What was dropped with a finished unit, as JSON objects."""
        return self._journal.read(unit)["dropped"]

    def log_metrics(self, **values: float | int | str | None) -> None:
        """Append one line to `metrics.jsonl`."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def add_plugin(self, kind: str, name: str, source: str, sha256: str) -> None:
        """Record which plug-in the run got."""
        entry = {"kind": kind, "name": name, "source": source, "sha256": sha256}
        if entry not in self.manifest.plugins:
            self.manifest.plugins.append(entry)
            self._save()

    def set_device(self, device: str) -> None:
        """Record which device the run used."""
        self.manifest.device = device

    def deliver(
        self, outputs: Mapping[str, int], dropped: Mapping[str, int], totals: Mapping[str, float]
    ) -> None:
        """Note files that the stage wrote itself under `data/`, and its drops and totals.

        Args:
            outputs: Records a stream.
            dropped: Drops a rule.
            totals: Numbers to sum over the run.
        """
        self.manifest.outputs |= outputs
        self._delivered_drops.update(dropped)
        self._delivered_totals.update(totals)

    def finish(self, units: Sequence[str] = (), card: str = "") -> None:
        """Fold the journal into `data/*.jsonl` in the order of `units` and mark the run finished.

        Args:
            units: All units in the planned order.
            card: Text for the run's README, under the generated front matter.
        """
        from prefkit.cards import run_card

        streams, dropped, totals = self._fold(units)
        dropped += self._delivered_drops
        totals.update(self._delivered_totals)
        self.manifest.outputs = streams | self._other_outputs(streams)
        self.manifest.dropped = dict(dropped.most_common())
        self.manifest.totals = {k: round(v, 6) for k, v in sorted(totals.items())}
        self.manifest.status = "finished"
        self._stamp()
        write_text(self.path / "README.md", run_card(self.path, self.manifest, card))
        self._save()
        self._journal.delete()

    def _other_outputs(self, streams: Mapping[str, int]) -> dict[str, int]:
        return {k: v for k, v in self.manifest.outputs.items() if k not in streams}

    def _fold(self, units: Sequence[str]) -> tuple[dict[str, int], Counter[str], Counter[str]]:
        streams: dict[str, int] = {}
        dropped: Counter[str] = Counter()
        totals: Counter[str] = Counter()
        seen: set[tuple[str, str]] = set()
        with contextlib.ExitStack() as stack:
            files: dict[str, Any] = {}  # open binary files
            for unit in units:
                entry = self._journal.read(unit)
                for stream, group in entry["records"].items():
                    streams.setdefault(stream, 0)
                    if stream not in files:
                        path = self.path / "data" / f"{stream}.jsonl"
                        files[stream] = stack.enter_context(writing(path))
                    for record in group:
                        if (stream, record["id"]) in seen:
                            continue
                        seen.add((stream, record["id"]))
                        line = json.dumps(record, ensure_ascii=False)
                        files[stream].write(line.encode() + b"\n")
                        streams[stream] += 1
                for drop in entry["dropped"]:
                    if "dropped" not in files:
                        path = self.path / "dropped.jsonl"
                        files["dropped"] = stack.enter_context(writing(path))
                    files["dropped"].write(json.dumps(drop, ensure_ascii=False).encode() + b"\n")
                    dropped[drop["rule"]] += 1
                totals.update(entry["totals"])
        return streams, dropped, totals

    def _stamp(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.manifest.ended = now.isoformat(timespec="seconds")
        spent = self._earlier + (now - self._began).total_seconds()
        self.manifest.seconds = round(spent, 3)

    def _save(self) -> None:
        write_json(self.path / "manifest.json", self.manifest.model_dump(mode="json"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is not None:
                interrupted = isinstance(error, KeyboardInterrupt)
                self.manifest.status = "interrupted" if interrupted else "failed"
                self.manifest.error = "" if interrupted else f"{type(error).__name__}: {error}"
                log.error("stopped: %s", self.manifest.status, exc_info=error)
                self._stamp()
                self.manifest.ended = None
                with contextlib.suppress(OSError):  # a full disk must not hide the first error
                    self._save()
                error.add_note(f"prefkit-run: {self.path}")
        finally:
            self._journal.close()
            logging.getLogger("prefkit").removeHandler(self._handler)
            self._handler.close()
            self._lock.close()


def _fresh(folder: Path, name: str) -> Path:
    path, number = folder / name, 2
    while path.exists():
        path, number = folder / f"{name}-{number}", number + 1
    return path


def _lock(path: Path) -> io.TextIOWrapper:
    file = (path / ".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise PrefkitError(
            f"{path}: another process is writing this run.", hint="Wait for it, or stop it first."
        ) from error
    return file


def _newest_unfinished(workspace: Workspace, stage: str) -> str:
    for folder in workspace.run_folders(stage):
        if read_manifest(folder).status != "finished":
            return str(folder)
    raise PrefkitError(f"No unfinished {stage} run in {workspace.runs}.")


def _versions() -> dict[str, str]:
    versions = {"prefkit": prefkit.__version__}
    for package in VERSIONED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def read_metrics(folder: Path) -> Iterator[dict[str, Any]]:  # numbers and words
    """The lines of a run's `metrics.jsonl`."""
    for _, value in read_json_lines(folder / "metrics.jsonl"):
        yield value
