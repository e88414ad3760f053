"""What a judge is: a folder with `judge.toml` and `prompt.txt`, or a Python object."""

import difflib
import hashlib
import shutil
import string
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

from prefkit.errors import PrefkitError
from prefkit.plugins import Found, find, names
from prefkit.records import Completion, Messages, Prompt, Verdict
from prefkit.storage import read_records, validated
from prefkit.workspace import Workspace

CARD, PROMPT, CALIBRATION = "judge.toml", "prompt.txt", "calibration.jsonl"
REQUIRED = ("prompt", "answer_a", "answer_b")
PLACEHOLDERS = ("question", *REQUIRED, "reference", "passage", "key")


class CodeJudge(Protocol):
    """A judge written in Python, found by path (`./mine.py:Judge`) or entry point.

    It is asked in both orders like any judge. It may carry the attributes `question`, `family` and
    `needs`; with `needs = "reference"` (or passage) that text is passed by this name too.
    """

    def compare(self, prompt: Messages, a: Messages, b: Messages) -> Verdict | str | None:
        """Say `a`, `b` or `tie` (or a whole Verdict); None when it cannot tell."""
        ...


class JudgeSettings(BaseModel):
    """What `judge.toml` may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pairwise"] = "pairwise"
    question: str = Field(min_length=1, description="The one thing this judge decides.")
    labels: tuple[str, ...] = Field(
        ("A", "B", "tie"),
        min_length=2,
        max_length=3,
        description="What it may reply: first answer, second answer, and neither if allowed.",
    )
    swap: Literal[True] = Field(True, description="Ask twice, exchanging the answers: always.")
    needs: Literal["nothing", "reference", "passage"] = "nothing"
    family: str = Field("", description="Model family it was written for; empty: any.")
    max_tokens: int = Field(256, ge=1, description="Most tokens of a reply.")
    max_characters: int = Field(6000, ge=200, description="Longer texts are cut, with a note.")

    @field_validator("labels")
    @classmethod
    def _distinct_words(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if any(not label.strip() or label != label.strip() or "\n" in label for label in labels):
            raise ValueError("a label is empty, has spaces around it, or spans lines")
        if len({label.casefold() for label in labels}) < len(labels):
            raise ValueError("two labels are the same word")
        return labels


class JudgeCard(JudgeSettings):
    """A judge that can be asked.

    Attributes:
        name: Its folder's name, or the Python object's.
        prompt: Text of `prompt.txt` with `$placeholders`; empty for a judge in Python.
        sha256: Of `judge.toml` and `prompt.txt`, or of the Python file. The human labels are left
            out: adding one must not disown the verdicts it is compared with.
        source: path, workspace, entry point or bundled.
        folder: Where the card lies; None for a judge in Python.
        human_labels: How many human verdicts `calibration.jsonl` holds.
        code: The Python judge, if it is one.
    """

    name: str
    prompt: str = ""
    sha256: str
    source: str = ""
    folder: Path | None = None
    human_labels: int = 0
    code: Any = None  # a CodeJudge; pydantic cannot check a Protocol

    def summary(self) -> dict[str, Any]:  # JSON values
        """The card without its prompt, as JSON."""
        return {
            "name": self.name,
            **self.model_dump(mode="json", include=set(JudgeSettings.model_fields)),
            "source": self.source,
            "sha256": self.sha256,
            "human_labels": self.human_labels,
        }


class HumanLabel(BaseModel):
    """One line of `calibration.jsonl`: a person's verdict on a pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: Prompt
    a: Completion
    b: Completion
    winner: Literal["a", "b", "tie"]
    annotator: str = Field(min_length=1, description="Who: a name or a code, never a model.")
    reference: str = ""
    passage: str = ""


def load_judge(name: str, workspace: Workspace) -> JudgeCard:
    """The judge that `name` says: a path, or a name in the workspace, installed, or bundled.

    Raises:
        PrefkitError: There is no such judge, or its files are wrong; names the file and the key.
    """
    found = find("judge", name, workspace)
    return _from_code(found) if found.folder is None else _from_folder(found, found.folder)


def list_cards(workspace: Workspace) -> tuple[list[JudgeCard], list[str]]:
    """Every judge that can be found by name, and what is wrong with those that do not load."""
    cards, broken = [], []
    for name in names("judge", workspace):
        try:
            cards.append(load_judge(name, workspace))
        except PrefkitError as error:
            broken.append(error.message)
    return cards, broken


def copy_card(name: str, new: str | None, workspace: Workspace, *, overwrite: bool = False) -> Path:
    """Copy a judge's folder into the workspace's `judges/`, whole or not at all.

    Returns:
        The new folder.

    Raises:
        PrefkitError: The judge is written in Python, its copy's name is no folder name, or there
            is one already and `overwrite` is not set.
    """
    card = load_judge(name, workspace)
    if card.folder is None:
        raise PrefkitError(
            f"{name} is written in Python ({card.source}); there is no folder to copy."
        )
    target = workspace.root / "judges" / (new or card.name)
    if target.name != (new or card.name) or target.name.startswith("."):
        raise PrefkitError(f"{new}: a judge's name is the name of a folder, such as `tone`.")
    if target.exists() and (not overwrite or target.resolve() == card.folder.resolve()):
        raise PrefkitError(
            f"{workspace.show(target)}: already there.",
            hint="Give the copy another name, or replace it with --overwrite.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as part:
        shutil.copytree(card.folder, Path(part, "new"))
        if target.exists():
            target.rename(Path(part, "old"))
        Path(part, "new").rename(target)
    return target


def _from_folder(found: Found, folder: Path) -> JudgeCard:
    card, prompt = _read(folder / CARD), _read(folder / PROMPT)
    try:
        values = tomllib.loads(card)
    except tomllib.TOMLDecodeError as error:
        raise PrefkitError(f"{folder / CARD}: not valid TOML: {error}.") from error
    settings = validated(values, JudgeSettings, str(folder / CARD))
    _check_prompt(folder / PROMPT, prompt, settings)
    return JudgeCard(
        **settings.model_dump(),
        name=found.name,
        prompt=prompt,
        sha256=hashlib.sha256(f"{card}\0{prompt}".encode()).hexdigest(),
        source=found.source,
        folder=folder,
        human_labels=_count_labels(folder / CALIBRATION),
    )


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PrefkitError(
            f"{path.parent}: a judge folder needs a {path.name}.",
            hint="Start from a working one: `prefkit judges copy helpfulness my-judge`.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PrefkitError(f"{path}: cannot be read as UTF-8 text: {error}.") from error
    if not text.strip():
        raise PrefkitError(f"{path}: is empty.")
    return text


def _check_prompt(path: Path, text: str, settings: JudgeSettings) -> None:
    template = string.Template(text)
    if not template.is_valid():
        raise PrefkitError(
            f"{path}: a `$` that begins no placeholder.",
            hint="Write `$$` where a dollar sign is meant.",
        )
    used = template.get_identifiers()
    for name in used:
        if name not in PLACEHOLDERS:
            close = difflib.get_close_matches(name, PLACEHOLDERS, 1)
            raise PrefkitError(
                f"{path}: `${name}` is not a placeholder"
                + (f"; did you mean `${close[0]}`?" if close else "."),
                hint=f"The placeholders are: {', '.join('$' + p for p in PLACEHOLDERS)}.",
            )
    wanted = (*REQUIRED, *([settings.needs] if settings.needs != "nothing" else []))
    for name in wanted:
        if name not in used:
            raise PrefkitError(f"{path}: `${name}` is missing, so the judge would not see it.")
    for name in ("reference", "passage"):
        if name in used and settings.needs != name:
            raise PrefkitError(
                f'{path}: uses `${name}`, but {CARD} says `needs = "{settings.needs}"`.',
                hint=f'Write `needs = "{name}"` in {path.parent / CARD}.',
            )


def _count_labels(path: Path) -> int:
    return sum(1 for _ in read_records(path, HumanLabel)) if path.exists() else 0


def _from_code(found: Found) -> JudgeCard:
    try:
        judge = found.target() if isinstance(found.target, type) else found.target
    except Exception as error:  # somebody else's code
        raise PrefkitError(
            f"{found.source}: `{found.name}()` failed: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(judge, "compare", None)):
        raise PrefkitError(
            f"{found.source}: `{found.name}` has no method `compare(prompt, a, b)`.",
            hint="See judges/README.md, under 'A judge in Python'.",
        )
    words = (getattr(judge, "__doc__", None) or "").strip().partition("\n")[0]
    values = {
        "question": getattr(judge, "question", None) or words or found.name,
        "needs": getattr(judge, "needs", "nothing"),
        "family": getattr(judge, "family", ""),
    }
    settings = validated(values, JudgeSettings, f"{found.source}:{found.name}")
    return JudgeCard(
        **settings.model_dump(),
        name=found.name,
        sha256=found.sha256,
        source=found.source,
        code=judge,
    )
