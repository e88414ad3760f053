"""Comparisons that people made in Argilla, as the ratings a blind workbook would have given."""

from collections.abc import Iterable, Mapping
from typing import Literal

from prefkit.evaluation.human_import import Rating
from prefkit.records import Judgment

Arm = Literal["base", "tuned"]


def pulled_ratings(judgments: Iterable[Judgment], arms: Mapping[str, Arm]) -> list[Rating]:
    """One rating for each submitted comparison of the two models.

    Args:
        judgments: Of a pull; drafts, discarded ones and other candidates are left out.
        arms: Which model wrote each candidate, by id.
    """
    ratings = []
    for judgment in judgments:
        ranks = {arms[name]: rank for name, rank in (judgment.ranks or {}).items() if name in arms}
        if judgment.status != "submitted" or judgment.source != "human" or len(ranks) < 2:
            continue
        better = (ranks["tuned"] < ranks["base"]) - (ranks["tuned"] > ranks["base"])
        aspects = judgment.aspects or {}
        ratings.append(
            Rating(
                rater=judgment.annotator,
                item=judgment.prompt_id,
                tuned=0.5 + 0.5 * better,
                said=judgment.metadata.get("said", ""),
                first=arms[judgment.shown_order[0]] if judgment.shown_order else "",
                task=_by_arm(aspects.get("task"), arms),
                style=_by_arm(aspects.get("style"), arms),
                comment=judgment.comment,
            )
        )
    return ratings


def _by_arm(scores: Mapping[str, float] | None, arms: Mapping[str, Arm]) -> dict[str, float]:
    return {arms[name]: score for name, score in (scores or {}).items() if name in arms}
