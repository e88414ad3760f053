"""Whether a run repeats itself the longer it goes on."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from prefkit.evaluation.statistics import Estimate, wilson

NEAR: Final = 0.7  # Jaccard at which two questions are one, as `clean` has it
RULES: Final = ("duplicate", "near-duplicate")  # beginnings of the rules that drop repetitions
_PARTS: Final = 3


def repeats(drafts: Iterable[str | None]) -> list[bool]:
    """For each draft of a run, in order, whether it repeats one before it.

    Args:
        drafts: Questions that stayed; None for one that was dropped as a repetition.
    """
    from prefkit.cleaning.near_duplicates import near_pairs

    drafts = list(drafts)
    places = [place for place, draft in enumerate(drafts) if draft is not None]
    pairs = near_pairs([draft for draft in drafts if draft is not None], NEAR)
    again = {places[right] for _, right, _ in pairs}
    return [draft is None or place in again for place, draft in enumerate(drafts)]


def thirds(repeated: Sequence[bool]) -> list[Estimate]:
    """Share of repetitions in the first, second and last third of a run."""
    cuts = [len(repeated) * part // _PARTS for part in range(_PARTS + 1)]
    return [
        wilson(sum(repeated[start:end]), end - start) for start, end in itertools.pairwise(cuts)
    ]
