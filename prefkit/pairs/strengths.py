"""How strong each completion of a prompt is against its siblings, on 0..1."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PRIOR = 0.5  # wins and losses lent to every completion, against an average sibling
DIGITS = 6  # strengths are rounded, so that equal evidence gives equal strength
TOLERANCE = 1e-10
ROUNDS = 500
BLOCK = 20_000  # prompts in one array


def bradley_terry(wins: Floats) -> Floats:
    """Chance of each item to win against an average sibling, all prompts at once.

    Maximum-likelihood Bradley-Terry (1952) by Newton's method, with half a win and half a loss of
    every item against a virtual item of strength 1. That symmetric prior makes the likelihood
    strictly concave: a total order, an unconnected item and a lone vote stay finite; without
    evidence the chance is 0.5.

    Args:
        wins: `wins[p, i, j]` is how often i beat j in prompt p; a tie is half a win for each.
            Shape (prompts, items, items).

    Returns:
        Shape (prompts, items).
    """
    parts = [_bradley_terry(wins[at : at + BLOCK]) for at in range(0, len(wins), BLOCK)]
    return np.concatenate(parts) if parts else np.empty(wins.shape[:2])


def _bradley_terry(wins: Floats) -> Floats:
    met = wins + wins.transpose(0, 2, 1)
    log_strength = np.zeros(wins.shape[:2])
    moving = np.flatnonzero(met.any(axis=(1, 2)))  # prompts that have not settled
    for _ in range(ROUNDS):
        if not len(moving):
            break
        step = _newton_step(wins[moving], met[moving], log_strength[moving])
        far = np.abs(step).max(axis=1, keepdims=True)
        # Within a step of 1 a logistic curve is about a parabola; beyond, a full step overshoots.
        log_strength[moving] += step / np.maximum(far, 1)
        moving = moving[far[:, 0] > TOLERANCE]
    return 1 / (1 + np.exp(-log_strength))


def _newton_step(wins: Floats, met: Floats, log_strength: Floats) -> Floats:
    chance = 1 / (1 + np.exp(log_strength[:, None, :] - log_strength[:, :, None]))
    virtual = 1 / (1 + np.exp(-log_strength))
    slope = (wins - met * chance).sum(axis=2) + PRIOR - 2 * PRIOR * virtual
    bend = met * chance * (1 - chance)
    curve = -bend
    own = np.arange(wins.shape[1])
    curve[:, own, own] += bend.sum(axis=2) + 2 * PRIOR * virtual * (1 - virtual)
    return np.linalg.solve(curve, slope[:, :, None])[:, :, 0]


def combined(
    wins: Floats, ratings: Floats, chances: Floats | None = None, heard: Floats | None = None
) -> Floats:
    """One strength an item from comparisons and ratings.

    Where a prompt has both, the mean of an item's Bradley-Terry chance and its mean rating, each
    by the weight of the judgments behind it, an item. One that others of its prompt are rated
    beside, but that is not rated itself, counts as rated like their average: no evidence moves it
    neither up nor down.

    Args:
        wins: As for `bradley_terry`.
        ratings: Mean rating on 0..1, nan where there is none; shape (prompts, items).
        chances: Of another model than Bradley-Terry; same shape as `ratings`.
        heard: Weight of the ratings of each item; one rating each when unset; same shape.

    Returns:
        Shape (prompts, items), rounded to 6 digits; 0.5 where a prompt has no evidence.
    """
    rated = ~np.isnan(ratings)
    count = rated.sum(axis=1, keepdims=True)
    average = np.where(rated, ratings, 0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    filled = np.where(rated, ratings, average)
    chances = bradley_terry(wins) if chances is None else chances
    met = wins + wins.transpose(0, 2, 1)
    compared = (met.sum(axis=2) > 0).sum(axis=1, keepdims=True)
    by_votes = met.sum(axis=(1, 2)).reshape(-1, 1) / np.maximum(compared, 1)
    heard = rated.astype(float) if heard is None else np.where(rated, heard, 0)
    by_ratings = heard.sum(axis=1, keepdims=True) / np.maximum(count, 1)
    both = by_votes + by_ratings
    mixed = (by_votes * chances + by_ratings * filled) / np.where(both > 0, both, 1)
    return np.round(np.where(both > 0, mixed, 0.5), DIGITS)
