"""`prefkit generate`: documents to chunks to grounded examples, as a run that can be resumed."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefkit import console, runs
from prefkit.chat import ChatModel
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.blocks import ParsedDocument
from prefkit.generation.chunks import count_tokens, cut_chunks
from prefkit.generation.documents import read_sources
from prefkit.generation.examples import (
    STAGE,
    Drafted,
    Passage,
    draft_examples,
    method_for,
    passages_of,
    quota,
)
from prefkit.generation.grounding import words
from prefkit.generation.prompting import FOLDER, Prompt, load_prompts
from prefkit.generation.readers import Taken
from prefkit.generation.sources.files import in_reach, is_url
from prefkit.records import Chunk, Dropped, Record, content_id, text_of
from prefkit.workspace import Workspace

DOCUMENTS_A_UNIT = 50
CHUNKS_A_UNIT = 8  # some ten seconds on two cores with the embedded model
PROMPTS_USED = {"structured": ("structured",), "stepwise": ("question", "answer")}
_OVERHEAD = 300  # prompt tokens around a passage
_TOKENS_A_WORD = 1.3  # what a tokenizer makes of a word or mark, roughly


@dataclasses.dataclass(frozen=True)
class GeneratePlan(runs.Plan):
    """Which chunks are drafted from, in which order.

    Attributes:
        documents: What was read.
        chunks: Their chunks, in reading order.
        passages: The chunks in the order in which examples are drafted.
        dropped: Files that could not be used.
        prompts: The prompt files.
        readers: The readers that were named.
    """

    config: GenerateConfig
    documents: Sequence[ParsedDocument] = ()
    chunks: tuple[Chunk, ...] = ()
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    prompts: Mapping[str, Prompt] = dataclasses.field(default_factory=dict)
    readers: tuple[Taken, ...] = ()

    def digest_fields(self) -> dict[str, Any]:  # JSON values
        """Configuration, inputs, and the prompts by their content."""
        hashes = {name: prompt.sha256 for name, prompt in self.prompts.items()}
        read_by = {taken.name: taken.sha256 for taken in self.readers}
        named = {"readers": read_by} if read_by else {}
        return super().digest_fields() | {"prompts": hashes} | named

    def document_units(self) -> dict[str, tuple[ParsedDocument, ...]]:
        """Documents by unit of work."""
        return dict(_units("documents", self.documents, DOCUMENTS_A_UNIT))

    def example_units(self) -> dict[str, tuple[Passage, ...]]:
        """Passages by unit of work."""
        return dict(_units("examples", self.passages, CHUNKS_A_UNIT))


def _units(name: str, items: Sequence[Any], size: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for number, start in enumerate(range(0, len(items), size)):
        yield f"{name}-{number:05}", tuple(items[start : start + size])


def plan_generate(
    source: str | Sequence[str], config: GenerateConfig, workspace: Workspace
) -> GeneratePlan:
    """Read the documents, cut them, and say what drafting from them would take.

    Args:
        source: Folders of documents, files, patterns and pages of the web; one or several.
        config: The `[generate]` table.
        workspace: Where a relative source is looked for when it is not in the current folder.

    Raises:
        PrefkitError: There is no such folder, no usable document in it, or a prompt is wrong.
    """
    prompts = load_prompts(config.prompts)
    read = read_sources(source, config, workspace)
    chunks: list[Chunk] = []
    passages: list[Passage] = []
    for parsed in read.documents:
        cut = cut_chunks(parsed, config.chunk_tokens)
        chunks += cut
        passages += passages_of(parsed, cut)
    if config.total is not None:
        passages.sort(key=lambda passage: content_id(config.seed, passage.chunk.id))
    endpoint = config.base_url is not None or config.model.startswith("openai:")
    method = method_for(config, structured=endpoint)
    return GeneratePlan(
        stage=STAGE,
        config=config,
        inputs=(runs.Input(path=_shown(source, workspace), sha256=read.sha256),),
        counts={"documents": len(read.documents), "chunks": len(chunks)},
        expected=_expected(passages, config, method),
        documents=read.documents,
        chunks=tuple(chunks),
        passages=tuple(passages),
        dropped=tuple(read.dropped),
        prompts=prompts,
        readers=read.readers,
    )


def _shown(source: str | Sequence[str], workspace: Workspace) -> str:
    """The sources as the manifest names them."""
    sources = [source] if isinstance(source, str) else source
    root = workspace.root
    return ", ".join(s if is_url(s) else workspace.show(in_reach(s, root)) for s in sources)


def _expected(
    passages: Sequence[Passage], config: GenerateConfig, method: str
) -> dict[str, float | str | None]:
    drafts = sum(quota(passage.chunk, config.per_chunk) for passage in passages)
    share = min(1.0, config.total / drafts) if config.total and drafts else 1.0
    calls = len(passages) if method == "structured" else drafts
    size = sum(count_tokens(passage.chunk.text) for passage in passages) / max(len(passages), 1)
    return {
        "method": method,
        "examples_at_most": round(drafts * share),
        "calls": round(calls * share),
        "prompt_tokens": round(calls * share * (size * _TOKENS_A_WORD + _OVERHEAD)),
        "usd": None,
    }


def run_generate(plan: GeneratePlan, settings: runs.Settings) -> runs.Run:
    """Draft examples chunk by chunk, keep the grounded ones, and drop the rest with reasons.

    Raises:
        PrefkitError: The model cannot be opened, or every request to it failed.
    """
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        for taken in plan.readers:
            run.add_plugin("reader", taken.name, taken.origin, taken.sha256)
        units = [*_record_documents(run, plan), *_record_examples(run, plan, settings)]
        run.finish(units, card=_card(plan))
    if not run.manifest.outputs.get("examples"):
        raise PrefkitError(
            f"{run.path}: no draft passed the checks: {_reasons(run.manifest.dropped)}.",
            hint="dropped.jsonl there holds every draft. Try a stronger --model, or other text.",
        )
    return run


def _record_documents(run: runs.Run, plan: GeneratePlan) -> list[str]:
    units = plan.document_units()
    by_document: dict[str, list[Chunk]] = {}
    for chunk in plan.chunks:
        by_document.setdefault(chunk.document_id, []).append(chunk)
    for unit in run.pending(units):
        documents = [parsed.document for parsed in units[unit]]
        chunks = [chunk for d in documents for chunk in by_document.get(d.id, ())]
        unread = plan.dropped if unit == next(iter(units)) else ()
        run.record(unit, {"documents": documents, "chunks": chunks}, unread)
    return list(units)


def _record_examples(run: runs.Run, plan: GeneratePlan, settings: runs.Settings) -> list[str]:
    """Draft unit after unit until the total is reached; returns the units that count."""
    units, total = plan.example_units(), plan.config.total
    pending = set(run.pending(units))
    model: ChatModel | None = None
    used: list[str] = []
    seen: set[str] = set()
    with console.progress("examples" if total else "chunks", total or len(plan.passages)) as bar:
        for unit, passages in units.items():
            if total is not None and len(seen) >= total:
                break
            if unit in pending:
                model = model or _open(run, plan, settings)
                drafted = draft_examples(passages, model, plan.prompts, plan.config)
                _record_unit(run, unit, drafted, passages, seen)
            before = len(seen)
            seen |= {_question_of(row) for row in run.records_of(unit, "examples")}
            used.append(unit)
            steps = len(seen) - before if total else len(passages)
            bar.advance(steps, note=f"{len(seen)} examples")
    return used


def _open(run: runs.Run, plan: GeneratePlan, settings: runs.Settings) -> ChatModel:
    from prefkit.chat import open_model

    config = plan.config
    model = open_model(
        config.model,
        base_url=config.base_url,
        adapter=config.adapter,
        concurrency=config.concurrency,
        batch_size=config.batch_size,
        workspace=settings.workspace,
    )
    run.set_device(model.device)
    for name in PROMPTS_USED[method_for(config, structured=model.structured)]:
        prompt = plan.prompts[name]
        origin = "bundled" if prompt.path.parent == FOLDER else "path"
        run.add_plugin("prompt", name, origin, prompt.sha256)
    return model


def _record_unit(
    run: runs.Run,
    unit: str,
    drafted: Drafted,
    passages: Sequence[Passage],
    seen: set[str],
) -> None:
    """Record a unit without the questions that an earlier one, or itself, asked before."""
    kept: list[Record] = []
    asked = set(seen)
    by_chunk = {passage.chunk.id: passage for passage in passages}
    for example in drafted.examples:
        question = _key(text_of(example.prompt))
        if question in asked:
            passage = by_chunk[example.quotes[0].chunk_id]
            drafted.drop(passage, "duplicate-question", "asked before", text_of(example.prompt))
        else:
            asked.add(question)
            kept.append(example)
    run.record(unit, {"examples": kept}, drafted.dropped, totals=drafted.totals)


def _question_of(row: Mapping[str, Any]) -> str:  # an Example as JSON
    return _key("\n\n".join(message["content"] for message in row["prompt"]))


def _key(question: str) -> str:
    """What makes two questions the same: their words."""
    return hashlib.sha256(" ".join(words(question)).encode()).hexdigest()


def _reasons(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {rule}" for rule, count in dropped.items()) or "there was none"


def _card(plan: GeneratePlan) -> str:
    formats = Counter(Path(p.document.source).suffix.lower() for p in plan.documents)
    listed = ", ".join(f"{count} {suffix}" for suffix, count in formats.most_common())
    return (
        f"Questions with grounded answers, drafted from {len(plan.documents)} documents ({listed}) "
        f"in {len(plan.chunks)} chunks. Every answer's quote is an exact span of a chunk, and "
        "every number and name in it stands in that chunk. `generator` says who drafted what: "
        "`+pattern` marks a question built by rule, `+extractive` a reference that is the source "
        "sentence itself."
    )
