"""Chunks to examples: what both ways of drafting share.

A strong endpoint drafts a whole chunk in one structured call (`structured`). A small local model is
led step by step (`stepwise`). Either way an example stays only when its quote stands in its chunk
and its answer says nothing the chunk does not say; every other draft is dropped with its reason.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from prefkit.chat import ChatModel, Reply, Request
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.blocks import ParsedDocument
from prefkit.generation.chunks import count_tokens
from prefkit.generation.languages import passage_language, told
from prefkit.generation.prompting import Prompt
from prefkit.records import Chunk, Dropped, Example, Question, Verdict, content_id

STAGE = "generate"
Method = Literal["structured", "stepwise"]
TOKENS_AN_EXAMPLE = 30  # of a chunk; a shorter chunk is asked for fewer


@dataclasses.dataclass(frozen=True)
class Passage:
    """A chunk to draft from, with what it is called.

    Attributes:
        chunk: The chunk.
        title: Its document's title.
        source: Its document's path.
        common: Words that the document writes in lower case more often than not: no names.
        language: ISO 639-1 code; empty when it cannot be told.
    """

    chunk: Chunk
    title: str
    source: str
    common: frozenset[str] = frozenset()
    language: str = ""

    @property
    def where(self) -> str:
        """Title and headings, outermost first."""
        names = (self.title, *self.chunk.headings)
        return " > ".join(dict.fromkeys(name for name in names if name)) or self.source

    @property
    def known(self) -> str:
        """All words an answer may use: the chunk's own and those above it."""
        return f"{self.where}\n{self.chunk.text}"


@dataclasses.dataclass
class Drafted:
    """What came of some chunks.

    Attributes:
        examples: Those that passed every check.
        questions: Questions that did, when no answers are wanted yet.
        dropped: Drafts that did not, with the rule each broke.
        verdicts: What a second model said of examples, of those it refused too.
        by_chunk: How many of these each chunk had.
        totals: Calls, tokens, cost, and how many structured replies were valid as they were.
    """

    examples: list[Example] = dataclasses.field(default_factory=list)
    questions: list[Question] = dataclasses.field(default_factory=list)
    dropped: list[Dropped] = dataclasses.field(default_factory=list)
    verdicts: list[Verdict] = dataclasses.field(default_factory=list)
    by_chunk: Counter[str] = dataclasses.field(default_factory=Counter)
    totals: dict[str, float] = dataclasses.field(default_factory=dict)

    def count(self, **amounts: float) -> None:
        """Add to the totals."""
        for name, amount in amounts.items():
            self.totals[name] = self.totals.get(name, 0) + amount

    def drop(self, passage: Passage, rule: str, detail: str, draft: str = "") -> None:
        """Note a draft that does not stay."""
        shown = f"{detail}: {draft[:200]}" if draft else detail
        record_id = content_id("draft", passage.chunk.id, draft) if draft else passage.chunk.id
        self.dropped.append(Dropped(record_id=record_id, stage=STAGE, rule=rule, detail=shown))
        self.by_chunk[passage.chunk.id] += 1

    def ask(self, model: ChatModel, requests: Sequence[Request]) -> list[Reply]:
        """Put questions to a model and count what they cost.

        Raises:
            PrefkitError: Every one of them failed.
        """
        replies = model.complete(requests) if requests else []
        self.count(**cost_of(replies))
        if replies and all(reply.error for reply in replies):
            raise PrefkitError(
                f"{model.name}: all {len(replies)} requests failed: {replies[0].error}",
                hint="Mend the cause, then continue with --resume.",
            )
        return replies


def cost_of(replies: Iterable[Reply]) -> dict[str, float]:
    """Calls, tokens and dollars of some replies; `usd` is left out when no price is known.

    `uncounted` are replies whose tokens the server did not tell.
    """
    replies = list(replies)
    totals = {
        "calls": len(replies),
        "cached": sum(reply.cached for reply in replies),
        "uncounted": sum(not reply.counted for reply in replies),
        "prompt_tokens": sum(reply.prompt_tokens for reply in replies),
        "completion_tokens": sum(reply.completion_tokens for reply in replies),
        "usd": sum(reply.usd for reply in replies if reply.usd is not None),
    }
    return {name: value for name, value in totals.items() if value}


def passages_of(parsed: ParsedDocument, chunks: Iterable[Chunk]) -> list[Passage]:
    """The chunks of one document, ready to draft from."""
    document = parsed.document
    small = Counter(re.findall(r"(?<![\w-])[a-z][a-z-]+\b", document.text))
    great = Counter(
        name.lower() for name in re.findall(r"(?<=[a-z,] )[A-Z][a-z-]+\b", document.text)
    )
    common = frozenset(word for word, count in small.items() if count > great[word])
    language = told(document.text)
    return [
        Passage(
            chunk,
            document.title,
            document.source,
            common,
            passage_language(chunk.text, language),
        )
        for chunk in chunks
    ]


def quota(chunk: Chunk, per_chunk: int) -> int:
    """How many examples to draft from a chunk: fewer from a short one, at least one."""
    return max(1, min(per_chunk, count_tokens(chunk.text) // TOKENS_AN_EXAMPLE))


def notes_of(passage: Passage) -> dict[str, str]:
    """What every example says of where it comes from."""
    chunk = passage.chunk
    notes = {"source": passage.source} | ({"page": str(chunk.page)} if chunk.page else {})
    return notes | ({"language": passage.language} if passage.language else {})


def line_around(text: str, start: int, end: int) -> str:
    """The whole lines of a chunk that hold a span: its paragraph, item or row."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return text[first : last if last >= 0 else len(text)]


def method_for(config: GenerateConfig, *, structured: bool) -> Method:
    """The way to draft that a configuration and a model's strength call for."""
    if config.method != "auto":
        return config.method
    return "structured" if structured else "stepwise"


def draft_examples(
    passages: Sequence[Passage],
    model: ChatModel,
    prompts: Mapping[str, Prompt],
    config: GenerateConfig,
) -> Drafted:
    """Draft, check and ground examples from some chunks.

    Args:
        passages: The chunks.
        model: Who drafts.
        prompts: By name, see `prompting`.
        config: How many, which way, how warm.

    Raises:
        PrefkitError: The model failed on all requests.
    """
    from prefkit.generation.stepwise import draft_stepwise
    from prefkit.generation.structured import draft_structured

    drafted = Drafted()
    if method_for(config, structured=model.structured) == "structured":
        draft_structured(passages, model, prompts, config, drafted)
    else:
        draft_stepwise(passages, model, prompts, config, drafted)
    return drafted
