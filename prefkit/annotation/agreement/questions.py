"""The figures of each question."""

from collections.abc import Sequence

from prefkit.annotation.agreement.alpha import krippendorff, meaning, percent, percent_by_chance
from prefkit.annotation.agreement.rankings import kendall_w, tau_b
from prefkit.annotation.agreement.results import Figure, QuestionReport, figure
from prefkit.annotation.agreement.tables import (
    Level,
    Table,
    comparisons,
    decisions,
    places,
    rated,
    reason_given,
)
from prefkit.records import Judgment


def question_tables(judgments: Sequence[Judgment], scale: Level) -> dict[str, Table]:
    """A table a question that anyone answered; of rankings, the comparisons they make."""
    aspects = sorted({name for j in judgments for name in j.aspects or ()})
    reasons = sorted({reason for j in judgments for reason in j.reasons})
    tables = {
        "ranks": comparisons(judgments),
        "decision": decisions(judgments),
        "ratings": rated(judgments, None, scale),
        **{f"aspect: {name}": rated(judgments, name, scale) for name in aspects},
        **{f"reason: {reason}": reason_given(judgments, reason) for reason in reasons},
    }
    return {name: table for name, table in tables.items() if len(table.unit)}


def report_questions(
    judgments: Sequence[Judgment], tables: dict[str, Table], seed: int
) -> list[QuestionReport]:
    """Alpha, percent agreement and, for rankings, Kendall's measures of every question."""
    found = []
    for name, table in tables.items():
        if name == "ranks":
            found.append(_ranks(table, places(judgments), seed))
        else:
            found.append(_other(name, table, seed))
    return found


def _ranks(compared: Table, placed: Table, seed: int) -> QuestionReport:
    pairs = compared.mirrored()
    alpha = krippendorff(pairs, seed)
    w, w_by_chance = kendall_w(placed, seed)
    figures = (
        figure("alpha", "Krippendorff's alpha of comparisons", alpha),
        figure("alpha_places", "Krippendorff's alpha of places", krippendorff(placed, seed)),
        figure("kendall_w", "Kendall's W", w, expected=w_by_chance),
        figure("tau_b", "Kendall's tau-b, mean of pairs", tau_b(compared, seed), expected=0.0),
        _percent(pairs, seed),
    )
    return QuestionReport(name="ranks", level="ordinal", meaning=meaning(alpha), figures=figures)


def _other(name: str, table: Table, seed: int) -> QuestionReport:
    alpha = krippendorff(table, seed)
    figures = (figure("alpha", "Krippendorff's alpha", alpha), _percent(table, seed))
    return QuestionReport(name=name, level=table.level, meaning=meaning(alpha), figures=figures)


def _percent(table: Table, seed: int) -> Figure:
    return figure(
        "percent",
        "Percent agreement of pairs",
        percent(table, seed),
        expected=percent_by_chance(table),
        percent=True,
    )
