"""What a set of pairs or thumbs would teach besides what was meant: length, and too much of one."""

import dataclasses
import statistics
from collections.abc import Iterable

from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.records import PreferencePair, UnpairedPreference, text_of


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
