"""What rows are like before and after each stage of cleaning."""

import dataclasses
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefkit.audit.clean_run import STAGES, CleanRun, fates
from prefkit.audit.measured import hash64
from prefkit.cleaning.normalise import conversation_key, matching_key
from prefkit.cleaning.normalise import words as words_of
from prefkit.cleaning.rows import Row, row_of
from prefkit.cleaning.rules.language import language_of
from prefkit.cleaning.steps.take_in import record_of
from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import Estimate, bootstrap_sums, wilson
from prefkit.slices import Slice, read

STAYS = len(STAGES)
TEXTS = 4_000  # rows whose language and word pairs are looked at
BUDGET = 200_000  # words in which word pairs are counted, the same for every stage
FIELDS = ("prompt", "reference", "chosen", "rejected", "completion", "messages")
MARKS = re.compile(r"\W+")


@dataclasses.dataclass(frozen=True)
class Features:
    """Numbers of rows, as columns of one length.

    Attributes:
        whole: Equal for rows that say the same up to case, spacing and sentence marks.
        words: Of the good answer.
        longer: 1 where the chosen side is the longer one, 0 where it is the shorter, else nan.
        fate: The stage that took the row; STAYS when none did.
        texts: Of some rows, by place: the good answer's words and its language.
        unmatched: Drops that name no row that came in.
    """

    whole: NDArray[np.uint64]
    words: NDArray[np.float64]
    longer: NDArray[np.float64]
    fate: NDArray[np.int64]
    texts: Mapping[int, tuple[tuple[str, ...], str]]
    unmatched: int = 0


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What the rows of one stage are like.

    Attributes:
        name: input, after rules, after exact, …, output.
        rows: How many there are.
        words: Mean words of the good answer.
        repeated: Share of rows that repeat another one.
        longer: Share of pairs whose chosen side is the longer one; None for other kinds.
        distinct: Share of different ones among neighbouring words, over BUDGET words at most.
        languages: Rows a language, of those where it can be told.
    """

    name: str
    rows: int
    words: Estimate
    repeated: Estimate
    longer: Estimate | None
    distinct: Estimate
    languages: Counter[str]


def stage_numbers(run: CleanRun, most_rows: int) -> tuple[list[Numbers], int]:
    """Numbers of the input, after each stage, and of the output; and drops that match no row.

    Args:
        run: Whose input is as it was.
        most_rows: Rows to look at; of more, those whose texts a hash puts first, so that copies
            are looked at together.
    """
    share = min(1.0, most_rows / max(run.rows, 1))
    came = features(run.slices, run.kind, share, fates(run.folder))
    stays = features(run.output(), run.kind, share, {})
    sets: list[tuple[str, Features, NDArray[np.bool_], int]] = []
    gone = 0
    sets.append(("input", came, np.ones(len(came.fate), bool), run.rows))
    for stage in run.stages:
        gone += sum(step.dropped for step in run.steps if step.stage == stage)
        left = came.fate > STAGES.index(stage)
        sets.append((f"after {stage}", came, left, run.rows - gone))
    sets.append(("output", stays, np.ones(len(stays.fate), bool), run.kept))
    budget = min(BUDGET, *(_said(of, kept) for _, of, kept, _ in sets))
    made = [_numbers(name, of, kept, rows, run.kind, budget) for name, of, kept, rows in sets]
    return made, came.unmatched


def features(
    slices: Iterable[Slice], kind: str, share: float, gone: Mapping[str, list[int]]
) -> Features:
    """Numbers of the rows of some slices.

    Args:
        slices: Where they lie.
        kind: Of record.
        share: Of the rows to look at.
        gone: See `fates`.
    """
    left = {name: list(stages) for name, stages in gone.items()}
    whole: list[int] = []
    words: list[float] = []
    longer: list[float] = []
    fate: list[int] = []
    texts: dict[int, tuple[tuple[str, ...], str]] = {}
    pieces = list(slices)
    looked_at = sum(piece.rows for piece in pieces) * share
    bound = 2**64 * min(1.0, TEXTS / max(looked_at, 1))
    for row in _rows(pieces, kind, share):
        answer, name = row.completions[0].text, _whole(row)
        stages = left.get(row.record.id)
        said = words_of(answer)
        if name < bound:
            found = language_of(answer)
            texts[len(whole)] = tuple(said), found[0] if found else ""
        whole.append(name)
        words.append(len(said))
        longer.append(_longer(row, len(said)))
        fate.append(stages.pop() if stages else STAYS)
    unmatched = sum(map(len, left.values())) if share == 1 else 0
    return Features(
        np.array(whole, np.uint64),
        np.array(words, np.float64),
        np.array(longer, np.float64),
        np.array(fate, np.int64),
        texts,
        unmatched,
    )


def _rows(slices: Iterable[Slice], kind: str, share: float) -> Iterator[Row]:
    for piece in slices:
        for where, value in read(piece):
            if isinstance(value, PrefkitError) or not (share == 1 or _sampled(value, share)):
                continue
            try:
                yield row_of(record_of(where, value, kind))
            except PrefkitError:  # what went as malformed is no row
                continue


def _sampled(value: Mapping[str, Any], share: float) -> bool:  # a JSON object
    """Whether a row is looked at: by what it says, so that copies are, or are not, together."""
    said = json.dumps([value.get(field) for field in FIELDS], ensure_ascii=False)
    return hash64(MARKS.sub("", said.casefold())) < share * 2**64


def _whole(row: Row) -> int:
    keys = sorted(matching_key(completion.text) for completion in row.completions)
    return hash64(*(part for turn in conversation_key(row.prompt) for part in turn), *keys)


def _longer(row: Row, chosen: int) -> float:
    if len(row.completions) < 2:
        return np.nan
    rejected = len(words_of(row.completions[1].text))
    return np.nan if chosen == rejected else float(chosen > rejected)


def _numbers(
    name: str, of: Features, kept: NDArray[np.bool_], rows: int, kind: str, budget: int
) -> Numbers:
    count = int(kept.sum())
    words = of.words[kept]
    different = len(np.unique(of.whole[kept]))
    told = of.longer[kept & ~np.isnan(of.longer)]
    places = [place for place in of.texts if kept[place]]
    return Numbers(
        name,
        rows,
        bootstrap_sums(_ratio, np.stack([words, np.ones(count)])),
        wilson(count - different, count),
        wilson(int(told.sum()), len(told)) if kind == "pairs" else None,
        _distinct(of, places, budget),
        Counter(of.texts[place][1] for place in places if of.texts[place][1]),
    )


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return top / bottom


def _said(of: Features, kept: NDArray[np.bool_]) -> int:
    return sum(len(words) for place, (words, _) in of.texts.items() if kept[place])


def _distinct(of: Features, places: Iterable[int], budget: int) -> Estimate:
    """Different pairs of neighbouring words, over all of them, of rows up to a count of words."""
    seen: set[tuple[str, str]] = set()
    total = spent = 0
    for place in sorted(places, key=lambda place: (int(of.whole[place]), place)):
        words = of.texts[place][0][: budget - spent]
        spent += len(words)
        pairs = list(itertools.pairwise(words))
        seen.update(pairs)
        total += len(pairs)
        if spent >= budget:
            break
    value = len(seen) / total if total else float("nan")
    return Estimate(value, total, method=f"of the first {spent:,} words, no interval")
