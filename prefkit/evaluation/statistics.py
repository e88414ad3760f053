"""Intervals, paired tests and sample sizes; every figure carries its n and its method."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np

LEVEL = 0.95
DRAWS = 9_999
POWER = 0.80
SUM_DRAWS = 1_999  # of statistics of many sums, where there are many such statistics
MOST_ROWS = 2_000  # resampled one by one; more are put into this many random groups
_BATCH_CELLS = 4_000_000  # resampled numbers held at once, about 32 MB


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with what is needed to believe it.

    Attributes:
        value: The point estimate.
        n: How many units it rests on.
        low: Lower end of the interval; None when the data allow none.
        high: Upper end.
        method: How the interval was made.
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None
    method: str = ""

    def above(self, bound: float) -> bool:
        """Whether the whole interval lies above `bound`; without an interval, never."""
        return self.low is not None and self.low > bound

    def below(self, bound: float) -> bool:
        """Whether the whole interval lies below `bound`; without an interval, never."""
        return self.high is not None and self.high < bound


def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def wilson(successes: float, n: int, level: float = LEVEL) -> Estimate:
    """A share with Wilson's score interval (Wilson 1927); half successes count ties.

    Args:
        successes: Successes, ties as one half.
        n: Trials; 0 gives an estimate without value (nan) and without interval.
        level: Coverage.
    """
    method = f"Wilson {level:.0%}"
    if n == 0:
        return Estimate(math.nan, 0, method=method)
    z = normal_quantile((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes <= 0 else max(0.0, centre - half)
    high = 1.0 if successes >= n else min(1.0, centre + half)
    return Estimate(share, n, low, high, method)


def bootstrap(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    *,
    seed: int = 0,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Estimate:
    """A mean, or a ratio of sums, with a BCa bootstrap interval over items (Efron 1987).

    For a paired difference, pass one difference an item; for per-token numbers, pass the sum of
    each item and its tokens as `weights`; for several ratings an item, the sum and the count:
    items are resampled, never tokens or ratings. When all items say the same, resampling cannot
    measure spread and the estimate has no interval.

    Args:
        values: One number an item.
        weights: Denominator of each item; 1 when left out.
        seed: Of the resampling.
        level: Coverage.
        draws: Resamples.
    """
    top = np.asarray(values, dtype=np.float64)
    bottom = np.ones_like(top) if weights is None else np.asarray(weights, dtype=np.float64)
    n = len(top)
    if n == 0:
        return Estimate(math.nan, 0, method="bootstrap over items")
    value = float(top.sum() / bottom.sum())
    if n < 2 or np.ptp(top - value * bottom) < 1e-12 * max(1.0, float(np.abs(top).max())):
        return Estimate(value, n, method="no interval: the items do not differ")
    low, high, kind = _interval(_ratio, (top, bottom), seed, level, draws)
    return Estimate(value, n, low, high, f"{kind} bootstrap over items, {draws} draws, {level:.0%}")


def perplexity_change(
    base: Sequence[float], tuned: Sequence[float], tokens: Sequence[float], *, seed: int = 0
) -> Estimate:
    """Tuned minus base perplexity of the same items, with a BCa bootstrap interval over items.

    Args:
        base: Negative log-likelihood of each item in nats, summed over its tokens.
        tuned: The same under the other model.
        tokens: Tokens of each item.
        seed: Of the resampling.
    """
    after, before, counts = (np.asarray(part, np.float64) for part in (tuned, base, tokens))
    n = len(counts)
    if n == 0:
        return Estimate(math.nan, 0, method="bootstrap over items")
    value = float(_perplexities_apart(after, before, counts))
    if n < 2 or np.ptp(after - before) == 0:
        return Estimate(value, n, method="no interval: the items do not differ")
    low, high, kind = _interval(_perplexities_apart, (after, before, counts), seed, LEVEL, DRAWS)
    return Estimate(value, n, low, high, f"{kind} bootstrap over items, {DRAWS} draws, {LEVEL:.0%}")


def bootstrap_sums(
    statistic: Callable[..., np.ndarray], columns: np.ndarray, *, seed: int = 0
) -> Estimate:
    """A function of column sums, with a BCa bootstrap interval over the rows.

    Any number of items costs the same: beyond `MOST_ROWS` they are put into that many groups at
    random, and the groups, which are independent too, are resampled.

    Args:
        statistic: Takes one array of sums a column, gives an array of the same shape.
        columns: Shape (columns, items).
        seed: Of the groups and the resampling.
    """
    n = columns.shape[1]
    with np.errstate(all="ignore"):
        value = float(statistic(*columns.sum(axis=1)))
    if n > MOST_ROWS:
        group = np.random.default_rng(seed).permutation(n) % MOST_ROWS
        columns = np.stack([np.bincount(group, column) for column in columns])

    def of_rows(*rows: np.ndarray, axis: int = -1) -> np.ndarray:
        return statistic(*(row.sum(axis=axis) for row in rows))

    none = Estimate(value, n, method="no interval: too few items, or they do not differ")
    if n < 2 or not math.isfinite(value):
        return none
    low, high, kind = _interval(of_rows, tuple(columns), seed, LEVEL, SUM_DRAWS)
    if not high - low > 1e-12:  # not a number either, when resamples have no value
        return none
    method = f"{kind} bootstrap over items, {SUM_DRAWS} draws, {LEVEL:.0%}"
    return Estimate(value, n, low, high, method)


def poisson_binomial_tail(hits: int, chances: Sequence[float]) -> float:
    """Chance of at least `hits` successes in independent trials with these chances, exactly.

    The distribution is the convolution of one binomial a distinct chance (Hong 2013).
    """
    from scipy import stats

    if hits <= 0:
        return 1.0
    distinct, counts = np.unique(np.round(chances, 12), return_counts=True)
    masses = np.ones(1)
    for chance, count in zip(distinct, counts, strict=True):
        binomial = stats.binom.pmf(np.arange(count + 1), count, chance)
        masses = np.convolve(masses, binomial)
    return float(np.clip(masses[hits:].sum(), 0.0, 1.0))


def _ratio(top: np.ndarray, bottom: np.ndarray, axis: int = -1) -> np.ndarray:
    return top.sum(axis=axis) / bottom.sum(axis=axis)


def _perplexities_apart(
    tuned: np.ndarray, base: np.ndarray, tokens: np.ndarray, axis: int = -1
) -> np.ndarray:
    count = tokens.sum(axis=axis)
    return np.exp(tuned.sum(axis=axis) / count) - np.exp(base.sum(axis=axis) / count)


def _interval(
    statistic: Callable[..., np.ndarray],
    arrays: tuple[np.ndarray, ...],
    seed: int,
    level: float,
    draws: int,
) -> tuple[float, float, str]:
    """BCa, or plain percentiles where the acceleration is not defined."""
    from scipy import stats

    kind, interval = "percentile", None
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # scipy warns of what is looked at below
            interval = stats.bootstrap(
                arrays,
                statistic,
                paired=True,
                vectorized=True,
                n_resamples=draws,
                batch=max(1, _BATCH_CELLS // len(arrays[0])),
                confidence_level=level,
                method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        kind = method
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            break
    assert interval is not None
    return float(interval.low), float(interval.high), kind


def paired_shares(before: Sequence[bool], after: Sequence[bool], level: float = LEVEL) -> Estimate:
    """Change of a share on the same items, with the interval of Bonett and Price (2012).

    Their Laplace-adjusted Wald interval keeps a width when no item changed, where a bootstrap
    would collapse to a point and call it proof.
    """
    lost, gained = discordant(before, after)
    return paired_counts(lost, gained, len(before), level)


def paired_counts(lost: int, gained: int, n: int, level: float = LEVEL) -> Estimate:
    """`paired_shares` of counts: items that were lost, that were gained, and all of them."""
    method = f"Bonett-Price {level:.0%}, paired"
    if n == 0:
        return Estimate(math.nan, 0, method=method)
    z = normal_quantile((1 + level) / 2)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    centre = up - down
    value = (gained - lost) / n
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Estimate(value, n, min(low, value), max(high, value), method)


def discordant(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int]:
    """How many items were lost (right, then wrong) and gained (wrong, then right)."""
    pairs = list(zip(before, after, strict=True))
    return sum(b and not a for b, a in pairs), sum(a and not b for b, a in pairs)


def mcnemar_exact(lost: int, gained: int) -> float:
    """Two-sided exact McNemar p-value: a binomial test on the items that changed."""
    from scipy import stats

    if lost + gained == 0:
        return 1.0
    return float(stats.binomtest(gained, lost + gained, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def prompts_for_win_rate(rate: float, ties: float = 0.0, level: float = LEVEL) -> int:
    """Prompts that tell a win rate from one half with 80 % power (normal approximation).

    n = (z_a + z_b)^2 ((1 - t)/4 - d^2) / d^2, with d = rate - 1/2 and t the share of ties.

    Raises:
        ValueError: The rate is exactly one half, which no sample can tell from one half.
    """
    distance = abs(rate - 0.5)
    if distance == 0:
        raise ValueError("a win rate of one half needs no sample: there is nothing to find")
    z = normal_quantile((1 + level) / 2) + normal_quantile(POWER)
    variance = max((1 - ties) / 4 - distance**2, 0.0)
    return max(2, math.ceil(z * z * variance / distance**2))


def items_for_change(change: float, discordance: float, level: float = LEVEL) -> int:
    """Items on which McNemar's test finds a change of a share with 80 % power.

    n = (z_a sqrt(q) + z_b sqrt(q - change^2))^2 / change^2, q the share of items that change.
    """
    share = max(discordance, abs(change))
    z_a, z_b = normal_quantile((1 + level) / 2), normal_quantile(POWER)
    root = z_a * math.sqrt(share) + z_b * math.sqrt(max(share - change**2, 0.0))
    return max(2, math.ceil((root / change) ** 2))


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Agreement of two raters beyond chance (Cohen 1960); nan without items or variety."""
    n = len(first)
    if n == 0:
        return math.nan
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    labels = set(first) | set(second)
    chance = sum(first.count(label) * second.count(label) for label in labels) / n**2
    return math.nan if chance == 1 else (agreed - chance) / (1 - chance)
