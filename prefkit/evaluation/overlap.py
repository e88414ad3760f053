"""Were the held-out prompts trained on? Follows the adapter's lineage to its training files."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from prefkit.errors import PrefkitError
from prefkit.manifest import Input, Manifest, read_manifest, run_of
from prefkit.reading import load_records
from prefkit.records import Example, PreferencePair, Record, UnpairedPreference, text_of
from prefkit.workspace import Workspace

_DATA = (".jsonl", ".json", ".csv", ".parquet")
_KINDS: dict[str, tuple[str, type[Record]]] = {
    "train-sft": ("examples", Example),
    "train-kto": ("unpaired", UnpairedPreference),
}


@dataclasses.dataclass(frozen=True)
class TrainingPrompts:
    """What an adapter was trained on.

    Attributes:
        prompts: Normalised texts of all training prompts found.
        runs: Names of the training runs, newest first.
        unknown: What could not be followed, in words.
    """

    prompts: frozenset[str]
    runs: tuple[str, ...]
    unknown: tuple[str, ...]

    def seen(self, texts: Iterable[str]) -> list[str]:
        """The texts that are training prompts."""
        return [text for text in texts if normalised(text) in self.prompts]


def normalised(text: str) -> str:
    """A prompt without case, spacing, punctuation and Unicode variants."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def training_prompts(adapter: Path, workspace: Workspace) -> TrainingPrompts:
    """All prompts in the training files of an adapter and of the adapters it was built on."""
    run = run_of(adapter)
    if run is None:
        return TrainingPrompts(frozenset(), (), (f"{adapter} lies in no prefkit run",))
    prompts: set[str] = set()
    runs, unknown = [], []
    for folder in workspace.lineage(run):
        manifest = read_manifest(folder)
        if not manifest.stage.startswith("train-"):
            continue
        runs.append(folder.name)
        files = list(_training_files(manifest, workspace))
        if not files:
            unknown.append(f"{folder.name} names no training file")
        for entry, path in files:
            found = _prompts(manifest.stage, entry, path, workspace)
            if found is None:
                unknown.append(f"{entry.path} of {folder.name} is gone or cannot be read")
            else:
                prompts |= found
    return TrainingPrompts(frozenset(prompts), tuple(runs), tuple(unknown))


def _training_files(manifest: Manifest, workspace: Workspace) -> Iterator[tuple[Input, Path]]:
    for entry in manifest.inputs:
        path = workspace.root / entry.path  # an absolute path stays what it is
        if path.suffix.lower() in _DATA and path.stem != "test":
            yield entry, path


def _prompts(stage: str, entry: Input, path: Path, workspace: Workspace) -> set[str] | None:
    stream, model = _KINDS.get(stage, ("pairs", PreferencePair))
    if not path.is_file():
        return None
    try:
        records = load_records(str(path), stream, model, workspace, allow_empty=True).records
    except PrefkitError:  # a file changed since training must not stop the evaluation
        return None
    return {
        normalised(text_of(getattr(record, "prompt", ())))
        for record in records
        if getattr(record, "split", None) != "test"
    }
