"""Who wrote what won, and where it stood when people or judges saw it."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from prefkit.audit.auc import never_without, paired_auc, two_class_auc
from prefkit.audit.audited import Audited
from prefkit.audit.measured import hash64
from prefkit.audit.origins import models
from prefkit.evaluation.statistics import Estimate, bootstrap_sums
from prefkit.records import Judgment, text_of

FEWEST = 10  # records in which a model must play a part to be named
MOST_MODELS = 8
Found = tuple[str, Estimate, str]  # name, AUC, note


def models_of_origin(audited: Audited) -> list[Found]:
    """For each model: whether what it wrote wins, where records or candidates name the model."""
    sides = list(models(audited))
    known = [place for place, names in enumerate(sides) if all(names)]
    if not known:
        return []
    rows = [audited.records[place] for place in known]
    names = np.array([sides[place] for place in known])
    groups = np.array([hash64(text_of(row.prompt)) for row in rows], np.uint64)
    liked = np.array([row.completions[0].good for row in rows])
    found = []
    for model, count in _most_frequent(names):
        wrote = (names == model).astype(float)
        if audited.kind == "pairs":
            estimate = paired_auc(wrote[:, 0], wrote[:, 1], groups, audited.config.seed)
        else:
            estimate = two_class_auc(wrote[:, 0], liked)
        where = "on one side only" if audited.kind == "pairs" else "as their writer"
        found.append((model, estimate, f"{count:,} of {len(rows):,} records have it {where}."))
    return found


def places_shown(audited: Audited) -> list[Found]:
    """By people, judges and rules: whether what was shown earlier is preferred."""
    sums: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for judgment in audited.judgments:
        scores = list(_earlier_better(judgment))
        if scores:
            sums[judgment.source].append((sum(scores), len(scores)))
    found = []
    for source, entries in sorted(sums.items()):
        columns = np.array(entries, np.float64).T
        estimate = never_without(bootstrap_sums(_ratio, columns, seed=audited.config.seed))
        found.append((source, estimate, f"{int(columns[1].sum()):,} comparisons."))
    return found


def _earlier_better(judgment: Judgment) -> Iterator[float]:
    """For every two answers shown: 1 when the earlier is better, ½ for a tie, else 0."""
    if judgment.status != "submitted":
        return
    ranks = judgment.ranks or {name: -score for name, score in (judgment.ratings or {}).items()}
    shown = [ranks[name] for name in judgment.shown_order if name in ranks]
    for place, first in enumerate(shown):
        for second in shown[place + 1 :]:
            yield 1.0 if first < second else 0.5 if first == second else 0.0


def _most_frequent(names: np.ndarray) -> list[tuple[str, int]]:
    """Models by how many records have them, of pairs on one side only."""
    counts: Counter[str] = Counter()
    for sides in names.tolist():
        counts.update([] if len(sides) == 2 and sides[0] == sides[1] else set(sides))
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [entry for entry in ordered if entry[1] >= FEWEST][:MOST_MODELS]


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return top / bottom
