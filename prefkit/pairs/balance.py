"""What a set of pairs or thumbs would teach besides what was meant: length, and too much of one."""

import bisect
import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.records import Dropped, PreferencePair, UnpairedPreference, text_of

BANDS = tuple(math.log(ratio) for ratio in (1.1, 1.25, 1.5, 2, 3))  # of longer over shorter


@dataclasses.dataclass(frozen=True)
class LengthBias:
    """How often the chosen side is the longer one, in characters.

    Attributes:
        longer: Pairs whose chosen side is longer.
        shorter: Pairs whose rejected side is longer.
        equal: Pairs with equally long sides.
        ratio: Median of chosen length over rejected length; nan without pairs.
    """

    longer: int
    shorter: int
    equal: int
    ratio: float

    @property
    def share(self) -> Estimate:
        """Share of pairs whose chosen side is longer, equal ones counted half."""
        return wilson(self.longer + self.equal / 2, self.longer + self.shorter + self.equal)


def length_bias(pairs: Iterable[PreferencePair]) -> LengthBias:
    """Measure whether length alone tells chosen from rejected."""
    lengths = [(len(text_of(pair.chosen)), len(text_of(pair.rejected))) for pair in pairs]
    return LengthBias(
        longer=sum(chosen > rejected for chosen, rejected in lengths),
        shorter=sum(chosen < rejected for chosen, rejected in lengths),
        equal=sum(chosen == rejected for chosen, rejected in lengths),
        ratio=statistics.median(chosen / max(rejected, 1) for chosen, rejected in lengths)
        if lengths
        else float("nan"),
    )


@dataclasses.dataclass(frozen=True)
class Thumbs:
    """How many thumbs point each way, and the KTO weights that even them out.

    Attributes:
        desirable: Thumbs up.
        undesirable: Thumbs down.
    """

    desirable: int
    undesirable: int

    @property
    def weights(self) -> tuple[float, float] | None:
        """KTO's `desirable_weight, undesirable_weight`; None when one kind is missing.

        Weighted, desirable to undesirable should lie within 1:1 to 4:3 (Ethayarajh et al. 2024,
        arXiv 2402.01306, eq. 8; TRL's `KTOTrainer` warns otherwise). Where they do not, the
        weight of the rarer kind is raised until they stand at 1:1, rounded into that range.
        """
        up, down = self.desirable, self.undesirable
        if not up or not down:
            return None
        if down <= up and 3 * up <= 4 * down:
            return 1.0, 1.0
        if up < down:
            return -(-100 * down // up) / 100, 1.0
        return 1.0, (100 * up // down) / 100


def count_thumbs(unpaired: Iterable[UnpairedPreference]) -> Thumbs:
    """Count thumbs up and down."""
    labels = [row.label for row in unpaired]
    return Thumbs(sum(labels), len(labels) - sum(labels))


def balanced(
    pairs: Sequence[PreferencePair], most: float | None, stage: str
) -> tuple[Sequence[PreferencePair], list[Dropped]]:
    """Drop pairs of the commoner direction until neither side is the longer too often.

    Within bands of about the same ratio of lengths, so that long and short differences are evened
    out alike, the pairs least far apart go first.

    Args:
        pairs: All.
        most: Greatest share of pairs, of those with unequal sides, whose chosen side is longer,
            and whose rejected side is; None changes nothing.
        stage: Which stage drops them, for the record.
    """
    if most is None:
        return pairs, []
    bands: dict[int, tuple[list[PreferencePair], list[PreferencePair]]] = {}
    for pair in pairs:
        chosen, rejected = len(text_of(pair.chosen)), len(text_of(pair.rejected))
        if chosen != rejected:
            ratio = abs(math.log(max(chosen, 1) / max(rejected, 1)))
            band = bands.setdefault(bisect.bisect(BANDS, ratio), ([], []))
            band[chosen < rejected].append(pair)
    dropped = []
    for longer, shorter in bands.values():
        more, fewer = (longer, shorter) if len(longer) >= len(shorter) else (shorter, longer)
        room = math.floor(len(fewer) * most / (1 - most) + 1e-9)
        more.sort(key=lambda pair: (-(pair.margin or 0), pair.id))
        dropped += [
            Dropped(
                record_id=pair.id,
                stage=stage,
                rule="length-balance",
                detail=f"{len(more)} such pairs against {len(fewer)} of the other direction",
            )
            for pair in more[room:]
        ]
    gone = {entry.record_id for entry in dropped}
    return [pair for pair in pairs if pair.id not in gone], dropped
