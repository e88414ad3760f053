"""Hashed TF-IDF with truncated SVD, fitted on the texts themselves.

It needs no model. It is lexical: texts are near because they share words, or words that often
stand together here. A paraphrase in other words is not found.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEATURES: Final = 1 << 15  # of the hash; frequent words rarely meet in one
DIMENSIONS: Final = 256
EXACT: Final = 1_000  # texts up to which nothing is rounded off
SEED: Final = 0


class Tfidf:
    """See `embedders.Embedder`.

    Attributes:
        name: tfidf.
        digest: Raised when the method changes.
        whole: True: words are weighed by how many of the given texts hold them.
        limit: 0: it reads all of a text.
    """

    name = "tfidf"
    digest = f"hashed-tfidf-svd-{DIMENSIONS}-{EXACT}"
    whole = True
    limit = 0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.encode`; the order of the texts does not matter."""
        from prefkit.semantic.embedders import unit_rows

        if not texts:
            return np.zeros((0, 1), np.float32)
        distinct = sorted(set(texts))
        rows = _fitted(distinct)
        places = {text: place for place, text in enumerate(distinct)}
        return unit_rows(rows[[places[text] for text in texts]], self.name, len(texts))


def _fitted(texts: list[str]) -> NDArray[np.float64]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    hashed = HashingVectorizer(n_features=FEATURES, alternate_sign=False, norm=None)
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(hashed.transform(texts))
    weighed = weighed[:, np.unique(weighed.indices)]  # empty columns cost the SVD most of its time
    if weighed.shape[1] <= DIMENSIONS:
        return weighed.toarray() if weighed.nnz else np.zeros((len(texts), 1))
    if len(texts) > EXACT:
        return TruncatedSVD(DIMENSIONS, random_state=SEED).fit_transform(weighed)
    values, axes = np.linalg.eigh((weighed @ weighed.T).toarray())
    return axes * np.sqrt(values.clip(min=0.0))
