"""How well the surface alone tells winners from losers, on records that it was not fitted to."""

import math
from typing import Any

import numpy as np

from prefkit.audit.auc import two_class_auc
from prefkit.evaluation.statistics import Estimate, bootstrap_sums, wilson

FOLDS = 5
MOST = 20_000  # rows that a logistic regression is fitted to


def winner_accuracy(differences: np.ndarray, groups: np.ndarray, seed: int = 0) -> Estimate:
    """Share of pairs whose winner a logistic regression names, cross-validated by prompt.

    Pairs have no side that is first, so every pair is fitted in both directions and without an
    intercept; a pair of which nothing differs counts as half.

    Args:
        differences: Winner's features minus loser's, one row a pair.
        groups: The prompt of each pair; prompts stay in one fold.
        seed: Of the folds and the resampling.
    """
    said = np.zeros(len(differences))
    if len(parts := folds(groups, seed)) < 2:
        return Estimate(math.nan, len(differences), method="too few prompts")
    for train, test in parts:
        scale = np.sqrt((differences[train] ** 2).mean(axis=0))
        scale[scale == 0] = 1.0
        x = differences[train] / scale
        model = _logistic(fit_intercept=False)
        model.fit(np.concatenate([x, -x]), np.repeat([1, 0], len(x)))
        said[test] = differences[test] / scale @ model.coef_[0]
    right = (np.sign(np.round(said, 9)) + 1) / 2
    return _share(right, groups, seed)


def label_auc(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int) -> Estimate:
    """AUC of a logistic regression on features, cross-validated by group."""
    parts = folds(groups, seed)
    if min(labels.sum(), (~labels).sum()) < FOLDS or len(parts) < 2:
        return Estimate(math.nan, len(labels), method="too few of one label, or too few prompts")
    said = np.zeros(len(features))
    for train, test in parts:
        if len(np.unique(labels[train])) < 2:
            continue
        centre, scale = features[train].mean(axis=0), features[train].std(axis=0)
        scale[scale == 0] = 1.0
        model = _logistic().fit((features[train] - centre) / scale, labels[train])
        said[test] = (features[test] - centre) / scale @ model.coef_[0] + model.intercept_[0]
    return two_class_auc(said, labels)


def folds(groups: np.ndarray, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places to fit to and places to test on; a group lies in one fold, whatever the order.

    Groups are dealt out by a seeded hash of their number; empty folds are left out.
    """
    values = np.asarray(groups).astype(np.uint64) + np.uint64(seed % 2**31)
    mixed = (values ^ (values >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    fold = (mixed >> np.uint64(33)) % np.uint64(FOLDS)
    found = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    return [(train, test) for train, test in found if len(train) and len(test)]


def _logistic(**options: bool) -> Any:  # sklearn's LogisticRegression, untyped
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, **options)


def _share(right: np.ndarray, groups: np.ndarray, seed: int) -> Estimate:
    places, index = np.unique(groups, return_inverse=True)
    if len(places) == len(right):
        return wilson(float(right.sum()), len(right))
    columns = np.stack([np.bincount(index, right), np.bincount(index).astype(float)])
    found = bootstrap_sums(lambda won, count: won / count, columns, seed=seed)
    return Estimate(found.value, len(right), found.low, found.high, found.method)
