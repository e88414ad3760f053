"""What `prefkit candidates` reads before it asks a model anything, and how work is cut."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from prefkit import runs
from prefkit.chat.spending import Asked, about_tokens, estimate
from prefkit.config import CandidatesConfig
from prefkit.errors import PrefkitError
from prefkit.generation.constitution import CRITIQUE_TOKENS, Constitution, read_constitution
from prefkit.generation.examples import line_around
from prefkit.generation.prompting import Prompt, load_prompts
from prefkit.generation.ranking import Chooser, comparisons, load_chooser
from prefkit.generation.ways import SystemPrompt, cells_of, models_of, read_systems
from prefkit.manifest import run_of
from prefkit.reading import Loaded, load_records
from prefkit.records import Chunk, Example, Quote, text_of
from prefkit.workspace import Workspace

STAGE: Final = "candidates"
PROMPTS_A_UNIT: Final = 16
TOKENS_AROUND: Final = 60  # a call: template, and what is said around a passage
TOKENS_OF_A_TASK: Final = 150  # a call: what a judge or a critic is told


@dataclasses.dataclass(frozen=True)
class Unit:
    """A piece of work.

    Attributes:
        step: `sample`, `choose` the best, or `revise`.
        model: Who does it, as configured; empty when no model has to be opened.
        examples: Whose prompts.
        needs: The units whose completions it reads.
    """

    step: Literal["sample", "choose", "revise"]
    model: str
    examples: tuple[Example, ...]
    needs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class CandidatesPlan(runs.Plan):
    """Which prompts are completed, and how.

    Attributes:
        examples: Whose prompts.
        passages: What each example's quotes stand in, by example id.
        prompt: How a passage is put before a question.
        systems: System prompts by name.
        chooser: Who says which samples are the best; None: all are kept.
        constitution: What completions are criticised and revised by; None: they are not.
    """

    config: CandidatesConfig
    examples: tuple[Example, ...] = ()
    passages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    prompt: Prompt | None = None
    systems: Mapping[str, SystemPrompt] = dataclasses.field(default_factory=dict)
    chooser: Chooser | None = None
    constitution: Constitution | None = None

    def digest_fields(self) -> dict[str, object]:
        """Configuration, inputs, and by their content the prompts, systems and judge."""
        fields = super().digest_fields() | {"prompt": self.prompt.sha256 if self.prompt else ""}
        if self.systems:
            fields["systems"] = {one.name: one.sha256 for one in self.systems.values()}
        if self.chooser is not None:
            fields["chooser"] = self.chooser.sha256
        if self.constitution is not None:
            fields["constitution"] = self.constitution.digest()
        return fields

    def units(self) -> dict[str, Unit]:
        """Units by name in the order of work; one model after another, so one is loaded at once."""
        models = list(enumerate(models_of(self.config)))
        slices = {
            f"{start // PROMPTS_A_UNIT:05}": self.examples[start : start + PROMPTS_A_UNIT]
            for start in range(0, len(self.examples), PROMPTS_A_UNIT)
        }
        units = {
            f"{number}-{slice_}": Unit("sample", model, examples)
            for number, model in models
            for slice_, examples in slices.items()
        }
        if self.chooser is not None:
            units |= {
                f"choose-{slice_}": Unit(
                    "choose",
                    self.chooser.model,
                    examples,
                    tuple(f"{number}-{slice_}" for number, _ in models),
                )
                for slice_, examples in slices.items()
            }
        if self.constitution is not None:
            units |= {
                f"revise-{number}-{slice_}": Unit(
                    "revise",
                    model,
                    examples,
                    (f"{number}-{slice_}", f"choose-{slice_}")[: 2 if self.chooser else 1],
                )
                for number, model in models
                for slice_, examples in slices.items()
            }
        return units

    @property
    def kept(self) -> int:
        """Most completions of a prompt that stay, revisions left out."""
        config = self.config
        return (config.keep or config.per_prompt) if config.best_of else config.per_prompt


def plan_candidates(source: str, config: CandidatesConfig, workspace: Workspace) -> CandidatesPlan:
    """Say which prompts are completed and how often.

    Args:
        source: Examples: a run, @stage, or a file.
        config: The `[candidates]` table.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: There are no examples, or grounded completions are wanted and their passages
            are not found; or a system prompt, judge or constitution is wrong.
    """
    _refuse_odd(config)
    systems = read_systems(config.systems)
    prompts = load_prompts(config.prompts)
    constitution = None
    if config.constitution is not None:
        constitution = read_constitution(config.constitution, prompts)
    chooser = load_chooser(config, workspace) if config.best_of else None
    loaded = load_records(source, "examples", Example, workspace)
    examples = tuple({example.id: example for example in loaded.records}.values())
    examples = examples[: config.limit]
    inputs, passages = loaded.inputs, {}
    if "grounded" in config.contexts:
        chunks = _chunks(source, workspace)
        inputs = (*inputs, *chunks.inputs)
        passages = _passages(examples, chunks.records)
        if not passages:
            raise _no_passages(source)
    if chooser is not None and chooser.needs_passage and not passages:
        raise PrefkitError(
            f"The judge {chooser.name} needs the passage, and no completion is made with one.",
            hint="Leave `--context` out, or choose by another judge or `--by rule:reference`.",
        )
    plan = CandidatesPlan(
        stage=STAGE,
        config=config,
        inputs=inputs,
        counts={"prompts": len(examples), "models": len(models_of(config))},
        examples=examples,
        passages=passages,
        prompt=prompts["grounded"],
        systems=systems,
        chooser=chooser,
        constitution=constitution,
    )
    most = len(examples) * min(len(cells_of(config)), plan.kept)
    expected = {
        "candidates_at_most": most * (1 if constitution is None else 2),
        **estimate(_asked(plan, most), config, workspace),
    }
    return dataclasses.replace(plan, expected=expected)


def _refuse_odd(config: CandidatesConfig) -> None:
    if config.best_of is None:
        if config.keep is not None:
            raise PrefkitError(
                "Which completions to keep is not said without a number to choose from.",
                hint=f"Sample more and keep the best: `--best-of {4 * config.keep}`.",
            )
        return
    keep = config.keep or config.per_prompt
    if keep >= config.best_of:
        raise PrefkitError(
            f"The best {keep} of {config.best_of} are no choice.",
            hint=f"Keep fewer (`--keep 1`) or sample more (`--best-of {4 * keep}`).",
        )


def _asked(plan: CandidatesPlan, kept: int) -> list[Asked]:
    config = plan.config
    questions = sum(about_tokens(text_of(example.prompt)) for example in plan.examples)
    shown = sum(map(about_tokens, plan.passages.values()))
    told = {name: about_tokens(system.text) for name, system in plan.systems.items()}
    asked = []
    for model in models_of(config):
        cells = [cell for cell in cells_of(config) if cell.model == model]
        grounded = sum(cell.context == "grounded" for cell in cells)
        calls = len(cells) * len(plan.examples)
        systems = sum(told.get(cell.system, 0.0) for cell in cells) * len(plan.examples)
        asked.append(
            Asked(
                model=model,
                base_url=config.base_url if model == config.model else None,
                calls=calls,
                prompt_tokens=len(cells) * questions
                + grounded * shown
                + systems
                + TOKENS_AROUND * calls,
                completion_tokens=calls * config.max_tokens,
            )
        )
    if plan.chooser is not None and plan.chooser.model:
        calls = 2 * comparisons(config.best_of or 0) * len(plan.examples)
        longest = 2 * config.max_tokens + TOKENS_OF_A_TASK
        asked.append(
            Asked(
                model=plan.chooser.model,
                base_url=config.base_url if plan.chooser.model == config.model else None,
                calls=calls,
                prompt_tokens=calls * (longest + questions / max(len(plan.examples), 1)),
                completion_tokens=calls * plan.chooser.max_tokens,
            )
        )
    if plan.constitution is not None:  # whose answers are kept is not known: counted as the main's
        around = (questions + shown) / max(len(plan.examples), 1) + TOKENS_OF_A_TASK
        asked.append(
            Asked(
                model=config.model,
                base_url=config.base_url,
                calls=2 * kept,
                prompt_tokens=kept * (2 * (around + config.max_tokens) + CRITIQUE_TOKENS),
                completion_tokens=kept * (CRITIQUE_TOKENS + config.max_tokens),
            )
        )
    return asked


def _chunks(source: str, workspace: Workspace) -> Loaded[Chunk]:
    if source == "-" or Path(source).is_file():
        run = None if source == "-" else run_of(Path(source))
        if run is None:
            raise _no_passages(source)
        source = str(run)
    try:
        return load_records(source, "chunks", Chunk, workspace)
    except PrefkitError as error:
        raise _no_passages(source) from error


def _no_passages(source: str) -> PrefkitError:
    return PrefkitError(
        f"{source}: no passages are found for its examples, so none can be shown to the model.",
        hint="Give a run made from `prefkit generate`, or complete without passages: "
        "`--context closed-book`.",
    )


def _passages(examples: Sequence[Example], chunks: Sequence[Chunk]) -> dict[str, str]:
    texts = {chunk.id: chunk.text for chunk in chunks}
    found = {}
    for example in examples:
        if example.quotes and all(quote.chunk_id in texts for quote in example.quotes):
            shown = (_around(texts[quote.chunk_id], quote) for quote in example.quotes)
            found[example.id] = "\n\n".join(dict.fromkeys(shown))
    return found


def _around(text: str, quote: Quote) -> str:
    """The paragraph that holds a quote; the whole chunk for a row or an item, which need theirs."""
    line = line_around(text, quote.start, quote.end)
    return text if re.match(r"\s*(?:\||[-*+] |\d+[.)] |#)", line) else line
