"""What `results.json` and `items.jsonl` hold: every number with its n, interval and method."""

import json
import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import Estimate
from prefkit.records import Completion, Prompt
from prefkit.storage import validated

SCHEMA = "prefkit.eval/1"
FILE = "results.json"
ITEMS = "items.jsonl"
SUITES = "suites.jsonl"

Arm = Literal["base", "tuned", "delta", "both"]
StageName = Literal["sanity", "offline", "suites", "judge", "human"]
State = Literal["pass", "stop", "open", "unreliable", "skip", "invalid"]
VerdictName = Literal["SHIP", "DON'T SHIP", "NEED MORE DATA", "INVALID", "MEASURED"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(_Strict):
    """One measured figure."""

    stage: StageName
    key: str = Field(description="Stable name, such as nll or suite.basics.")
    label: str = Field(description="What a person calls it.")
    arm: Arm = Field(description="base, tuned, delta (tuned - base), or both (about the pair).")
    value: float | None = Field(description="None: could not be computed, see method.")
    n: int
    unit: str = Field(description="What n counts: items, pairs, tokens, …")
    low: float | None = None
    high: float | None = None
    method: str = ""
    better: Literal["higher", "lower", ""] = Field("", description="Which way is good, if any.")
    percent: bool = Field(False, description="A share or a difference of shares.")
    p_value: float | None = None
    p_holm: float | None = None

    @property
    def estimate(self) -> Estimate:
        """The number as statistics know it."""
        value = math.nan if self.value is None else self.value
        return Estimate(value, self.n, self.low, self.high, self.method)


def number(
    stage: StageName,
    key: str,
    label: str,
    arm: Arm,
    estimate: Estimate,
    unit: str = "items",
    *,
    better: Literal["higher", "lower", ""] = "",
    percent: bool = False,
    p_value: float | None = None,
) -> Number:
    """A Number from an estimate; rounded to 10 significant digits, nan becomes None."""
    return Number(
        stage=stage,
        key=key,
        label=label,
        arm=arm,
        value=_rounded(estimate.value),
        n=estimate.n,
        unit=unit,
        low=_rounded(estimate.low),
        high=_rounded(estimate.high),
        method=estimate.method,
        better=better,
        percent=percent,
        p_value=_rounded(p_value),
    )


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.10g}")


class Stage(_Strict):
    """How one stage of the funnel ended."""

    name: StageName
    state: State
    note: str = Field(description="One sentence a person reads.")


class Decision(_Strict):
    """The verdict of the whole funnel."""

    verdict: VerdictName
    exit_code: int
    reason: str = Field(description="One sentence.")
    prompts_needed: int | None = Field(None, description="More prompts to rate, if that helps.")
    next_step: str = Field("", description="What to type or do next.")


class Check(_Strict):
    """One condition of stage 0."""

    name: str
    passed: bool
    detail: str


class AnswerSheet(_Strict):
    """What one model did on one item."""

    completion: Completion
    finish_reason: str
    tokens: int
    nll: float = Field(description="Of the reference, summed over its tokens, in nats.")
    rouge_l: float
    repeated: bool = False


class Item(_Strict):
    """One held-out example with everything measured on it."""

    id: str = Field(description="The Example's id.")
    prompt: Prompt
    reference: str
    reference_tokens: int
    base: AnswerSheet
    tuned: AnswerSheet
    judge: float | None = Field(None, description="1 tuned wins, 0 base wins, 0.5 tie or flip.")
    judge_note: str = Field("", description="win, loss, tie, flip, identical, unscored, or empty.")

    @property
    def nll_change(self) -> float:
        """Tuned minus base, nats per token of the reference."""
        return (self.tuned.nll - self.base.nll) / self.reference_tokens


class SuiteAnswer(_Strict):
    """What both models said to one item of a suite."""

    suite: str
    id: str
    question: str
    expected: str
    base: str
    tuned: str
    base_right: bool
    tuned_right: bool


class SuiteResult(_Strict):
    """Which items of a suite each model got right."""

    name: str
    sha256: str
    margin: float
    measures: str
    items: tuple[str, ...]
    base: tuple[bool, ...]
    tuned: tuple[bool, ...]
    changed: tuple[SuiteAnswer, ...] = Field((), description="Lost first, then gained.")


class Results(_Strict):
    """Everything the report shows."""

    schema_version: str = SCHEMA
    decision: Decision
    leakage: Literal["clean", "contaminated", "unknown"] = Field(
        "unknown", description="Whether held-out data stands in the training data."
    )
    watermark: str = Field("", description="What must be read with every figure; mostly empty.")
    rule: tuple[str, ...] = Field(description="The decision rule, fixed before any number.")
    stages: tuple[Stage, ...]
    checks: tuple[Check, ...] = ()
    numbers: tuple[Number, ...] = ()
    suites: tuple[SuiteResult, ...] = ()
    reward_margins: tuple[float, ...] = Field((), description="Of each held-out pair, in nats.")
    warnings: tuple[str, ...] = ()
    facts: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Models, decoding, judge, data: what a reader must know."
    )

    def find(self, key: str, arm: Arm) -> Number | None:
        """The number of that name and arm, if it was measured."""
        return next((n for n in self.numbers if n.key == key and n.arm == arm), None)


def read_results(folder: Path) -> Results:
    """The results of an evaluation run.

    Raises:
        PrefkitError: The folder holds none, or of another version.
    """
    path = folder / FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefkitError(
            f"{path}: not readable evaluation results ({error}).",
            hint="Name a finished `prefkit eval` run, or `@eval`.",
        ) from error
    found = value.get("schema_version") if isinstance(value, dict) else None
    if found != SCHEMA:
        raise PrefkitError(
            f"{path}: schema {found!r}, this prefkit reads {SCHEMA}.",
            hint="Evaluate again with this version.",
        )
    return validated(value, Results, str(path))
