"""Questions that were asked before, in this run or in earlier sets, and new ones near to them.

Near are two questions whose word shingles have a Jaccard similarity of the threshold or more and
that state the same facts (`cleaning.facts`): "two days before" and "three days before" are two
questions. Whether two are near depends on them alone, and questions come in the order of the plan,
so a run that was killed and resumed refuses the same ones. Where thousands of questions are alike
in all but a fact, the most alike of the first ones are compared, not all.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from prefkit.cleaning.facts import same_facts
from prefkit.generation.grounding import words
from prefkit.manifest import Input
from prefkit.reading import load_records
from prefkit.records import Example, text_of
from prefkit.workspace import Workspace

HELD: Final = 256  # questions, the first ones, that are held under what they share
COMPARED: Final = 64  # of those, the ones that share most


@dataclasses.dataclass(frozen=True)
class Before:
    """The earlier question that a new one repeats.

    Attributes:
        id: Of its record.
        text: The question.
        similarity: 1 when the words are the same.
    """

    id: str
    text: str
    similarity: float

    @property
    def rule(self) -> str:
        """Why the new one goes."""
        return "duplicate-question" if self.similarity == 1 else "near-duplicate-question"

    @property
    def detail(self) -> str:
        """Which one it repeats."""
        if self.similarity == 1:
            return f"asked before by {self.id}"
        return f"{self.similarity:.2f} like {self.id}, `{self.text[:120]}`"


class Earlier:
    """All questions so far, found again by what they may share."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._ids: list[str] = []
        self._texts: list[str] = []
        self._known: set[tuple[str, str]] = set()
        self._by_words: dict[str, int] = {}
        self._by_key: dict[int, list[int]] = {}

    def add(self, questions: Iterable[tuple[str, str]]) -> None:
        """Remember questions by id and text; one that is known already counts once."""
        new = [one for one in dict.fromkeys(questions) if one not in self._known]
        for (record_id, text), keys in zip(new, self._keys([t for _, t in new]), strict=True):
            place = len(self._texts)
            self._ids.append(record_id)
            self._texts.append(text)
            self._known.add((record_id, text))
            self._by_words.setdefault(_words(text), place)
            for key in keys:
                held = self._by_key.setdefault(key, [])
                if len(held) < HELD:
                    held.append(place)

    def find(self, text: str) -> Before | None:
        """The earlier question that a text repeats most nearly, the first of several."""
        from prefkit.cleaning.near_duplicates import similarities

        if (same := self._by_words.get(_words(text))) is not None:
            return Before(self._ids[same], self._texts[same], 1.0)
        keys = self._keys([text])[0]
        shared = Counter(place for key in keys for place in self._by_key.get(key, ()))
        likely = sorted(shared, key=lambda place: (-shared[place], place))[:COMPARED]
        places = sorted(place for place in likely if same_facts(text, self._texts[place]))
        if not places:
            return None
        import numpy as np

        others = [self._texts[place] for place in places]
        left = np.zeros(len(places), np.int64)
        found = similarities([text, *others], left, np.arange(1, len(places) + 1))
        best = int(found.argmax())
        if found[best] < self._threshold:
            return None
        near = min(float(found[best]), 0.99)  # the words are the same only above
        return Before(self._ids[places[best]], others[best], near)

    def _keys(self, texts: Sequence[str]) -> list[list[int]]:
        """What each text may share with one that is near to it."""
        from prefkit.cleaning.near_duplicates import band_keys

        found: list[list[int]] = [[] for _ in texts]
        if texts:
            shared = band_keys(list(texts), self._threshold)
            for key, row in zip(shared.key.tolist(), shared.row.tolist(), strict=True):
                found[row].append(key)
        return found


def _words(text: str) -> str:
    return " ".join(words(text))


@dataclasses.dataclass(frozen=True)
class EarlierSets:
    """Examples of other runs or files whose questions are not asked again."""

    questions: tuple[tuple[str, str], ...] = ()
    inputs: tuple[Input, ...] = ()


def read_earlier(sources: Sequence[str], workspace: Workspace) -> EarlierSets:
    """The questions of earlier sets.

    Args:
        sources: Files, runs or @stage with examples.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: One cannot be read, or holds no examples.
    """
    questions: list[tuple[str, str]] = []
    inputs: list[Input] = []
    for source in sources:
        loaded = load_records(source, "examples", Example, workspace)
        questions += [(example.id, text_of(example.prompt)) for example in loaded.records]
        inputs += loaded.inputs
    return EarlierSets(tuple(questions), tuple(inputs))
