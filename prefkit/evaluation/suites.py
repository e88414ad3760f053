"""Benchmark suites: a folder with `suite.toml` and `samples.jsonl`, in lm-eval's field names."""

import dataclasses
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prefkit import plugins
from prefkit.chat import Request, Sampling
from prefkit.errors import PrefkitError
from prefkit.evaluation.arms import Arm
from prefkit.evaluation.results import Number, SuiteAnswer, SuiteResult, number
from prefkit.evaluation.statistics import (
    discordant,
    holm,
    mcnemar_exact,
    paired_shares,
    wilson,
)
from prefkit.records import user
from prefkit.storage import read_json_lines, validated
from prefkit.workspace import Workspace

_FIELD = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Task(BaseModel):
    """One `[[tasks]]` table: how its samples become a prompt and when an answer is right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    output_type: Literal["multiple_choice", "generate_until"]
    doc_to_text: str = Field("{{question}}", description="The prompt; {{field}} is filled in.")
    apply_chat_template: bool = Field(False, description="Send the prompt as a user turn.")
    target_delimiter: str = Field(" ", description="Between prompt and choice.")
    until: tuple[str, ...] = Field((), description="Cut the completion at the first of these.")
    max_gen_toks: int = Field(32, ge=1, le=1024)
    metric: Literal["acc", "acc_norm", "exact_match", "contains"]

    @model_validator(mode="after")
    def _metric_fits(self) -> "Task":
        choice = self.output_type == "multiple_choice"
        if choice != (self.metric in ("acc", "acc_norm")):
            fits = "acc or acc_norm" if choice else "exact_match or contains"
            raise ValueError(f"metric {self.metric} does not fit {self.output_type}; use {fits}")
        if not choice and not self.apply_chat_template:
            raise ValueError("generate_until is asked as a chat turn; set apply_chat_template")
        return self


class SuiteCard(BaseModel):
    """`suite.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    version: int = Field(ge=1)
    license: str = Field(description="SPDX id of the samples.")
    source: str = Field(description="Who wrote the samples, or where they are from.")
    measures: str = Field(description="What a score says, in one sentence.")
    limits: str = Field(description="What it does not say.")
    margin: float = Field(0.02, gt=0, lt=1, description="Largest loss that can be tolerated.")
    tasks: tuple[Task, ...] = Field(min_length=1)


class Sample(BaseModel):
    """A line of `samples.jsonl`; other fields are there for `doc_to_text`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = Field(min_length=1)
    task: str
    choices: tuple[str, ...] | None = Field(None, description="Of a multiple_choice sample.")
    gold: int | None = Field(None, ge=0, description="Index of the right choice.")
    target: str | tuple[str, ...] | None = Field(None, description="Accepted answers.")

    @property
    def targets(self) -> tuple[str, ...]:
        """The accepted answers of a generation sample."""
        return (self.target,) if isinstance(self.target, str) else self.target or ()


@dataclasses.dataclass(frozen=True)
class Suite:
    """A loaded suite.

    Attributes:
        name: Of its folder.
        folder: Where it is.
        found: As the plug-in registry found it (place and hash).
        card: `suite.toml`.
        samples: `samples.jsonl`, in order.
    """

    name: str
    folder: Path
    found: plugins.Found
    card: SuiteCard
    samples: tuple[Sample, ...]

    def task(self, sample: Sample) -> Task:
        """The task a sample belongs to."""
        return next(task for task in self.card.tasks if task.name == sample.task)

    def context(self, sample: Sample) -> str:
        """The prompt of a sample."""
        fields = sample.model_dump()
        return _FIELD.sub(lambda match: str(fields[match[1]]), self.task(sample).doc_to_text)


def load_suite(name: str, workspace: Workspace) -> Suite:
    """A suite by name or path, checked line by line.

    Raises:
        PrefkitError: Not found, or names the file, line and field that is wrong.
    """
    found = plugins.find("suite", name, workspace)
    if found.folder is None:
        raise PrefkitError(
            f"The suite `{name}` is code, not a folder.",
            hint="A suite is a folder with suite.toml and samples.jsonl.",
        )
    card = _read_card(found.folder / "suite.toml")
    path = found.folder / "samples.jsonl"
    samples: dict[str, Sample] = {}
    for line, value in read_json_lines(path):
        sample = validated(value, Sample, f"{path}:{line}")
        _check(sample, card, f"{path}:{line}")
        if sample.id in samples:
            raise PrefkitError(f"{path}:{line}: the id `{sample.id}` occurs twice.")
        samples[sample.id] = sample
    if not samples:
        raise PrefkitError(f"{path}: holds no samples.", hint="Write one JSON object a line.")
    return Suite(found.name, found.folder, found, card, tuple(samples.values()))


def _read_card(path: Path) -> SuiteCard:
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PrefkitError(f"{path}: not valid TOML: {error}.") from error
    except OSError as error:
        raise PrefkitError(f"{path}: cannot be read: {error.strerror}.") from error
    return validated(value, SuiteCard, str(path))


def _check(sample: Sample, card: SuiteCard, where: str) -> None:
    task = next((task for task in card.tasks if task.name == sample.task), None)
    if task is None:
        known = ", ".join(task.name for task in card.tasks)
        raise PrefkitError(
            f"{where}: `task` is `{sample.task}`, which suite.toml does not define.",
            hint=f"Its tasks are: {known}.",
        )
    for name in _FIELD.findall(task.doc_to_text):
        if name not in sample.model_dump(exclude_none=True):
            raise PrefkitError(f"{where}: `{name}` is missing; doc_to_text of {task.name} asks it.")
    if task.output_type == "multiple_choice":
        choices = sample.choices or ()
        if len(choices) < 2 or len(set(choices)) < len(choices):
            raise PrefkitError(f"{where}: `choices` needs two or more different texts.")
        if sample.gold is None or sample.gold >= len(choices):
            raise PrefkitError(f"{where}: `gold` must be 0 to {len(choices) - 1}.")
    elif not sample.targets or not all(text.strip() for text in sample.targets):
        raise PrefkitError(f"{where}: `target` needs one or more texts.")


def pick(log_probabilities: Sequence[float], choices: Sequence[str], *, normalised: bool) -> int:
    """Index of the likeliest choice; `normalised` divides by bytes, as lm-eval's acc_norm does."""
    lengths = [len(choice.encode()) if normalised else 1 for choice in choices]
    scores = [value / length for value, length in zip(log_probabilities, lengths, strict=True)]
    return scores.index(max(scores))


def is_right(completion: str, sample: Sample, task: Task) -> bool:
    """Whether a generated completion counts as right under the task's metric."""
    said = plain(first_part(completion, task.until))
    targets = [plain(target) for target in sample.targets]
    if task.metric == "exact_match":
        return said in targets
    return any(re.search(rf"(?<!\w){re.escape(target)}(?!\w)", said) for target in targets)


def first_part(text: str, until: Sequence[str]) -> str:
    """The text before the first stop string."""
    return min((text.split(stop, 1)[0] for stop in until), key=len, default=text)


def plain(text: str) -> str:
    """Lower case, single spaces, no full stop or quotes around."""
    return " ".join(text.lower().split()).strip(" .!\"'`*")


def summarise(results: Sequence[SuiteResult]) -> list[Number]:
    """Accuracy of base and tuned on every suite, the paired change, and Holm over the suites."""
    p_values = [mcnemar_exact(*discordant(r.base, r.tuned)) for r in results]
    numbers = []
    for result, p_value, adjusted in zip(results, p_values, holm(p_values), strict=True):
        key, n = f"suite.{result.name}", len(result.items)
        label = f"Suite {result.name}: right"
        for arm, right in (("base", result.base), ("tuned", result.tuned)):
            estimate = wilson(sum(right), n)
            numbers.append(
                number("suites", key, label, arm, estimate, better="higher", percent=True)
            )
        change = number(
            "suites",
            key,
            label,
            "delta",
            paired_shares(result.base, result.tuned),
            better="higher",
            percent=True,
            p_value=p_value,
        )
        numbers.append(change.model_copy(update={"p_holm": adjusted}))
    return numbers


@dataclasses.dataclass(frozen=True)
class Answered:
    """What a model said to a sample, and whether that is right."""

    said: str
    right: bool


def answer(suite: Suite, samples: Sequence[Sample], arm: Arm) -> list[Answered]:
    """What a model says to samples of one task: greedy text, or the likeliest choice."""
    task = suite.task(samples[0])
    if task.output_type == "multiple_choice":
        return _choose(suite, task, samples, arm)
    sampling = Sampling(max_tokens=task.max_gen_toks, stop=task.until)
    requests = [Request(user(suite.context(sample)), sampling) for sample in samples]
    return [
        Answered(reply.text, not reply.error and is_right(reply.text, sample, task))
        for reply, sample in zip(arm.complete(requests), samples, strict=True)
    ]


def _choose(suite: Suite, task: Task, samples: Sequence[Sample], arm: Arm) -> list[Answered]:
    contexts, endings = [], []
    for sample in samples:
        text = suite.context(sample)
        context = arm.render(text) if task.apply_chat_template else text
        for choice in sample.choices or ():
            contexts.append(context)
            endings.append(f"{task.target_delimiter}{choice}")
    scores = iter(arm.continuations(contexts, endings))
    answers = []
    for sample in samples:
        choices = sample.choices or ()
        mine = [next(scores) for _ in choices]
        index = pick(mine, choices, normalised=task.metric == "acc_norm")
        answers.append(Answered(choices[index], index == sample.gold))
    return answers


def expected(sample: Sample) -> str:
    """The right answer, or the accepted ones."""
    if sample.choices and sample.gold is not None:
        return sample.choices[sample.gold]
    return " / ".join(sample.targets)


def result(suite: Suite, answers: Sequence[SuiteAnswer]) -> SuiteResult:
    """Right and wrong by item, in the order of the suite, and the answers that changed."""
    lost = [a for a in answers if a.base_right and not a.tuned_right]
    gained = [a for a in answers if a.tuned_right and not a.base_right]
    return SuiteResult(
        name=suite.name,
        sha256=suite.found.sha256,
        margin=suite.card.margin,
        measures=suite.card.measures,
        items=tuple(a.id for a in answers),
        base=tuple(a.base_right for a in answers),
        tuned=tuple(a.tuned_right for a in answers),
        changed=(*lost, *gained),
    )
