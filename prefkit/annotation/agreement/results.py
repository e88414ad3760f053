"""What `agreement.json` holds: every figure with its n, its interval and its method."""

import math

from pydantic import BaseModel, ConfigDict, Field

from prefkit.evaluation.statistics import Estimate

SCHEMA = "prefkit.agreement/1"
FILE = "agreement.json"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Strict):
    """One measured number."""

    key: str = Field(description="Stable name, such as alpha or first_shown.")
    label: str = Field(description="What a person calls it.")
    value: float | None = Field(description="None: could not be computed, see method.")
    n: int
    unit: str = Field("records", description="What n counts.")
    low: float | None = None
    high: float | None = None
    method: str = ""
    expected: float | None = Field(None, description="What chance, or the others, would give.")
    percent: bool = Field(False, description="A share.")


class QuestionReport(_Strict):
    """How alike the answers to one question are."""

    name: str = Field(description="ranks, decision, ratings, `aspect: …`, `reason: …`.")
    level: str = Field(description="nominal, ordinal or interval.")
    meaning: str = Field(description="What the alpha means, in words.")
    figures: tuple[Figure, ...]


class AnnotatorReport(_Strict):
    """One annotator; figures that do not apply are absent."""

    name: str
    submitted: int
    discarded: int
    draft: int
    other: int = Field(description="Skipped, or a judge's reply that could not be read.")
    seconds: float | None = Field(description="Median time of a submitted answer.")
    usual_answer: str = Field("", description="The answer given most often.")
    figures: tuple[Figure, ...]


class Flag(_Strict):
    """Something to look at; never a verdict on a person."""

    annotator: str
    kind: str = Field(description="Key of the figure it is about.")
    text: str
    p_value: float
    p_holm: float = Field(description="Adjusted for every test of this report (Holm 1979).")


class Agreement(_Strict):
    """The whole report."""

    layout: str = SCHEMA
    judgments: int = Field(description="Votes compared: one an annotator and prompt.")
    prompts: int
    shared_prompts: int = Field(description="Prompts with two or more annotators.")
    adjudicated: int = Field(description="Adjudications, which are nobody's vote.")
    main: str = Field(description="The question that annotators are compared on.")
    tests: int = Field(description="How many tests the flags are adjusted for.")
    questions: tuple[QuestionReport, ...]
    annotators: tuple[AnnotatorReport, ...]
    matrix: tuple[tuple[float | None, ...], ...] = Field(
        description="Percent agreement of each two annotators, in the order of `annotators`."
    )
    matrix_n: tuple[tuple[int, ...], ...] = Field(description="Answers both gave.")
    flags: tuple[Flag, ...]
    conflicts: int
    threshold: float = Field(description="Least amount that is a conflict.")
    notes: tuple[str, ...] = ()


def figure(
    key: str,
    label: str,
    estimate: Estimate,
    *,
    unit: str = "records",
    expected: float | None = None,
    percent: bool = False,
) -> Figure:
    """A Figure of an estimate; rounded to 10 significant digits, nan becomes None."""
    return Figure(
        key=key,
        label=label,
        value=rounded(estimate.value),
        n=estimate.n,
        unit=unit,
        low=rounded(estimate.low),
        high=rounded(estimate.high),
        method=estimate.method.replace("items", unit),
        expected=rounded(expected),
        percent=percent,
    )


def rounded(value: float | None) -> float | None:
    """10 significant digits; None for what is not a number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.10g}")
