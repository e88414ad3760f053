"""`prefkit generate --from-questions`: answers for the questions that people let stay."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from prefkit.chat import ChatModel, Request, Sampling
from prefkit.chat.opening import is_endpoint
from prefkit.chat.spending import Asked, about_tokens, estimate
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.blocks import ParsedDocument
from prefkit.generation.difficulty import estimated
from prefkit.generation.diversity import encoder
from prefkit.generation.diversity_sets import read_compared
from prefkit.generation.drafts import (
    ANSWER_CHECKS,
    Draft,
    asks_something,
    first_refusal,
    no_instruction,
    quoted,
    right_language,
)
from prefkit.generation.examples import (
    STAGE,
    Drafted,
    Method,
    Passage,
    method_for,
    passages_of,
)
from prefkit.generation.grid import Cell, Grid, Task
from prefkit.generation.languages import language_name
from prefkit.generation.plan import GeneratePlan
from prefkit.generation.planned import DESCRIBED, items_schema, read_items, shown, where
from prefkit.generation.prompting import lines_of, load_prompts, neutral
from prefkit.generation.review import Reviewed, read_reviewed
from prefkit.generation.structured import TOKENS_AN_ITEM, TOKENS_AROUND
from prefkit.generation.trust.earlier import read_earlier
from prefkit.generation.trust.vouching import expected
from prefkit.records import Chunk, Document, Example, Question, content_id
from prefkit.storage import read_records
from prefkit.workspace import Workspace, stream_files

_OVERHEAD = 300  # prompt tokens around a passage
# People chose the question and its wording; what is checked is what the answer says of the text.
CHECKS = (quoted, no_instruction, right_language, *ANSWER_CHECKS)


@dataclasses.dataclass(frozen=True)
class AnswersPlan(GeneratePlan):
    """Which reviewed questions are answered.

    Attributes:
        questions: By id.
        edited: Ids of those that reviewers reworded.
    """

    questions: Mapping[str, Question] = dataclasses.field(default_factory=dict)
    edited: frozenset[str] = frozenset()

    def document_units(self) -> dict[str, tuple[ParsedDocument, ...]]:
        """One unit, for what review refused: documents and chunks lie in the run before."""
        return {"review": ()}

    def asks_model(self, method: Method) -> bool:
        """Small models quote; only strong ones word an answer to a question they did not make."""
        return method == "structured"

    def prompts_used(self, method: Method) -> tuple[str, ...]:
        """Names of the prompt files that are used."""
        return ("planned_answer", "kinds") if method == "structured" else ()

    def draft(self, tasks: Sequence[Task], model: ChatModel) -> Drafted:
        """Answer the questions of some tasks."""
        drafted = Drafted()
        if method_for(self.config, structured=model.structured) == "stepwise":
            for task in tasks:
                self._quote(task, drafted)
            return drafted
        requests = [self._request(task) for task in tasks]
        for task, reply in zip(tasks, drafted.ask(model, requests), strict=True):
            items = read_items(task, reply, drafted, key="answer")
            if items:
                self._keep(task, items[0], reply.finish_reason, model.name, drafted)
        return drafted

    def _request(self, task: Task) -> Request:
        question = self.questions[task.cells[0].name]
        asks = lines_of(self.prompts["kinds"], DESCRIBED)
        turns = [f"{turn.role}: {turn.content}" for turn in question.prompt]
        messages = self.prompts["planned_answer"].messages(
            passage=shown(task.passages),
            where=where(task.passages),
            question=neutral("\n".join(turns)),
            kind=f"{question.kind}: {asks.get(question.kind, '')}".strip(": "),
            language=language_name(task.passages[0].language),
        )
        sampling = Sampling(
            temperature=self.config.temperature,
            max_tokens=TOKENS_AN_ITEM + TOKENS_AROUND,
            seed=int(content_id(self.config.seed, question.id)[:8], 16),
        )
        return Request(messages, sampling, _SCHEMA)

    def _keep(
        self, task: Task, item: Mapping[str, Any], finish: str, name: str, drafted: Drafted
    ) -> None:
        question = self.questions[task.cells[0].name]
        answer, said = item.get("answer"), item.get("quotes") or ()
        said = (said,) if isinstance(said, str) else said
        if not isinstance(answer, str) or not all(isinstance(one, str) for one in said):
            drafted.drop(task.passages[0], "malformed", json.dumps(item)[:200])
            return
        draft = self._draft(task, question, answer.strip(), tuple(said), finish)
        if not draft.quotes and question.quotes:  # what people saw beside the question
            said = _texts(question, task.passages)
            draft = dataclasses.replace(draft, said=said)
        self._add(task, draft, f"{name}/answered", drafted)

    def _quote(self, task: Task, drafted: Drafted) -> None:
        """The quoted sentences themselves are the answer."""
        question = self.questions[task.cells[0].name]
        said = _texts(question, task.passages)
        if not said:
            detail = "a small model answers only by quoting, and this question quotes nothing"
            drafted.drop(task.passages[0], "left-out", detail, question.prompt[-1].content)
            return
        draft = self._draft(task, question, " ".join(said), said, "stop")
        refused = asks_something(draft) if question.id in self.edited else None
        if refused:
            text = question.prompt[-1].content
            drafted.drop(task.passages[0], refused.rule, refused.detail, text)
        else:
            self._add(task, draft, f"{question.generator}+extractive", drafted)

    def _draft(
        self, task: Task, question: Question, answer: str, said: tuple[str, ...], finish: str
    ) -> Draft:
        *earlier, last = question.prompt
        return Draft(
            task.passages, last.content, answer, said, question.kind, tuple(earlier), finish
        )

    def _add(self, task: Task, draft: Draft, generator: str, drafted: Drafted) -> None:
        question = self.questions[task.cells[0].name]
        freed, removed = draft.freed()
        draft = dataclasses.replace(freed, question=draft.question)  # people chose its wording
        problem = first_refusal(draft, CHECKS)
        if problem:
            drafted.drop(task.passages[0], problem.rule, problem.detail, draft.question)
            return
        review = "edited" if question.id in self.edited else "kept"
        notes = {"question_id": question.id, "review": review, "chunk": question.chunk_ids[0]}
        drafted.examples.append(
            Example(
                prompt=question.prompt,
                reference=draft.answer or "",
                quotes=draft.quotes,
                kind=question.kind,
                generator=generator,
                metadata=question.metadata
                | notes
                | removed
                | {"difficulty_estimate": estimated(draft)},
            )
        )


_SCHEMA = items_schema(
    {"answer": {"type": "string"}, "quotes": {"type": "array", "items": {"type": "string"}}}
)


def _texts(question: Question, passages: Sequence[Passage]) -> tuple[str, ...]:
    texts = {passage.chunk.id: passage.chunk.text for passage in passages}
    return tuple(
        texts[quote.chunk_id][quote.start : quote.end]
        for quote in question.quotes
        if quote.chunk_id in texts
    )


def plan_answers(source: str, config: GenerateConfig, workspace: Workspace) -> AnswersPlan:
    """Say which reviewed questions are answered, and from which chunks.

    Args:
        source: `questions.csv` or a JSONL file as people left it, a run, or @stage.
        config: The `[generate]` table; how documents are read and cut no longer matters.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: The questions cannot be read, none stays, or their chunks are gone.
    """
    config = config.model_copy(
        update={"questions_only": False, "total": None, "near_duplicates": 1.0}  # people chose them
    )
    prompts = load_prompts(config.prompts)
    reviewed = read_reviewed(source, workspace)
    passages = _passages(reviewed)
    earlier = read_earlier(config.earlier, workspace)
    tasks = [_task(q, passages) for q in reviewed.questions[: config.limit]]
    if not tasks:
        raise PrefkitError(f"{source}: no question stays.", hint="Keep at least one row.")
    return AnswersPlan(
        stage=STAGE,
        config=config,
        inputs=(*reviewed.inputs, *earlier.inputs),
        earlier=earlier.questions,
        counts={"questions": len(tasks), "edited": len(reviewed.edited), "chunks": len(passages)},
        expected=_expected(tasks, config, workspace),
        chunks=tuple(passage.chunk for passage in passages.values()),
        passages=tuple(passages.values()),
        grid=Grid(tuple(tasks), planned=True),
        dropped=reviewed.dropped,
        prompts=prompts,
        compared=read_compared(config, workspace),
        encode=encoder(config.embedder, workspace),
        questions={question.id: question for question in reviewed.questions},
        edited=reviewed.edited,
    )


def _passages(reviewed: Reviewed) -> dict[str, Passage]:
    """Every chunk of the run in which the questions were drafted."""
    chunks: dict[str, list[Chunk]] = {}
    for file in stream_files(reviewed.run, "chunks"):
        for chunk in read_records(file, Chunk):
            chunks.setdefault(chunk.document_id, []).append(chunk)
    found: dict[str, Passage] = {}
    for file in stream_files(reviewed.run, "documents"):
        for document in read_records(file, Document):
            parsed = ParsedDocument(document, ())
            for passage in passages_of(parsed, chunks.get(document.id, ())):
                found[passage.chunk.id] = passage
    return found


def _task(question: Question, passages: Mapping[str, Passage]) -> Task:
    missing = [chunk_id for chunk_id in question.chunk_ids if chunk_id not in passages]
    if missing:
        raise PrefkitError(
            f"question {question.id}: its chunk {missing[0]} is not in the run it was drafted in.",
            hint="Leave the column `chunk_ids` as it was.",
        )
    notes = question.metadata
    cell = Cell(question.id, question.kind, notes.get("persona", ""), notes.get("difficulty", ""))
    return Task(tuple(passages[chunk_id] for chunk_id in question.chunk_ids), (cell,))


def _expected(
    tasks: Sequence[Task], config: GenerateConfig, workspace: Workspace
) -> dict[str, float | str | None]:
    method = method_for(config, structured=is_endpoint(config.model, config.base_url))
    calls = len(tasks) if method == "structured" else 0
    texts = [about_tokens(p.chunk.text) + _OVERHEAD for task in tasks for p in task.passages]
    asked = Asked(
        model=config.model,
        base_url=config.base_url,
        calls=calls,
        prompt_tokens=sum(texts) if calls else 0,
        completion_tokens=calls * (TOKENS_AN_ITEM + TOKENS_AROUND),
    )
    second = expected(config, len(tasks), sum(texts) / len(tasks))
    return {
        "method": method,
        "examples_at_most": len(tasks),
        **estimate([asked, *second], config, workspace),
    }
