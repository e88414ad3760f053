"""An index over evaluation sets, and what of them stands in training texts.

Words are those of near duplicates (letters, digits and marks; case, width and punctuation do not
count). A question or answer of at least `ngram` words is *covered* as far as its words lie in
n-grams that the training text holds too: by words as in Llama 2 (arXiv 2307.09288, A.6) and
Tulu 3 (arXiv 2411.15124, section 3.2: 8-grams, half of the words), where PaLM counts the n-grams
(arXiv 2204.02311, section 8: 8-grams, 70 %). A *run* is a stretch of words in common; GPT-3 takes
any 13 words for contamination (arXiv 2005.14165, appendix C). N-grams that stand in more than ten
items of a set, or in most of a small one, are its template and say nothing (GPT-3 leaves out what
occurs more than ten times). Where a script has no spaces a character counts as a word, and twice as
many are asked for.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.rows import Row
from prefkit.cleaning.shingles import Ragged
from prefkit.leakage.evaluation_sets import PartName
from prefkit.leakage.grams import (
    COVERAGE,
    RULES,
    RUN,
    Grams,
    Hits,
    covered_parts,
    joined,
    same_parts,
    short_parts,
)
from prefkit.leakage.kernels import Indices
from prefkit.leakage.texts import hashed, same_signs, stretch
from prefkit.records import text_of

TELLING = 10  # words in common, or all, before a share of a short text says anything
SHORT = 5  # fewest words of a question that is looked for inside other texts


@dataclasses.dataclass(frozen=True)
class Finding:
    """An evaluation item in one text of a training record.

    Attributes:
        evaluation: Name of the evaluation set.
        item: Id of its item.
        part: Which of the item's texts: prompt or reference.
        field: Which of the record's texts: prompt, reference, chosen, rejected or completion.
        rule: Why it counts: coverage, run, short (a short question stands there whole) or same
            (a very short question is the whole prompt).
        coverage: Share of the part's words in n-grams in common.
        run: Words of the longest stretch in common.
        matched: That stretch, as the evaluation set writes it.
    """

    evaluation: str
    item: str
    part: PartName
    field: str
    rule: str
    coverage: float
    run: int
    matched: str


@dataclasses.dataclass(frozen=True)
class Index:
    """Evaluation sets, ready to be looked for; can be sent to other processes.

    Attributes:
        sets: Names of the evaluation sets.
        items: `(set number, item id)` of each distinct item; repeats of an item stand once.
        part_item: Item of each part, shape (parts,).
        part_name: prompt or reference, one a part.
        part_text: As the evaluation set writes it.
        words: Word hashes of the parts.
        sizes: Words of each part that lie in its n-grams (templates left out); for short ones all.
        long: n-grams of parts that have at least n words.
        short: Beginnings of shorter questions.
        same: Whole prompts that are shorter still.
        scale: 2 for parts in a script without spaces, where a character is a word; else 1.
        coverage: Least share of words that counts.
        run: Least stretch of words that counts; 0: none does.
        unchecked: Items of each set without a text that can be looked for.
    """

    sets: tuple[str, ...]
    items: tuple[tuple[int, str], ...]
    part_item: Indices
    part_name: tuple[PartName, ...]
    part_text: tuple[str, ...]
    words: Ragged
    sizes: Indices
    long: Grams
    short: Grams
    same: Grams
    scale: Indices
    coverage: float
    run: int
    unchecked: tuple[int, ...]

    def findings(self, row: Row) -> list[Finding]:
        """What of the evaluation sets stands in one training record."""
        return self.findings_of([row])[0]

    def findings_of(self, rows: Sequence[Row]) -> list[list[Finding]]:
        """The same for many records at once, which is far faster than one by one."""
        texts, fields, owners = [], [], []
        for number, row in enumerate(rows):
            own = [("prompt", text) for text in _turns(row)]
            own += [(completion.field, completion.text) for completion in row.completions]
            for field, text in own:
                texts.append(text)
                fields.append(field)
                owners.append(number)
        found: list[list[Finding]] = [[] for _ in rows]
        prompts = np.array([field == "prompt" for field in fields], bool)
        hits = self.hits(texts, prompts)
        for hit in range(len(hits.text)):
            text = int(hits.text[hit])
            found[owners[text]].append(self._finding(hits, hit, fields[text]))
        return found

    def hits(self, texts: Sequence[str], prompts: NDArray[np.bool_]) -> Hits:
        """What of the evaluation sets stands in some texts, in the order of texts and parts.

        Args:
            texts: Of training records.
            prompts: Which of them are whole prompts, shape (texts,).
        """
        words = hashed(texts)
        covered = covered_parts(self.long, words, self.sizes)
        sizes = self.sizes[covered.part]
        common = np.rint(covered.coverage * sizes)
        scale = self.scale[covered.part]
        telling = np.minimum(sizes, TELLING * scale)
        enough = (covered.coverage >= self.coverage) & (common >= telling)
        far = (covered.run >= self.run * scale) & (self.run > 0)
        covered = dataclasses.replace(covered, rule=np.where(enough, COVERAGE, RUN))
        short = short_parts(self.short, words, self.words)
        same = same_parts(self.same, words, prompts, self.long.n - 1, self.words)
        return joined(
            (
                covered.where(enough | far),
                short.where(self._same_signs(short, texts)),
                same.where(self._same_signs(same, texts)),
            )
        )

    def _same_signs(self, hits: Hits, texts: Sequence[str]) -> NDArray[np.bool_]:
        found = zip(hits.part.tolist(), hits.text.tolist(), strict=True)
        return np.array(
            [same_signs(self.part_text[part], texts[text]) for part, text in found], bool
        )

    def _finding(self, hits: Hits, hit: int, field: str) -> Finding:
        part = int(hits.part[hit])
        evaluation, item = self.items[self.part_item[part]]
        first, run = int(hits.first[hit]), int(hits.run[hit])
        return Finding(
            self.sets[evaluation],
            item,
            self.part_name[part],
            field,
            RULES[hits.rule[hit]],
            round(float(hits.coverage[hit]), 4),
            run,
            stretch(self.part_text[part], first, run),
        )


def _turns(row: Row) -> list[str]:
    """What was asked, and what the system turns say, if there are any."""
    asked = text_of([message for message in row.prompt if message.role != "system"])
    told = text_of([message for message in row.prompt if message.role == "system"])
    return [text for text in (asked, told) if text]
