"""What `prefkit generate` would do: documents, chunks, and the questions that each one is asked."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefkit import runs
from prefkit.chat import ChatModel
from prefkit.chat.opening import is_endpoint
from prefkit.chat.spending import Asked, about_tokens, estimate
from prefkit.config import GenerateConfig
from prefkit.generation.blocks import ParsedDocument
from prefkit.generation.chunks import cut_chunks
from prefkit.generation.diversity import Encode, encoder, words_alone
from prefkit.generation.diversity_sets import Compared, read_compared
from prefkit.generation.documents import read_sources
from prefkit.generation.drafting import draft_tasks, prompts_used
from prefkit.generation.examples import (
    STAGE,
    Drafted,
    Method,
    Passage,
    method_for,
    passages_of,
)
from prefkit.generation.grid import Grid, Task, plan_grid
from prefkit.generation.kinds import FOLLOW_UP, NOWHERE
from prefkit.generation.measure import measuring
from prefkit.generation.personas import Persona, read_personas
from prefkit.generation.planned import DESCRIBED, Corpus
from prefkit.generation.prompting import Prompt, lines_of, load_prompts
from prefkit.generation.readers import Taken
from prefkit.generation.retrieval import Index
from prefkit.generation.sources.files import in_reach, is_url
from prefkit.generation.stepwise import ANSWER_TOKENS, QUESTION_TOKENS
from prefkit.generation.structured import TOKENS_AN_ITEM, TOKENS_AROUND
from prefkit.generation.trust.earlier import read_earlier
from prefkit.generation.trust.vouching import expected
from prefkit.records import Chunk, Dropped, content_id
from prefkit.workspace import Workspace

NO_GRID = Grid((), planned=False)
DOCUMENTS_A_UNIT = 50
TASKS_A_UNIT = 8  # some ten seconds on two cores with the embedded model
_OVERHEAD = 300  # prompt tokens around a passage
_A_CELL = 60  # prompt tokens that say what a question should be like


@dataclasses.dataclass(frozen=True)
class GeneratePlan(runs.Plan):
    """Which chunks are drafted from, in which order, and what is asked of each.

    Attributes:
        documents: What was read.
        chunks: Their chunks, in reading order.
        passages: The chunks in the order in which examples are drafted.
        grid: The questions to be written.
        dropped: Files that could not be used.
        prompts: The prompt files.
        readers: The readers that were named.
        personas: Who asks.
        personas_sha256: Of their file; empty without one.
        earlier: Questions of other sets that are not asked again.
        compared: What people wrote, to show its diversity beside the run's.
        encode: What the Vendi score is made of.
    """

    config: GenerateConfig
    documents: Sequence[ParsedDocument] = ()
    chunks: tuple[Chunk, ...] = ()
    passages: tuple[Passage, ...] = ()
    grid: Grid = NO_GRID
    dropped: tuple[Dropped, ...] = ()
    prompts: Mapping[str, Prompt] = dataclasses.field(default_factory=dict)
    readers: tuple[Taken, ...] = ()
    personas: tuple[Persona, ...] = ()
    personas_sha256: str = ""
    earlier: tuple[tuple[str, str], ...] = ()
    compared: Compared | None = None
    encode: Encode = words_alone

    def digest_fields(self) -> dict[str, Any]:  # JSON values
        """Configuration, inputs, and the prompts, readers and personas by their content."""
        hashes = {name: prompt.sha256 for name, prompt in self.prompts.items()}
        read_by = {taken.name: taken.sha256 for taken in self.readers}
        named = {"readers": read_by} if read_by else {}
        asking = {"personas": self.personas_sha256} if self.personas_sha256 else {}
        return super().digest_fields() | {"prompts": hashes} | named | asking

    def describe(self) -> dict[str, Any]:  # JSON values
        """The plan as one JSON object, with counts of the questions to be written."""
        total = self.config.total
        upto = {"until_the_total": self.grid.counts(total)} if total else {}
        plan = self.grid.counts() | upto | {"notices": list(self.grid.notices)}
        return super().describe() | {"plan": plan}

    @functools.cached_property
    def corpus(self) -> Corpus:
        """What all tasks share; the index only where a question is checked against all chunks."""
        index = Index(self.chunks) if NOWHERE in self.config.mix and self.grid.planned else None
        return Corpus({persona.name: persona for persona in self.personas}, index)

    def asks_model(self, method: Method) -> bool:
        """Whether drafting needs a model at all."""
        return True

    def prompts_used(self, method: Method) -> tuple[str, ...]:
        """Names of the prompt files that are used."""
        return prompts_used(method, self.config, planned=self.grid.planned)

    def draft(self, tasks: Sequence[Task], model: ChatModel) -> Drafted:
        """Draft what some tasks ask for, and check it."""
        return draft_tasks(tasks, model, self.prompts, self.config, self.grid, self.corpus)

    def document_units(self) -> dict[str, tuple[ParsedDocument, ...]]:
        """Documents by unit of work."""
        return dict(_units("documents", self.documents, DOCUMENTS_A_UNIT))

    def example_units(self) -> dict[str, tuple[Task, ...]]:
        """Tasks by unit of work."""
        return dict(_units("examples", self.grid.tasks, TASKS_A_UNIT))


def _units(name: str, items: Sequence[Any], size: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for number, start in enumerate(range(0, len(items), size)):
        yield f"{name}-{number:05}", tuple(items[start : start + size])


def plan_generate(
    source: str | Sequence[str], config: GenerateConfig, workspace: Workspace
) -> GeneratePlan:
    """Read the documents, cut them, and say what is to be drafted from each chunk.

    Args:
        source: Folders of documents, files, patterns and pages of the web; one or several.
        config: The `[generate]` table.
        workspace: Where a relative source is looked for when it is not in the current folder.

    Raises:
        PrefkitError: There is no such folder, no usable document in it, or a prompt, a tokenizer or
            the file of personas is wrong.
    """
    prompts = load_prompts(config.prompts)
    lines_of(prompts["kinds"], DESCRIBED)
    personas, personas_sha256 = _personas(config, workspace)
    measure = measuring(config.tokenizer, config.model)
    compared, encode = read_compared(config, workspace), encoder(config.embedder, workspace)
    earlier = read_earlier(config.earlier, workspace)
    read = read_sources(source, config, workspace)
    chunks: list[Chunk] = []
    passages: list[Passage] = []
    for parsed in read.documents:
        cut = cut_chunks(parsed, config.chunk_tokens, overlap=config.overlap, measuring=measure)
        chunks += cut
        passages += passages_of(parsed, cut)
    if config.total is not None:
        passages.sort(key=lambda passage: content_id(config.seed, passage.chunk.id))
    method = method_for(config, structured=is_endpoint(config.model, config.base_url))
    grid = plan_grid(passages, config, personas, method, lambda: Index(chunks))
    return GeneratePlan(
        stage=STAGE,
        config=config,
        inputs=(
            runs.Input(path=_shown(source, workspace), sha256=read.sha256),
            *earlier.inputs,
        ),
        counts={"documents": len(read.documents), "chunks": len(chunks)},
        expected=_expected(grid, config, method, workspace),
        documents=read.documents,
        chunks=tuple(chunks),
        passages=tuple(passages),
        grid=grid,
        dropped=tuple(read.dropped),
        prompts=prompts,
        readers=read.readers,
        personas=personas,
        personas_sha256=personas_sha256,
        earlier=earlier.questions,
        compared=compared,
        encode=encode,
    )


def _personas(config: GenerateConfig, workspace: Workspace) -> tuple[tuple[Persona, ...], str]:
    if config.personas is None:
        return (), ""
    path = Path(config.personas)
    if not path.exists() and (workspace.root / path).exists():
        path = workspace.root / path
    return read_personas(path)


def _shown(source: str | Sequence[str], workspace: Workspace) -> str:
    """The sources as the manifest names them."""
    sources = [source] if isinstance(source, str) else source
    root = workspace.root
    return ", ".join(s if is_url(s) else workspace.show(in_reach(s, root)) for s in sources)


def _expected(
    grid: Grid, config: GenerateConfig, method: Method, workspace: Workspace
) -> dict[str, float | str | None]:
    cells = list(grid.cells())
    share = min(1.0, config.total / len(cells)) if config.total and cells else 1.0
    texts = [
        sum(about_tokens(passage.chunk.text) for passage in task.passages) for task in grid.tasks
    ]
    size = sum(texts) / max(len(texts), 1)
    if method == "structured":
        calls = len(grid.tasks)
        room = TOKENS_AN_ITEM * len(cells) + TOKENS_AROUND * calls
        room += TOKENS_AN_ITEM * sum(cell.kind == FOLLOW_UP for cell in cells)
    else:
        calls = 0 if config.questions_only and grid.planned else len(cells)
        room = (QUESTION_TOKENS + ANSWER_TOKENS) * calls
    around = calls * (size + _OVERHEAD) + (_A_CELL * len(cells) if grid.planned else 0)
    asked = Asked(
        model=config.model,
        base_url=config.base_url,
        calls=round(calls * share),
        prompt_tokens=share * around,
        completion_tokens=share * room,
    )
    second = [] if config.questions_only else expected(config, len(cells) * share, size)
    return {
        "method": method,
        "examples_at_most": round(len(cells) * share),
        **estimate([asked, *second], config, workspace),
    }
