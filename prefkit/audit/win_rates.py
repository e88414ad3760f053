"""How often what each model wrote is chosen over what another one wrote."""

import dataclasses

import numpy as np

from prefkit.audit.audited import Audited
from prefkit.audit.origins import Origin, models
from prefkit.cleaning.normalise import words as words_of
from prefkit.evaluation.statistics import Estimate, wilson


@dataclasses.dataclass(frozen=True)
class Writer:
    """One model among those that wrote completions of pairs.

    Attributes:
        name: Of the model.
        wrote: Completions.
        chosen: How often one of these is chosen.
        win: How often it is chosen over another model's.
        words: Mean words.
    """

    name: str
    wrote: int
    chosen: Estimate
    win: Estimate
    words: float


def model_rates(audited: Audited) -> list[Writer]:
    """Win rates of the models that wrote both sides of pairs; empty when fewer than two did."""
    sides = list(models(audited))
    flat = Origin.named("model", [name for pair in sides for name in pair])
    if len(flat.values) < 2:
        return []
    of = flat.of.reshape(-1, 2)
    words = np.array([len(words_of(c.text)) for row in audited.records for c in row.completions])
    count = len(flat.values)
    known = flat.of >= 0
    wrote = np.bincount(flat.of[known], minlength=count)
    mean = np.bincount(flat.of[known], words[known], minlength=count) / wrote
    chosen = np.bincount(of[:, 0][of[:, 0] >= 0], minlength=count)
    met = (of >= 0).all(axis=1) & (of[:, 0] != of[:, 1])
    won, lost = (np.bincount(of[met, side], minlength=count) for side in (0, 1))
    return [
        Writer(
            name,
            int(wrote[at]),
            wilson(int(chosen[at]), int(wrote[at])),
            wilson(int(won[at]), int(won[at] + lost[at])),
            float(mean[at]),
        )
        for at, name in enumerate(flat.values)
    ]
