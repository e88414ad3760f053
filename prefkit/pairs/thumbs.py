"""Thumbs up and down for KTO, one a completion."""

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.bars import SLACK, joined_sources
from prefkit.pairs.ids import Texts, dropped, thumb_id
from prefkit.pairs.items import Items
from prefkit.pairs.sift import STAGE
from prefkit.pairs.strengths import DIGITS
from prefkit.records import Dropped, UnpairedPreference


def thumbs(
    items: Items,
    texts: Texts,
    strength: NDArray[np.float64],
    touched: NDArray[np.int64],
    config: PairsConfig,
) -> tuple[list[UnpairedPreference], list[Dropped]]:
    """A thumb for every judged completion that lies far enough from the middle.

    Args:
        items: Of all prompts.
        texts: Their texts.
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
    left_out: list[Dropped] = []
    sources = [joined_sources(bits) for bits in range(8)]
    homes, bits, gaps = items.prompt.tolist(), touched.tolist(), above.tolist()
    for item in np.flatnonzero(judged).tolist():
        candidate, label = items.candidates[item], gaps[item] > 0
        if near[item]:
            detail = f"{gaps[item]:+.3f} from the middle"
            left_out.append(dropped(candidate.id, STAGE, "no-label", detail))
            continue
        if label and not items.choosable[item]:
            detail = "good, but empty or cut off"
            left_out.append(dropped(candidate.id, STAGE, "cut-off", detail))
            continue
        name = thumb_id(texts.prompt(homes[item]), texts.completion(item), label)
        if name in made:
            detail = "the same prompt, completion and label came before"
            left_out.append(dropped(candidate.id, STAGE, "repeated-label", detail))
            continue
        example = items.examples[homes[item]]
        made[name] = UnpairedPreference(
            id=name,
            metadata={},
            prompt=example.prompt,
            completion=candidate.completion,
            label=label,
            prompt_id=example.id,
            candidate_id=candidate.id,
            source=sources[bits[item]],
            split=example.split or "train",
        )
    return list(made.values()), left_out
