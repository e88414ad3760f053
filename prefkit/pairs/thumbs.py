"""Thumbs up and down for KTO, one a completion."""

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.bars import SLACK, joined_sources
from prefkit.pairs.items import Items
from prefkit.pairs.sift import STAGE
from prefkit.pairs.strengths import DIGITS
from prefkit.records import Dropped, UnpairedPreference


def thumbs(
    items: Items,
    strength: NDArray[np.float64],
    touched: NDArray[np.int64],
    config: PairsConfig,
) -> tuple[list[UnpairedPreference], list[Dropped]]:
    """A thumb for every judged completion that lies far enough from the middle.

    Args:
        items: Of all prompts.
        strength: Of each item.
        touched: Which sources speak of each item, as bits; 0: nobody judged it.
        config: What the middle is, and how far from it a thumb lies.
    """
    judged = touched > 0
    middle = np.full(len(items), 0.5)
    if config.labels == "siblings":
        prompts = len(items.examples)
        total = np.bincount(items.prompt, strength * judged, minlength=prompts)
        count = np.bincount(items.prompt, judged, minlength=prompts)
        middle = (total / np.maximum(count, 1))[items.prompt]
    above = np.round(strength - middle, DIGITS)
    near = np.abs(above) < max(config.label_margin - SLACK, SLACK)
    made: dict[str, UnpairedPreference] = {}
    dropped: list[Dropped] = []
    sources = [joined_sources(bits) for bits in range(8)]
    for item in np.flatnonzero(judged).tolist():
        candidate = items.candidates[item]
        label = bool(above[item] > 0)
        if near[item]:
            dropped.append(_none(candidate.id, "no-label", f"{above[item]:+.3f} from the middle"))
        elif label and not items.choosable[item]:
            dropped.append(_none(candidate.id, "cut-off", "good, but empty or cut off"))
        else:
            example = items.examples[items.prompt[item]]
            thumb = UnpairedPreference(
                prompt=example.prompt,
                completion=candidate.completion,
                label=label,
                prompt_id=example.id,
                candidate_id=candidate.id,
                source=sources[touched[item]],
                split=example.split or "train",
            )
            if made.setdefault(thumb.id, thumb) is not thumb:
                detail = "the same prompt, completion and label came before"
                dropped.append(_none(candidate.id, "repeated-label", detail))
    return list(made.values()), dropped


def _none(candidate: str, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=candidate, stage=STAGE, rule=rule, detail=detail)
