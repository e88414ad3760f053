"""One model per table of `prefkit.toml`; how values from flags, environment and file combine.

Precedence: flag > `--set table.key=value` > `PREFKIT_TABLE_KEY` > file > default.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.records import content_id
from prefkit.storage import explain

EMBEDDED = "embedded"  # the model name that stands for the wheel in FACTS: SmolLM2-135M-Instruct


def neutral(default: Any, **how: Any) -> Any:  # a pydantic FieldInfo, typed Any by pydantic too
    """A field that cannot change a result (speed, display): left out of the run's digest."""
    return Field(default, json_schema_extra={"digest": False}, **how)


class StageConfig(BaseModel):
    """What every table shares."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: ClassVar[str]

    seed: int = Field(0, description="Seed of every random choice in this stage.")
    limit: int | None = Field(None, ge=1, description="Use only the first N inputs.")

    def digest_fields(self) -> dict[str, Any]:  # JSON values
        """What decides the result: every field that is not marked `neutral`."""
        kept = {
            name
            for name, field in type(self).model_fields.items()
            if not (
                isinstance(field.json_schema_extra, dict) and "digest" in field.json_schema_extra
            )
        }
        return self.model_dump(mode="json", include=kept)

    def digest(self) -> str:
        """Digest of `digest_fields`."""
        return content_id(self.table, self.digest_fields())


class ModelConfig(StageConfig):
    """What every stage that talks to a model shares."""

    model: str = Field(
        EMBEDDED, description="`embedded`, a folder, a hub id, or `openai:NAME` for an endpoint."
    )
    base_url: str | None = Field(None, description="OpenAI-compatible endpoint.")
    adapter: str | None = Field(None, description="LoRA adapter: a folder, a run or @stage.")
    concurrency: int = neutral(
        32, ge=1, description="Most requests in flight at an endpoint; fewer when it has enough."
    )
    batch_size: int = Field(8, ge=1, description="Sequences a batch for a local model.")

    @field_validator("base_url")
    @classmethod
    def _no_secret_in_url(cls, value: str | None) -> str | None:
        return _without_secret(value)


class SpendingConfig(ModelConfig):
    """What the stages that may ask an endpoint very often share."""

    max_cost: float | None = neutral(
        None, gt=0, description="US dollars a run may spend at endpoints; see [prices]."
    )
    max_total_tokens: int | None = neutral(
        None, ge=1, description="Tokens a run may spend at endpoints, prompts and completions."
    )
    probe: bool = neutral(
        True, description="Find out first how an endpoint can be made to answer in JSON."
    )
    batch: bool = neutral(
        False, description="Ask through OpenAI's batch API: cheaper, and ready within a day."
    )


def _without_secret(url: str | None) -> str | None:
    if url and (urlsplit(url).username or urlsplit(url).password):
        raise ValueError("holds a user or password; put the key in OPENAI_API_KEY instead")
    return url


KINDS: Final = (  # of questions, as a plan of examples names them
    "factual",
    "definition",
    "procedural",
    "condition",
    "comparative",
    "numeric",
    "why",
    "multi-hop",
    "unanswerable",
    "multi-turn",
)
DIFFICULTIES: Final = ("easy", "medium", "hard")


def _weights(value: Any, known: Sequence[str], what: str) -> dict[str, float]:  # flag or TOML
    """`numeric:2,why` as weights; `all` gives everything the same.

    Raises:
        ValueError: A name is unknown, or a weight is no number above 0.
    """
    if isinstance(value, str):
        parts = [part.partition(":") for part in re.split(r"[,\s]+", value) if part]
        value = {name: weight if colon else 1 for name, colon, weight in parts}
    if not isinstance(value, Mapping):
        raise ValueError(f"expected weights such as `{known[0]}:2,{known[1]}`")
    if "all" in value:
        value = dict.fromkeys(known, value["all"])
    weights = {}
    for name, weight in value.items():
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            suggestion = f"; did you mean `{close[0]}`?" if close else ""
            raise ValueError(f"`{name}` is no {what}{suggestion} Known: {', '.join(known)}")
        try:
            weights[name] = float(weight)
        except (TypeError, ValueError):
            weights[name] = 0.0
        if not 0 < weights[name] < float("inf"):
            raise ValueError(f"the weight of `{name}` is no number above 0: `{weight}`")
    return weights


class GenerateConfig(SpendingConfig):
    """`[generate]`: documents to Q&A examples."""

    table: ClassVar[str] = "generate"

    chunk_tokens: int = Field(220, ge=32, description="Aim for a chunk, in words and marks.")
    tokenizer: str = Field(
        "", description="Measures chunks: a model's name, or `model` for the one that drafts."
    )
    overlap: int = Field(
        0, ge=0, description="Tokens of the chunk before that a chunk repeats, in whole sentences."
    )
    per_chunk: int = Field(2, ge=1, le=20, description="Examples to draft from a chunk.")
    total: int | None = Field(None, ge=1, description="Stop planning after about N examples.")
    mix: dict[str, float] = Field(
        default_factory=dict, description=f"Kinds by weight, of: {', '.join(KINDS)}."
    )
    difficulty: dict[str, float] = Field(
        default_factory=dict, description="easy, medium and hard by weight; not asked for if unset."
    )
    personas: str | None = Field(None, description="TOML file of who asks, and in which style.")
    questions_only: bool = Field(
        False, description="Write questions for people to review; answers with --from-questions."
    )
    method: Literal["auto", "structured", "stepwise"] = "auto"
    temperature: float = Field(0.3, ge=0, le=2)
    near_duplicates: float = Field(
        0.7, gt=0, le=1, description="Jaccard at which a question repeats an earlier one."
    )
    earlier: tuple[str, ...] = Field(
        (), description="Sets of examples whose questions are not asked again."
    )
    verify: bool = Field(False, description="Let a second model check every draft.")
    round_trip: Literal["off", "flag", "drop"] = Field(
        "off", description="Let it answer each question; what to do when it says something else."
    )
    verifier_model: str | None = Field(
        None, description="Who checks; the model that drafts when unset."
    )
    verifier_base_url: str | None = Field(None, description="Endpoint of `verifier_model`.")
    prompts: str | None = Field(None, description="Folder of prompt files that replace ours.")
    largest_megabytes: float = Field(50.0, gt=0, description="A larger file is left out.")
    include: tuple[str, ...] = Field((), description="Patterns of the files that count; all.")
    exclude: tuple[str, ...] = Field((), description="Patterns of files that do not count.")
    reader: tuple[str, ...] = Field((), description="Readers that go before the bundled ones.")
    text_field: str | None = Field(None, description="Field of a JSON row that holds its text.")
    allow_url: bool = Field(False, description="Fetch pages of the web that are named.")
    allow_private_url: bool = Field(False, description="Also from the local network.")
    compare_with: str | None = neutral(
        None, description="Set written by people, whose diversity is shown beside the run's."
    )
    embedder: str = neutral(
        "tfidf", description="What the Vendi score is made of; see `prefkit similar`."
    )

    @field_validator("mix", mode="before")
    @classmethod
    def _known_kinds(cls, value: Any) -> dict[str, float]:  # a flag's text or a TOML table
        return _weights(value, KINDS, "kind of question")

    @field_validator("difficulty", mode="before")
    @classmethod
    def _known_difficulties(cls, value: Any) -> dict[str, float]:  # a flag's text or a TOML table
        return _weights(value, DIFFICULTIES, "difficulty")

    @field_validator("verifier_base_url")
    @classmethod
    def _no_secret_in_verifier_url(cls, value: str | None) -> str | None:
        return _without_secret(value)

    @model_validator(mode="after")
    def _answers_to_check(self) -> Self:
        if self.questions_only and (self.verify or self.round_trip != "off"):
            raise ValueError(
                "verify and round_trip check answers: leave them out of questions_only"
            )
        return self


class CleanConfig(StageConfig):
    """`[clean]`: which examples stay, and which split they belong to."""

    table: ClassVar[str] = "clean"

    kind: Literal["auto", "examples", "pairs", "unpaired"] = Field(
        "auto", description="What the source holds; told by its fields when auto."
    )
    bad_rows: Literal["stop", "drop"] = Field(
        "stop", description="A row that is no record stops the run, or goes with its reason."
    )
    near_duplicates: float = Field(0.7, gt=0, le=1, description="Jaccard at which two are one.")
    compare: Literal["prompts", "completions", "both"] = Field(
        "both", description="Which texts of two near duplicates must be alike."
    )
    keep_repeated_prompts: bool = Field(
        False, description="Keep several references to one prompt; else one stays."
    )
    semantic: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Cosine at which two mean the same; not looked for when unset.",
    )
    semantic_field: Literal["prompt", "completion", "both"] = Field(
        "prompt", description="Which texts of two semantic duplicates must be alike."
    )
    semantic_drop: bool = Field(
        False, description="Drop semantic duplicates; else mark them in `metadata.flags`."
    )
    embedder: str = Field("minilm", description="What makes embeddings; see `prefkit similar`.")
    embedder_url: str | None = Field(None, description="OpenAI-compatible endpoint of `embedder`.")
    min_reference_words: int = Field(2, ge=1, description="Fewest words in a reference.")
    max_reference_words: int = Field(200, ge=1, description="Most words in a reference.")
    skip_rules: tuple[str, ...] = Field((), description="Rules to leave out, such as `truncated`.")
    use_rules: tuple[str, ...] = Field((), description="Only these rules; all when empty.")
    flag_rules: tuple[str, ...] = Field(
        ("boilerplate", "personal-names"), description="Rules that mark and do not drop."
    )
    flag_only: bool = Field(False, description="Mark in `metadata.flags`; let no rule drop.")
    on_rule_error: Literal["stop", "count"] = Field(
        "stop", description="A rule that fails stops the run, or marks the row `rule-failed`."
    )
    rules: dict[str, str] = Field(
        default_factory=dict,
        description="Your rules: NAME = `FILE.py:FUNCTION` or `python:MODULE:FUNCTION`.",
    )
    drop_when: dict[str, str] = Field(
        default_factory=dict, description="Your rules in a line: NAME = an expression."
    )
    languages: tuple[str, ...] = Field(
        (), description="ISO 639-1 codes of the languages that stay; any when empty."
    )
    tokenizer: str = Field("", description="Counts tokens: the model to train or its folder.")
    max_length: int | None = Field(None, ge=1, description="Tokens a row that training sees.")
    names_model: str = Field("", description="spaCy model, or its folder, that finds names.")
    against: tuple[str, ...] = Field(
        (), description="Evaluation sets, each `[NAME=]SOURCE`; rows that hold their items go."
    )
    test_share: float = Field(0.25, ge=0, lt=1, description="Share of examples held out.")
    split_by: Literal["document", "chunk", "example"] = Field(
        "document", description="What must not lie on both sides of the split."
    )
    format: Literal["jsonl", "parquet"] = Field("jsonl", description="Of the files written.")

    @field_validator("embedder_url")
    @classmethod
    def _no_secret_in_url(cls, value: str | None) -> str | None:
        return _without_secret(value)

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.min_reference_words > self.max_reference_words:
            raise ValueError("min_reference_words is over max_reference_words")
        return self


class SimilarConfig(StageConfig):
    """`[similar]`: which records mean the same, and which mean nothing like the others."""

    table: ClassVar[str] = "similar"

    kind: Literal["auto", "examples", "pairs", "unpaired"] = Field(
        "auto", description="What the source holds; told by its fields when auto."
    )
    embedder: str = Field(
        "minilm",
        description="`minilm`, `tfidf`, a folder, a hub id, `openai:NAME` or "
        "`python:MODULE:FUNCTION`.",
    )
    base_url: str | None = Field(None, description="OpenAI-compatible endpoint with /embeddings.")
    threshold: float | None = Field(
        None, gt=0, le=1, description="Cosine at which two mean the same; suggested when unset."
    )
    field: Literal["prompt", "completion", "both"] = Field(
        "prompt", description="Which texts of two records must be alike."
    )
    sample: int = Field(20, ge=4, le=500, description="Pairs around the threshold to read.")
    outliers: int = Field(20, ge=0, description="Texts farthest from all others to name.")

    @field_validator("base_url")
    @classmethod
    def _no_secret_in_url(cls, value: str | None) -> str | None:
        return _without_secret(value)


class LeakageConfig(StageConfig):
    """`[leakage]`: what of evaluation sets, or of the test split, stands in the training data."""

    table: ClassVar[str] = "leakage"

    kind: Literal["auto", "examples", "pairs", "unpaired"] = Field(
        "auto", description="What the source holds; told by its fields when auto."
    )
    against: tuple[str, ...] = Field((), description="Evaluation sets, each `[NAME=]SOURCE`.")
    field: tuple[str, ...] = Field(
        (), description="Columns of the sets: the question's first, then the answer's."
    )
    ngram: int = Field(8, ge=6, le=100, description="Words of an n-gram.")
    coverage: float = Field(
        0.5, gt=0, le=1, description="Least share of an item's words in n-grams in common."
    )
    run: int = Field(
        13, ge=0, description="Words in a row that are enough by themselves; 0: none are."
    )
    near_duplicates: float = Field(0.7, gt=0, le=1, description="Jaccard between the splits.")


class CandidatesConfig(SpendingConfig):
    """`[candidates]`: several completions a prompt."""

    table: ClassVar[str] = "candidates"

    models: tuple[str, ...] = Field((), description="More models beside `model`.")
    per_prompt: int = Field(4, ge=2, le=16, description="Completions a prompt, all models.")
    temperatures: tuple[float, ...] = Field((0.7, 1.0), min_length=1)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(64, ge=1)
    contexts: tuple[Literal["closed-book", "grounded"], ...] = Field(
        ("closed-book", "grounded"), min_length=1, description="With or without the passage."
    )
    systems: tuple[str, ...] = Field(
        (), description="Files of system prompts, each a way of its own; `none` is one without."
    )
    logprobs: bool = Field(False, description="Store how likely the model held its completion.")
    best_of: int | None = Field(None, ge=2, le=256, description="Sample N, keep the best.")
    keep: int | None = Field(None, ge=1, description="How many of them; `per_prompt` if unset.")
    by: str = Field(
        "rule:reference", description="What best means: `logprob`, `rule:NAME` or a judge."
    )
    by_model: str | None = Field(None, description="The model that plays the judge; `model`.")
    constitution: str | None = Field(
        None, description="Principles to criticise and revise by: `domain`, or a file of yours."
    )
    prompts: str | None = Field(None, description="Folder of prompt files that replace ours.")


class JudgeConfig(SpendingConfig):
    """`[judge]`: judgments by rule and by an LLM judge."""

    table: ClassVar[str] = "judge"

    judges: tuple[str, ...] = Field(
        ("rule:reference",), min_length=1, description="`rule:reference`, or folders in judges/."
    )
    max_pairs_per_prompt: int = Field(3, ge=1, description="Pairs an LLM judge sees a prompt.")
    examples: str | None = Field(None, description="What the candidates answer, if not upstream.")


class PairsConfig(StageConfig):
    """`[pairs]`: judgments to preference pairs."""

    table: ClassVar[str] = "pairs"

    strategy: Literal[
        "best_vs_worst", "best_vs_rest", "adjacent", "all", "on_policy_rejected", "edits"
    ] = Field("best_vs_worst", description="Which completions of a prompt are paired.")
    max_pairs: int = Field(3, ge=1, description="Most pairs a prompt, the widest apart first.")
    policy: str = Field(
        "", description="The model to be trained, as candidates name it; on_policy_rejected."
    )
    margin: float = Field(0.1, ge=0, le=1, description="Least difference in strength on 0..1.")
    min_votes: int = Field(
        0, ge=0, description="Fewest votes that compare the two sides; 0: others may place them."
    )
    agreement: float = Field(
        0.5, ge=0, le=1, description="Least share of those votes' weight for the chosen side."
    )
    circles: Literal["drop", "keep"] = Field(
        "drop", description="What becomes of two that majorities put in one circle."
    )
    strength: Literal["bradley-terry", "plackett-luce"] = Field(
        "bradley-terry", description="How comparisons become strengths."
    )
    weights: Literal["learned", "equal"] = Field(
        "learned", description="Weigh votes by how often their makers are right, or alike."
    )
    judge_weight: float = Field(
        0.5, ge=0, le=1, description="Of an unmeasured judge or rule beside a person's 1."
    )
    beside_people: Literal["weigh", "leave-out"] = Field(
        "weigh", description="What judges and rules count for where a person judged."
    )
    balance_length: float | None = Field(
        None,
        ge=0.5,
        lt=1,
        description="Most the longer side may be chosen; drops pairs. Unset: any.",
    )
    sources: tuple[Literal["human", "judge", "rule"], ...] = Field(
        ("human", "judge", "rule"), min_length=1, description="Whose judgments count."
    )
    rating_scale: tuple[float, float] | None = Field(
        None, description="Worst and best human rating; read off the ratings when unset."
    )
    labels: Literal["siblings", "absolute"] = Field(
        "siblings", description="Thumbs compare with the prompt's average, or with 0.5."
    )
    label_margin: float = Field(
        0.1, ge=0, lt=0.5, description="Least distance in strength of a thumb from the middle."
    )
    candidates: str | None = Field(None, description="What was judged, if not upstream.")
    examples: str | None = Field(None, description="What the candidates answer, if not upstream.")

    @field_validator("rating_scale")
    @classmethod
    def _worst_before_best(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError("the worst rating comes first, then the best, such as [1, 5]")
        return value

    @model_validator(mode="after")
    def _policy_named(self) -> Self:
        if self.strategy == "on_policy_rejected" and not self.policy:
            raise ValueError("on_policy_rejected needs `policy`: the model to be trained")
        return self


class AuditConfig(ModelConfig):
    """`[audit]`: what a data set is like, and what a model would learn from it by mistake."""

    table: ClassVar[str] = "audit"

    kind: Literal["auto", "examples", "pairs", "unpaired"] = Field(
        "auto", description="What the source holds; told by its fields when auto."
    )
    bad_rows: Literal["count", "stop"] = Field(
        "count", description="A row that is no record is counted and shown, or stops the run."
    )
    reference: str | None = Field(None, description="Set that drift is measured against.")
    sample: int = Field(
        20_000, ge=1, description="Records that figures of whole texts are measured on."
    )
    most_rows: int = Field(
        200_000, ge=1, description="Most records held at once; more are sampled for all but counts."
    )
    bias_margin: float = Field(
        0.05, ge=0, lt=0.5, description="How far from 0.5 the whole interval of an AUC may lie."
    )
    strict: bool = neutral(False, description="Exit with 3 when there is an alarm.")
    embedder: str | None = Field(None, description="Embeds texts, for diversity and drift.")
    counterfactual: int = Field(
        0, ge=0, description="Pairs judged again with demographic terms exchanged; 0: none."
    )
    judge: str = Field("helpfulness", description="A folder in judges/, for counterfactual pairs.")
    judgments: str | None = Field(None, description="Judgments of the records, if not upstream.")
    candidates: str | None = Field(None, description="What was judged, if not upstream.")


class TrainConfig(StageConfig):
    """`[train]`: what all training methods share; `[train.trainer]` goes to TRL as is."""

    table: ClassVar[str] = "train"

    model: str = Field(EMBEDDED, description="`embedded`, a folder, or a hub id.")
    adapter: str | None = Field(None, description="Adapter to start from: folder, run or @stage.")
    lora_r: int = Field(16, ge=1, description="Rank of a new adapter.")
    lora_alpha: int = Field(32, ge=1, description="Scale of a new adapter, over its rank.")
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = Field(
        ("all-linear",), min_length=1, description="Layers a new adapter changes, in peft's words."
    )
    load_in_4bit: bool = Field(False, description="QLoRA: NF4 base with double quantisation.")
    beta: float | None = Field(None, gt=0, description="The method's default when unset.")
    learning_rate: float | None = Field(None, gt=0, description="The method's default when unset.")
    num_train_epochs: float | None = Field(
        None, gt=0, description="The method's default when unset."
    )
    max_steps: int | None = Field(None, ge=1, description="Stop after N steps, not after epochs.")
    per_device_train_batch_size: int = Field(4, ge=1, description="Rows a step.")
    gradient_accumulation_steps: int = Field(1, ge=1, description="Batches summed into a step.")
    max_length: int = Field(1024, ge=16, description="Tokens of prompt and completion; cut after.")
    save_steps: int = neutral(20, ge=1, description="Steps between checkpoints.")
    max_held_out: int = Field(200, ge=0, description="Most held-out rows to measure; 0: none.")
    trainer: dict[str, Any] = Field(  # TRL's config judges these
        default_factory=dict, description="Passed to TRL's config as is."
    )


class EvalConfig(ModelConfig):
    """`[eval]`: the funnel."""

    table: ClassVar[str] = "eval"

    funnel: bool = Field(False, description="All five stages and a verdict; else stages 0 to 2.")
    keep_going: bool = Field(False, description="Measure on after a stage proved harm.")
    load_in_4bit: bool = Field(False, description="NF4 base weights, as QLoRA trains on.")
    judge: str = Field("helpfulness", description="A folder in judges/.")
    judge_model: str | None = Field(
        None, description="Model that plays the judge; the base without adapter when unset."
    )
    judge_base_url: str | None = Field(None, description="OpenAI-compatible endpoint of the judge.")
    suites: tuple[str, ...] = Field(("basics",), description="Folders in benchmarks/suites.")
    max_tokens: int = Field(64, ge=1, description="Longest completion of base and tuned.")
    judge_pairs: int = Field(50, ge=0, description="Most prompts shown to the judge; 0: no judge.")
    canaries: int = Field(4, ge=0, le=4, description="Pairs to make canaries of: 6 calls each.")
    raters: int = Field(2, ge=0, description="Blind workbooks to write.")
    sheet_items: int = Field(20, ge=0, description="Items a workbook.")
    preferences: str | None = Field(None, description="Held-out pairs: file, run or @stage.")
    allow_leakage: bool = Field(
        False, description="Evaluate on what was trained on, with a watermark; else INVALID."
    )


class ImportSheetsConfig(StageConfig):
    """`[import-sheets]`: answers of raters."""

    table: ClassVar[str] = "import-sheets"

    files: tuple[str, ...] = Field((), description="Workbooks or folders; default: the run's.")


class AgreementConfig(StageConfig):
    """`[agreement]`: how alike annotators answer, and how each one answers."""

    table: ClassVar[str] = "agreement"

    sources: tuple[Literal["human", "judge", "rule"], ...] = Field(
        ("human", "judge", "rule"), min_length=1, description="Whose judgments are compared."
    )
    scale: Literal["ordinal", "interval"] = Field(
        "ordinal", description="Whether scores say which is more, or also by how much."
    )
    conflict: float = Field(
        0.4, gt=0, le=1, description="Least share of contradictions that makes a conflict."
    )
    least_excess: float = Field(
        0.1, ge=0, lt=1, description="Least distance from the expected share that is worth saying."
    )
    least_records: int = Field(10, ge=1, description="Fewest records of an annotator to test.")
    candidates: str | None = Field(None, description="What was judged, if not upstream.")
    attention_key: str | None = Field(None, description="Expected answers of attention checks.")


class AnnotateConfig(StageConfig):
    """`[annotate]`: what people review and rank in Argilla, and who."""

    table: ClassVar[str] = "annotate"

    server: str | None = Field(None, description="A team's server; unset: this workspace's own.")
    argilla_workspace: str = Field("default", min_length=1, description="Workspace in Argilla.")
    dataset: str | None = Field(
        None, min_length=1, max_length=190, description="Name in Argilla; the layout's when unset."
    )
    layout: str | None = Field(
        None, description="In annotation/layouts; unset: what suits the source."
    )
    annotators: tuple[str, ...] = Field((), description="User names; made when they are new.")
    overlap: int | None = Field(None, ge=1, description="Submitted answers a record; 1 when unset.")
    suggest: str | None = Field(None, description="Judgments to fill in beforehand: run or @stage.")
    order: Literal["random", "active", "confidence", "source"] = Field(
        "random",
        description="Suggested order; active: what the judge is unsure of first; confidence: "
        "examples that `generate` is least sure of first.",
    )
    judged: str | None = Field(None, description="Judgments for the active order, if not suggest.")
    attention_share: float = Field(
        0.0, ge=0, le=0.5, description="Checks with a known answer, as a share of the records."
    )
    examples: str | None = Field(None, description="What candidates answer, if not upstream.")
    longest_pause: float = Field(
        600.0, gt=0, description="Seconds between two answers beyond which nobody was working."
    )
    adjudicator: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$", description="Who settles conflicts."
    )
    show_votes: bool = Field(False, description="The adjudicator sees who said what.")
    passwords: str | None = neutral(None, description="File for the passwords of new users.")
    patience: float = neutral(90.0, gt=0, description="Seconds a server may be away.")

    @field_validator("server")
    @classmethod
    def _no_secret_in_server(cls, value: str | None) -> str | None:
        if value and (urlsplit(value).username or urlsplit(value).password):
            raise ValueError("holds a user or password; put the key in ARGILLA_API_KEY instead")
        return value

    @field_validator("annotators")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}", name):
                raise ValueError(f"`{name}` is no user name: letters, digits and . _ @ - only")
        if len(set(names)) < len(names):
            raise ValueError("a name stands there twice")
        return names


TABLES: dict[str, type[StageConfig]] = {
    config.table: config
    for config in (
        GenerateConfig,
        CleanConfig,
        SimilarConfig,
        LeakageConfig,
        CandidatesConfig,
        JudgeConfig,
        PairsConfig,
        AuditConfig,
        TrainConfig,
        EvalConfig,
        ImportSheetsConfig,
        AnnotateConfig,
        AgreementConfig,
    )
}

PRICES: Final = "prices"  # a table of no stage: MODEL = [prompt, completion], US dollars a million
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Prices = dict[str, tuple[Dollars, Dollars]]

Config = TypeVar("Config", bound=StageConfig)


def read_prices(file: Path | None) -> Prices:
    """US dollars per million prompt and completion tokens, by model, from `[prices]`.

    Raises:
        PrefkitError: An entry is not two numbers.
    """
    table = {} if file is None else read_file(file).get(PRICES, {})
    try:
        return TypeAdapter(Prices).validate_python(table)
    except ValidationError as error:
        name = next(iter(error.errors()[0]["loc"]), "")
        raise PrefkitError(
            f"{file}: [{PRICES}] `{name}`: not two prices of 0 or more.",
            hint=f'Write `"{name}" = [0.15, 0.60]`: dollars per million prompt and completion '
            "tokens.",
            exit_code=EXIT_USAGE,
        ) from error


def resolve(
    model: type[Config],
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,  # values as click parsed them
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The configuration of one stage from all places that may set it.

    Raises:
        PrefkitError: A key is unknown or a value does not fit; names the place it came from.
    """
    layers = [
        (str(file), _from_file(file, model)),
        ("the environment", _from_environ(model, os.environ if environ is None else environ)),
        ("--set", _from_sets(model, sets)),
        ("the command line", {k: v for k, v in (flags or {}).items() if v is not None}),
    ]
    values: dict[str, Any] = {}  # merged, later layers win
    origin: dict[str, str] = {}
    for place, layer in layers:
        for key, value in layer.items():
            old = values.get(key)
            values[key] = (
                old | value if isinstance(old, dict) and isinstance(value, dict) else value
            )
            origin[key] = place
    try:
        return model.model_validate(values)
    except ValidationError as error:
        key = str(next(iter(error.errors()[0]["loc"]), ""))
        raise PrefkitError(
            f"{origin.get(key, 'configuration')}: [{model.table}] {explain(error, model)}",
            hint="See every key with `prefkit init --show-config`.",
            exit_code=EXIT_USAGE,
        ) from error


def read_file(path: Path) -> dict[str, Any]:  # TOML values
    """Parse `prefkit.toml`, refusing unknown tables.

    Raises:
        PrefkitError: The file is not TOML, or has a table prefkit does not know.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PrefkitError(f"{path}: not valid TOML: {error}.") from error
    except OSError as error:
        raise PrefkitError(f"{path}: cannot be read: {error.strerror}.") from error
    for table, value in content.items():
        if table not in (*TABLES, PRICES) or not isinstance(value, dict):
            raise PrefkitError(
                f"{path}: `{table}` is not a table of prefkit.toml" + _suggest(table, TABLES) + ".",
                hint=f"The tables are: {', '.join(TABLES)}.",
                exit_code=EXIT_USAGE,
            )
    return content


def _from_file(path: Path | None, model: type[StageConfig]) -> dict[str, Any]:  # TOML values
    return {} if path is None else read_file(path).get(model.table, {})


def _from_environ(model: type[StageConfig], environ: Mapping[str, str]) -> dict[str, Any]:
    prefix = f"PREFKIT_{model.table.upper()}_"
    return {
        name: _parse(environ[prefix + name.upper()])
        for name in model.model_fields
        if prefix + name.upper() in environ
    }


def _from_sets(model: type[StageConfig], sets: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}  # nested for train.trainer.key
    for item in sets:
        path, equals, text = item.partition("=")
        table, *keys = path.strip().split(".")
        if not equals or not keys:
            raise PrefkitError(
                f"--set {item}: expected table.key=value.",
                hint=f"For example `--set {model.table}.seed=7`.",
                exit_code=EXIT_USAGE,
            )
        if table not in TABLES:
            raise PrefkitError(
                f"--set {item}: no table `{table}`" + _suggest(table, TABLES) + ".",
                hint=f"The tables are: {', '.join(TABLES)}.",
                exit_code=EXIT_USAGE,
            )
        if table != model.table:
            continue
        place = values
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = _parse(text)
    return values


def _parse(text: str) -> Any:  # a TOML value, else the text itself
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _suggest(name: str, known: Mapping[str, Any]) -> str:  # only the keys are read
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Lines `key: old -> new` for every key whose value differs."""
    lines = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differing_keys(before, after, f"{prefix}{key}.")
        elif before != after:
            lines.append(f"{prefix}{key}: {before!r} -> {after!r}")
    return lines
