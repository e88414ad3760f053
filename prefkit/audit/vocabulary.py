"""Words of two sets of texts: how far apart they are, and which words tell the sets apart."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from prefkit.audit.auc import two_class_auc
from prefkit.audit.drifted import jsd
from prefkit.audit.predict import folds
from prefkit.audit.surface import WORD
from prefkit.evaluation.statistics import Estimate

MOST_WORDS = 100_000
RESHUFFLES = 200
PRIOR = 500.0  # weight of the words of both sets together, in words


@dataclasses.dataclass(frozen=True)
class Counted:
    """Word counts of the texts of a new set and an old one.

    Attributes:
        counts: One sparse row a text, the new ones first.
        words: Of the columns.
        new: Whether each row is of the new set.
    """

    counts: Any  # scipy's csr_matrix, untyped
    words: np.ndarray
    new: np.ndarray

    def divergence(self, seed: int) -> tuple[float, float]:
        """Jensen-Shannon divergence in bits, and the 99th percentile of reshuffled texts."""
        value = self._divergence(self.new)
        draws = np.random.default_rng(seed)
        chance = [self._divergence(draws.permutation(self.new)) for _ in range(RESHUFFLES)]
        return value, float(np.quantile(chance, 0.99))

    def _divergence(self, new: np.ndarray) -> float:
        of_new = new.astype(np.float64) @ self.counts
        return jsd(of_new, self.total - of_new)

    @property
    def total(self) -> np.ndarray:
        """How often each word stands in both sets together."""
        return np.asarray(self.counts.sum(axis=0), np.float64).ravel()

    def told_apart(self, groups: np.ndarray, seed: int) -> Estimate:
        """AUC of a classifier of texts by their words, cross-validated by prompt.

        The classifier two-sample test of Lopez-Paz and Oquab (2017): 0.5 when nothing tells them.
        """
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.linear_model import LogisticRegression

        x = TfidfTransformer(sublinear_tf=True).fit_transform(self.counts).tocsr()
        said = np.zeros(len(self.new))
        parts = folds(groups, seed)
        if any(len(np.unique(self.new[train])) < 2 for train, _ in parts) or len(parts) < 2:
            return Estimate(math.nan, len(said), method="too few prompts")
        for train, test in parts:
            model = LogisticRegression(C=5.0, max_iter=300, class_weight="balanced")
            said[test] = model.fit(x[train], self.new[train]).decision_function(x[test])
        return two_class_auc(said, self.new)

    def telling(self, most: int) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """Words that the new set has more often, and the old one; each with its z.

        Log odds ratio with the words of both as prior (Monroe, Colaresi and Quinn 2008).
        """
        of_new = np.asarray(self.new.astype(np.float64) @ self.counts, np.float64).ravel()
        of_old = self.total - of_new
        prior = self.total / self.total.sum() * PRIOR
        odds = [
            np.log((side + prior) / (side.sum() + PRIOR - side - prior))
            for side in (of_new, of_old)
        ]
        z = (odds[0] - odds[1]) / np.sqrt(1 / (of_new + prior) + 1 / (of_old + prior))
        order = np.lexsort((self.words, -z))
        named = [(str(self.words[i]), float(z[i])) for i in order]
        more = [entry for entry in named[:most] if entry[1] > 0]
        less = [entry for entry in named[::-1][:most] if entry[1] < 0]
        return more, less


def counted(new: Sequence[str], old: Sequence[str]) -> Counted | None:
    """The words of two sets of texts; None without any word in one of them."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(
        token_pattern=WORD.pattern, max_features=MOST_WORDS, dtype=np.float64
    )
    try:
        counts = vectorizer.fit_transform([*new, *old]).tocsr()
    except ValueError:  # no word in any text
        return None
    found = Counted(
        counts,
        np.array(vectorizer.get_feature_names_out(), dtype=object).astype(str),
        np.repeat([True, False], [len(new), len(old)]),
    )
    sides = [counts[found.new].sum(), counts[~found.new].sum()]
    return found if all(sides) and counts.shape[1] > 1 else None
