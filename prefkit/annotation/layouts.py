"""What annotators are asked: editable TOML layouts and the Markdown guidelines they read."""

import dataclasses
import difflib
import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from prefkit.annotation.questions import PER_ANSWER, Asked, Question, Strict, Title
from prefkit.errors import PrefkitError
from prefkit.workspace import Workspace

LAYOUTS, GUIDELINES = "annotation/layouts", "annotation/guidelines"
LONGEST_GUIDELINE = 10_000  # characters that Argilla 2.8 accepts
MOST_ANSWERS = 8
LETTERS = "ABCDEFGH"

Kind = Literal["ranking", "review", "comparison"]
NEEDED: dict[str, str] = {"ranking": "ranking", "review": "decision", "comparison": "preference"}
ALLOWED: dict[str, tuple[str, ...]] = {
    "ranking": ("ranking", "rewrite", "rating", "choice", "reasons", "comment"),
    "review": ("decision", "reasons", "edit", "comment"),
    "comparison": ("preference", "rewrite", "rating", "choice", "reasons", "comment"),
}


class Show(Strict):
    """What stands beside the question and the answers."""

    passage: bool = False
    reference: bool = False


class Words(Strict):
    """Headings of the texts shown."""

    prompt: Title = "Question"
    conversation: Title = "Conversation so far"
    passage: Title = "What the source says"
    reference: Title = "Reference answer"
    answer: Title = "Answer {answer}"


class Layout(Strict):
    """One layout file."""

    kind: Kind
    guideline: str = Field(description="Name of a Markdown file in annotation/guidelines.")
    show: Show = Show()
    words: Words = Words()
    questions: tuple[Question, ...] = Field(min_length=1)

    @field_validator("questions")
    @classmethod
    def _distinct(cls, questions: tuple[Asked, ...]) -> tuple[Asked, ...]:
        names = [question.name for question in questions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two questions are called `{name}`; give one another `name`")
        for question in questions:
            texts = [option.name for option in getattr(question, "options", ())]
            if len(set(texts)) < len(texts):
                raise ValueError(f"two options of `{question.name}` have the same name")
        return questions

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Layout":
        asked: list[str] = [question.asks for question in self.questions]
        needed = NEEDED[self.kind]
        if asked.count(needed) != 1:
            raise ValueError(f'a {self.kind} layout has one question with asks = "{needed}"')
        for question in self.questions:
            if question.asks not in ALLOWED[self.kind]:
                raise ValueError(
                    f"`{question.name}` asks for a {question.asks}, which a {self.kind} layout "
                    f"cannot use; it may ask for: {', '.join(ALLOWED[self.kind])}"
                )
            if isinstance(question, PER_ANSWER) and "{answer}" not in question.title:
                raise ValueError(f"the title of `{question.name}` must hold {{answer}}")
        for single in ("rewrite", "edit", "reasons", "comment"):
            if asked.count(single) > 1:
                raise ValueError(f'only one question with asks = "{single}" can be read back')
        if self.kind != "review" and "{answer}" not in self.words.answer:
            raise ValueError("words.answer must hold {answer}, or all answers look alike")
        return self

    def first(self, asks: str) -> Asked | None:
        """The question that asks for this, if there is one."""
        return next((q for q in self.questions if q.asks == asks), None)


@dataclasses.dataclass(frozen=True)
class LoadedLayout:
    """A layout with its guideline, as found.

    Attributes:
        name: Of the file, without its ending.
        layout: What it says.
        guideline: The Markdown text annotators read.
        sha256: Of the layout's meaning: comments and spaces in the file do not count.
        guideline_sha256: Of the guideline's text.
        files: The two files.
    """

    name: str
    layout: Layout
    guideline: str
    sha256: str
    guideline_sha256: str
    files: tuple[Path, Path]


def load_layout(name: str, workspace: Workspace) -> LoadedLayout:
    """A layout by name or path, with the guideline it names; the workspace's files come first.

    Raises:
        PrefkitError: One is not found, is malformed (names file and key), or is too long for
            Argilla.
    """
    path = _file(name, LAYOUTS, ".toml", "layout", workspace)
    layout = read_layout(path)
    guide = _file(layout.guideline, GUIDELINES, ".md", "guideline", workspace)
    text = _text(guide).replace("\r\n", "\n").strip()
    if not text or len(text) > LONGEST_GUIDELINE:
        raise PrefkitError(
            f"{guide}: {len(text)} characters; Argilla shows guidelines of 1 to "
            f"{LONGEST_GUIDELINE}.",
            hint="Shorten it, or keep the rest in a document you hand out.",
        )
    meaning = layout.model_dump_json()
    return LoadedLayout(path.stem, layout, text, _sha256(meaning), _sha256(text), (path, guide))


def read_layout(path: Path) -> Layout:
    """The layout in a file.

    Raises:
        PrefkitError: It is not TOML, or a key is wrong: names the file and the key.
    """
    try:
        value = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise PrefkitError(f"{path}: not valid TOML: {error}.") from error
    try:
        return Layout.model_validate(value)
    except ValidationError as error:
        raise _explained(path, error) from error


def layout_names(workspace: Workspace) -> list[str]:
    """Every layout that can be found by name."""
    folders = workspace.content_folders(LAYOUTS)
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml")})


def guideline_sha256(text: str) -> str:
    """The hash that judgments carry, of a guideline's text."""
    return _sha256(text.replace("\r\n", "\n").strip())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PrefkitError(f"{path}: cannot be read as UTF-8 text: {error}.") from error


def _file(name: str, kind: str, ending: str, what: str, workspace: Workspace) -> Path:
    if "/" in name or name.endswith(ending):
        if not Path(name).is_file():
            raise PrefkitError(f"{name}: no such {what} file.")
        return Path(name)
    folders = workspace.content_folders(kind)
    for folder in folders:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    known = sorted({path.stem for folder in folders for path in folder.glob(f"*{ending}")})
    close = difflib.get_close_matches(name, known, 1)
    raise PrefkitError(
        f"There is no {what} called `{name}`" + (f"; did you mean `{close[0]}`?" if close else "."),
        hint=f"Known: {', '.join(known) or 'none'}. Yours go to {folders[0]}.",
    )


def _explained(path: Path, error: ValidationError) -> PrefkitError:
    problems = error.errors(include_url=False, include_input=False)
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    tags = {q.__name__: None for q in get_args(Asked)} | dict.fromkeys(
        get_args(t.model_fields["asks"].annotation)[0] for t in get_args(Asked)
    )
    key = ".".join(str(part) for part in first["loc"] if part not in tags)
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = _fields_at(first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        said = "no such key" + (f"; did you mean `{close[0]}`?" if close else "")
    where = f"{path}: `{key}`" if key else f"{path}"
    return PrefkitError(
        f"{where}: {said}.",
        hint="annotation/README.md lists what a layout may say; the bundled ones are examples.",
    )


def _fields_at(place: Sequence[Any]) -> list[str]:
    """Names of the fields that a model reached by these steps of a pydantic location has."""
    model: Any = Layout  # a model class, or the annotation of a field on the way
    for step in place:
        if isinstance(step, int):
            model = _inside(model)
        elif isinstance(model, type) and issubclass(model, BaseModel):
            found = model.model_fields.get(step)
            model = found.annotation if found else model
        else:
            model = next((m for m in _members(model) if _tag(m) == step), model)
    return list(model.model_fields) if hasattr(model, "model_fields") else []


def _inside(annotation: Any) -> Any:
    """What a tuple field holds."""
    return get_args(annotation)[0] if get_origin(annotation) is tuple else annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    union = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_args(union) if get_origin(union) in (Union, type(int | str)) else ()


def _tag(model: Any) -> str:
    return get_args(model.model_fields["asks"].annotation)[0]
