"""Building an index of evaluation sets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.shingles import Ragged
from prefkit.config import LeakageConfig
from prefkit.leakage.evaluation_sets import EvaluationSet, PartName, load_evaluation_set
from prefkit.leakage.grams import Grams, rows_of, whole_hashes
from prefkit.leakage.index import SHORT, Index
from prefkit.leakage.kernels import Hashes, Indices, gram_hashes
from prefkit.leakage.texts import hashed, spaceless
from prefkit.workspace import Workspace

TEMPLATE = 10  # items of a set beyond which an n-gram is its template
FEWEST = 3  # items that make a template where they are most of a set


def load_index(paths: Sequence[str], config: LeakageConfig, workspace: Workspace) -> Index:
    """An index of evaluation sets.

    Args:
        paths: Runs, files or datasets of the hub, each with an optional `NAME=` before it.
        config: The `[leakage]` table.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: A set does not exist, is empty, or has none of the columns asked for.
    """
    sets = [load_evaluation_set(path, workspace, config.field) for path in paths]
    return build_index(sets, config)


def build_index(sets: Sequence[EvaluationSet], config: LeakageConfig) -> Index:
    """An index of evaluation sets that are loaded already."""
    items: list[tuple[int, str]] = []
    owners: list[int] = []
    names: list[PartName] = []
    texts: list[str] = []
    for number, evaluation in enumerate(sets):
        distinct = {(item.prompt, item.reference): item.id for item in evaluation.items[::-1]}
        for (prompt, reference), name in reversed(distinct.items()):
            names += ["prompt", "reference"]
            texts += [prompt, reference]
            owners += [len(items)] * 2
            items.append((number, name))
    words, owner = hashed(texts), np.array(owners, np.int64)
    set_of = np.array([items[item][0] for item in owners], np.int64)
    asked = np.array([name == "prompt" for name in names], bool)
    long, covered = _long(words, owner, set_of, config.ngram)
    scale = np.array([1 + spaceless(text) for text in texts], np.int64)
    is_long = words.sizes >= config.ngram
    is_short = asked & ~is_long & (words.sizes >= SHORT * scale)
    is_same = asked & ~is_long & ~is_short & (words.sizes > 0)
    checked = np.zeros(len(items), bool)
    checked[owner[is_long | is_short | is_same]] = True
    counts = [int((~checked[owner[::2]][set_of[::2] == n]).sum()) for n in range(len(sets))]
    return Index(
        sets=tuple(evaluation.name for evaluation in sets),
        items=tuple(items),
        part_item=owner,
        part_name=tuple(names),
        part_text=tuple(texts),
        words=words,
        sizes=np.where(is_long, covered, words.sizes),
        long=long,
        short=_beginnings(words, is_short),
        same=_whole(words, is_same),
        scale=scale,
        coverage=config.coverage,
        run=config.run,
        unchecked=tuple(counts),
    )


def _long(words: Ragged, owner: Indices, set_of: Indices, n: int) -> tuple[Grams, Indices]:
    """n-grams that are no template, and how many words of each part they cover."""
    rows = np.flatnonzero(words.sizes >= n)
    own = rows_of(words, rows)
    sizes = own.sizes
    part = np.repeat(rows, sizes)
    place = np.arange(len(own.values)) - np.repeat(own.offsets[:-1], sizes)
    real = place <= np.repeat(sizes - n, sizes)
    hashes = gram_hashes(own.values, own.offsets, n)[real]
    part, place = part[real], place[real]
    keep = ~_template(hashes, set_of[part], owner[part], np.bincount(set_of) // 2)
    lost = np.setdiff1d(rows, part[keep])  # parts that are nothing but template stay as they are
    keep |= np.isin(part, lost)
    hashes, part, place = hashes[keep], part[keep], place[keep]
    reach = np.full(len(place), n)
    reach[:-1] = np.where(part[1:] == part[:-1], np.minimum(np.diff(place), n), n)
    covered = np.bincount(part, reach, minlength=len(words.sizes)).astype(np.int64)
    return Grams.of(n, hashes, part, place), covered


def _template(hashes: Hashes, set_of: Indices, owner: Indices, sizes: Indices) -> NDArray[np.bool_]:
    """Which n-grams stand in more than TEMPLATE items of their set, or in most of a small set.

    Args:
        hashes: Of n-grams.
        set_of: Set of each.
        owner: Item of each.
        sizes: Items of each set, shape (sets,).
    """
    order = np.lexsort((owner, hashes, set_of))
    code, mine = np.stack((set_of[order].astype(np.uint64), hashes[order])), owner[order]
    same = np.zeros(len(order), bool)
    same[1:] = (code[:, 1:] == code[:, :-1]).all(axis=0)
    group = np.cumsum(~same) - 1
    new = ~same
    new[1:] |= mine[1:] != mine[:-1]
    items = np.bincount(group, new, minlength=group.max(initial=-1) + 1)
    found = np.empty(len(order), bool)
    most = np.clip(sizes // 2, FEWEST - 1, TEMPLATE)
    found[order] = items[group] > most[set_of[order]]
    return found


def _beginnings(words: Ragged, chosen: NDArray[np.bool_]) -> Grams:
    rows = np.flatnonzero(chosen)
    own = rows_of(words, rows)
    hashes = gram_hashes(own.values, own.offsets, SHORT)[own.offsets[:-1]]
    return Grams.of(SHORT, hashes, rows, np.zeros(len(rows), np.int64))


def _whole(words: Ragged, chosen: NDArray[np.bool_]) -> Grams:
    rows = np.flatnonzero(chosen)
    return Grams.of(0, whole_hashes(rows_of(words, rows)), rows, np.zeros(len(rows), np.int64))
