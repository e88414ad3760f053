"""Which pairs of candidates a judge sees, and what ranks its verdicts support."""

import itertools
import random
from collections.abc import Mapping, Sequence

from prefkit.records import content_id


def choose_pairs(names: Sequence[str], most: int, seed: str) -> list[tuple[str, str]]:
    """At most `most` pairs, so chosen that every name is compared before any pair is added.

    A random chain through all names comes first, for it links them with the fewest pairs; the
    remaining pairs follow in random order. The order inside a pair is random too. All of it depends
    on `seed` and the names only.
    """
    rng = random.Random(content_id(seed, sorted(names)))
    shuffled = sorted(names)
    rng.shuffle(shuffled)
    chain = list(itertools.pairwise(shuffled))
    rest = [pair for pair in itertools.combinations(shuffled, 2) if pair not in set(chain)]
    rng.shuffle(rest)
    return [pair if rng.random() < 0.5 else pair[::-1] for pair in (chain + rest)[:most]]


def ranks(outcomes: Mapping[tuple[str, str], float]) -> dict[str, int]:
    """Ranks that contradict no verdict: 1 plus the number of candidates known to be better.

    Better means beaten by it, or by one that ties or beats it in turn; candidates that beat each
    other in a circle tie. Two that no chain of verdicts links are not told apart.

    Args:
        outcomes: (a, b) to 1 when a is better, 0 when b is, 0.5 for a tie.

    Returns:
        A rank for every candidate that occurs in a pair; equal ranks tie.
    """
    names = sorted({name for pair in outcomes for name in pair})
    above = {name: {name} for name in names}  # who each is at least as good as
    for (a, b), outcome in outcomes.items():
        if outcome >= 0.5:
            above[a].add(b)
        if outcome <= 0.5:
            above[b].add(a)
    for middle, name in itertools.product(names, names):  # Warshall's closure
        if middle in above[name]:
            above[name] |= above[middle]
    return {
        name: 1 + sum(name in above[other] and other not in above[name] for other in names)
        for name in names
    }
