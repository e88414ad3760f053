"""Every record that travels between stages, one JSON object a line.

Column names are TRL's where TRL has one. A record's id is made from its content, so the same
input has the same id on every machine; `metadata` holds strings only.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Role = Literal["system", "user", "assistant", "tool"]
Split = Literal["train", "test"]


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


def _turns(role: Role) -> BeforeValidator:
    def from_text(value: Any) -> Any:  # pydantic validates what this lets through
        return [{"role": role, "content": value}] if isinstance(value, str) else value

    return BeforeValidator(from_text)


# A plain string is accepted on read: one user turn as a prompt, one assistant turn as a completion.
Prompt = Annotated[tuple[Message, ...], _turns("user"), Field(min_length=1)]
Completion = Annotated[tuple[Message, ...], _turns("assistant"), Field(min_length=1)]
Messages = tuple[Message, ...]


def user(content: str) -> Messages:
    """A prompt of one user turn."""
    return (Message(role="user", content=content),)


def assistant(content: str) -> Messages:
    """A completion of one assistant turn."""
    return (Message(role="assistant", content=content),)


def text_of(messages: Sequence[Message]) -> str:
    """The contents of all turns, joined by blank lines."""
    if len(messages) == 1:  # of a million records nearly all
        return messages[0].content
    return "\n\n".join(message.content for message in messages)


_canonical = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode


def content_id(*parts: Any) -> str:  # anything JSON can say
    """First 16 hex digits of the SHA-256 of `parts` as canonical JSON."""
    return hashlib.sha256(_canonical(parts).encode()).hexdigest()[:16]


class Record(BaseModel):
    """What all records share: frozen, unknown fields refused, an id made from `identity`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    identity: ClassVar[tuple[str, ...]] = ()

    id: str = Field(default="", description="First 16 hex of SHA-256 over kind and identity.")
    metadata: dict[str, str] = Field(default_factory=dict, description="Free notes, text only.")

    @model_validator(mode="after")
    def _fill_id(self) -> Self:
        if not self.id:
            fields = self.model_dump(mode="json", include=set(self.identity))
            object.__setattr__(
                self,
                "id",
                content_id(type(self).__name__, *(fields[name] for name in self.identity)),
            )
        return self

    def json_line(self) -> str:
        """The record as one line of JSON, without the line break."""
        return self.model_dump_json()


class Document(Record):
    """One source file, read as text."""

    identity = ("source", "text")

    text: str = Field(description="The whole text; chunk offsets point into it.")
    source: str = Field(description="Where it was read from, relative to the documents folder.")
    title: str = Field(default="", description="First heading, or the file's name.")
    license: str = Field(default="", description="SPDX id or wording, when known.")
    sha256: str = Field(description="Of the file's bytes.")


class Chunk(Record):
    """A passage of a document: `document.text[start:end] == text`."""

    identity = ("document_id", "start", "end", "text")

    document_id: str = Field(description="The Document it was cut from.")
    text: str = Field(description="The passage, exactly as in the document.")
    start: int = Field(ge=0, description="First character in the document's text.")
    end: int = Field(ge=0, description="One past the last character.")
    page: int | None = Field(default=None, description="1-based page where it starts, if paged.")
    headings: tuple[str, ...] = Field(default=(), description="Heading path, outermost first.")


class Quote(BaseModel):
    """A span of a chunk that supports an answer: `chunk.text[start:end]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chunk_id: str
    start: int = Field(ge=0)
    end: int = Field(gt=0)


class Example(Record):
    """A question with its grounded reference answer."""

    identity = ("prompt", "reference")

    prompt: Prompt = Field(description="The conversation up to the answer.")
    reference: str = Field(min_length=1, description="The answer, supported by the quotes.")
    quotes: tuple[Quote, ...] = Field(default=(), description="Where the documents say so.")
    kind: str = Field(default="factual", description="Sort of question.")
    generator: str = Field(default="", description="What drafted it: model and method.")
    split: Split | None = Field(default=None, description="Decided once, by `clean`.")


class Question(Record):
    """A drafted question that people review before it is answered."""

    identity = ("prompt", "chunk_ids")

    prompt: Prompt = Field(description="The conversation up to the answer.")
    chunk_ids: tuple[str, ...] = Field(min_length=1, description="The Chunks it was drafted from.")
    quotes: tuple[Quote, ...] = Field(default=(), description="Where the documents answer it.")
    kind: str = Field(default="factual", description="Sort of question.")
    generator: str = Field(default="", description="What drafted it: model and method.")


class Candidate(Record):
    """One completion of an example's prompt, to be judged against its siblings."""

    identity = ("prompt_id", "completion", "model", "sampling", "seed")

    prompt_id: str = Field(description="The Example it answers.")
    completion: Completion = Field(description="What the model wrote.")
    model: str = Field(description="Which model, adapter and context wrote it.")
    sampling: dict[str, float] = Field(default_factory=dict, description="Temperature, top_p, …")
    seed: int = Field(default=0, description="Seed of this sample.")
    finish_reason: str = Field(default="stop", description="stop, length, or the server's word.")
    tokens: int = Field(default=0, ge=0, description="Completion tokens.")
    logprob: float | None = Field(
        default=None, description="Natural log-probability of its tokens; None: not told."
    )
    logprob_mean: float | None = Field(default=None, description="The same, a token.")
    logprob_tokens: int | None = Field(
        default=None, description="Tokens of that sum; a server may count the end of the turn."
    )


JudgmentSource = Literal["human", "judge", "rule"]
# A whole number that a float holds exactly; strict, since `true` read as 1 would rank it second.
Rank = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]


class Judgment(Record):
    """One annotator's view of the candidates of one prompt. Lower rank is better; equal ties."""

    identity = (
        *("prompt_id", "annotator", "source"),
        *("ranks", "ratings", "aspects", "decision", "reasons", "edit"),
    )

    prompt_id: str = Field(description="The Example that is judged, or whose candidates are.")
    ranks: dict[str, Rank] | None = Field(default=None, description="candidate_id: 1 is best.")
    ratings: dict[str, float] | None = Field(default=None, description="candidate_id: score.")
    aspects: dict[str, dict[str, float]] | None = Field(
        default=None, description="Question such as `accuracy`: {candidate_id: score}."
    )
    decision: Literal["accept", "edit", "reject"] | None = Field(
        default=None, description="What a review says of the example's reference."
    )
    reasons: tuple[str, ...] = Field(default=(), description="Why, in the layout's words.")
    edit: str | None = Field(default=None, description="A better completion, written by hand.")
    comment: str = Field(default="", description="What the annotator noted; never trained on.")
    annotator: str = Field(description="Who or what judged: a name, a judge, a rule.")
    source: JudgmentSource = Field(description="A rule is a rule: nothing pretends to be human.")
    status: Literal["submitted", "discarded", "draft", "skipped", "unscored"] = "submitted"
    shown_order: tuple[str, ...] = Field(default=(), description="Candidate ids as shown.")
    guideline_sha256: str = Field(default="", description="Of the guideline or judge prompt.")
    answered_at: str = Field(default="", description="When, ISO 8601 in UTC; empty if unknown.")
    seconds: float | None = Field(default=None, ge=0, description="Time spent.")

    @property
    def adjudicated(self) -> bool:
        """Whether it settles a conflict between the other judgments of its prompt."""
        return self.metadata.get("adjudicated") == "true"


class Conflict(Record):
    """Annotators who contradict each other on one prompt: something for an adjudicator."""

    identity = ("prompt_id", "question", "detail", "annotators")

    prompt_id: str = Field(description="The Example that is judged, or whose candidates are.")
    question: str = Field(description="What they disagree about: ranks, decision, an aspect.")
    amount: float = Field(ge=0, le=1, description="How much: 0 agreed, 1 opposite.")
    detail: str = Field(default="", description="Who said what.")
    annotators: tuple[str, ...] = Field(default=(), description="Who judged it.")


class AnnotationTask(Record):
    """One record as people see it in Argilla: a prompt and its answers in the order shown."""

    identity = ("kind", "prompt_id", "shown_order")

    kind: str = Field(description="Of the layout: ranking, review or comparison.")
    prompt_id: str = Field(description="The Example that is shown.")
    shown_order: tuple[str, ...] = Field(description="Candidate ids as answers A, B, …")
    dataset: str = Field(default="", description="Name in Argilla.")
    layout: str = Field(default="", description="Name of the layout.")
    guideline_sha256: str = Field(default="", description="Of the guideline it was pushed with.")
    place: int = Field(default=0, ge=0, description="In the suggested order; 1 comes first.")


class Vote(BaseModel):
    """What one judgment says of the two sides of a pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annotator: str
    kind: Literal["human", "judge", "rule", "edit"]
    outcome: Literal["for", "against", "tie"] = Field(description="The chosen side, that is.")
    weight: float = Field(description="What its maker's word counts; 0: settled otherwise.")
    judgment_id: str


class PreferencePair(Record):
    """A chosen and a rejected completion of one prompt (TRL's preference format)."""

    identity = ("prompt", "chosen", "rejected")

    prompt: Prompt
    chosen: Completion
    rejected: Completion
    prompt_id: str = ""
    chosen_id: str = ""
    rejected_id: str = ""
    score_chosen: float | None = None
    score_rejected: float | None = None
    margin: float | None = Field(default=None, description="score_chosen - score_rejected.")
    votes_for: int = Field(default=0, ge=0, description="Judgments that rank chosen above.")
    votes_against: int = Field(default=0, ge=0, description="Judgments that rank it below.")
    source: str = Field(default="", description="human, judge, rule, or several joined by +.")
    split: Split | None = None
    votes: tuple[Vote, ...] = Field(default=(), description="Every vote on these two sides.")


class UnpairedPreference(Record):
    """A completion with a thumb up or down (TRL's unpaired preference format, for KTO)."""

    identity = ("prompt", "completion", "label")

    prompt: Prompt
    completion: Completion
    label: bool
    prompt_id: str = ""
    candidate_id: str = ""
    source: str = ""
    split: Split | None = None


class Verdict(Record):
    """One judge call on one pair of completions, in one order."""

    identity = ("sample_id", "judge", "judge_sha256", "swapped", "model", "raw")

    sample_id: str = Field(description="What was judged: the prompt and both completions.")
    judge: str
    judge_sha256: str = Field(description="Of the judge's card and prompt.")
    model: str = Field(default="", description="The model that played the judge.")
    winner: Literal["a", "b", "tie"] | None = Field(default=None, description="None: unscored.")
    score: float | None = None
    status: Literal["scored", "unscored"] = "scored"
    raw: str = Field(default="", description="The judge's reply, stored before parsing.")
    swapped: bool = Field(default=False, description="Shown b first; winner is in a, b terms.")
    tokens: int = 0
    usd: float | None = Field(default=None, description="None when the price is unknown.")


class Contamination(Record):
    """An item of an evaluation set that stands in a training record."""

    identity = ("record_id", "field", "evaluation", "item_id", "part")

    record_id: str = Field(description="The training record.")
    where: str = Field(default="", description="Its file and line.")
    field: str = Field(description="Which of its texts: prompt, reference, chosen, rejected, …")
    evaluation: str = Field(description="Name of the evaluation set.")
    item_id: str
    part: Literal["prompt", "reference"] = Field(description="Which text of the item.")
    rule: str = Field(description="Why it counts: coverage, run, short or same.")
    coverage: float = Field(description="Share of the item's words in n-grams in common.")
    run: int = Field(description="Words of the longest stretch in common.")
    matched: str = Field(default="", description="That stretch, as the evaluation set writes it.")


class SplitLeak(Record):
    """A training record and a held-out one that say the same, or come from one document."""

    identity = ("train_id", "test_id", "kind", "field")

    train_id: str
    test_id: str
    kind: Literal["exact", "near", "document", "chunk"]
    field: str = Field(default="", description="Which text is alike: prompt or completion.")
    similarity: float | None = Field(default=None, description="Jaccard of their word shingles.")
    detail: str = Field(default="", description="The text, or the document both come from.")


class SimilarPair(Record):
    """Two texts that an embedder puts near each other, by the records they stand in."""

    identity = ("left_id", "right_id")

    left_id: str = Field(description="The preferred record with the one text.")
    right_id: str = Field(description="The preferred record with the other.")
    left_records: int = Field(ge=1, description="Records with exactly the one text.")
    right_records: int = Field(ge=1, description="Records with exactly the other.")
    cosine: float = Field(description="Of the two texts; the smallest where several are compared.")
    same_facts: bool = Field(description="No number, name or turning word in only one of them.")
    cluster: str = Field(default="", description="Smallest id of the cluster; duplicates only.")


class Dropped(Record):
    """What left the pipeline, where, and why."""

    identity = ("record_id", "stage", "rule", "detail")

    record_id: str
    stage: str
    rule: str = Field(description="Short name of the reason, counted in the manifest.")
    detail: str = ""
    keeper: str = Field(default="", description="The record that a duplicate yielded to.")
    score: float | None = Field(
        default=None, description="Similarity to the keeper, or its rating."
    )
