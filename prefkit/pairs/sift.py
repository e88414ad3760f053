"""Which judgments count, and why the others do not."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.check import text_key
from prefkit.pairs.columns import equals, places
from prefkit.pairs.opinions import Opinions
from prefkit.records import Candidate, Dropped

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
STAGE = "pairs"


@dataclasses.dataclass(frozen=True)
class Sifted:
    """Judgments that count, or would if an adjudicator had not settled their prompt.

    Attributes:
        opinions: Them, oldest first.
        prompt: Number of each one's prompt.
        candidate: Number of the candidate of each row of `opinions.scores`.
        overruled: Whether an adjudicator's word replaces it.
        dropped: The others, with the reason; and those that are overruled.
    """

    opinions: Opinions
    prompt: Ints
    candidate: Ints
    overruled: Bools
    dropped: tuple[Dropped, ...]


def sift(
    opinions: Opinions,
    prompts: Mapping[str, int],
    candidates: Sequence[Candidate],
    config: PairsConfig,
) -> Sifted:
    """Take the submitted judgments that speak of known candidates of a known prompt.

    Where an adjudicator settled a prompt, nobody else counts there; and if
    `config.beside_people` says so, judges and rules do not count where a person judged.

    Args:
        opinions: Judgments of any status.
        prompts: Number of each prompt, by id.
        candidates: All of known prompts.
        config: The `[pairs]` table.
    """
    prompt = places(opinions.said["prompt"], list(prompts))
    candidate = places(opinions.scores["candidate"], [c.id for c in candidates])
    dropped: list[Dropped] = []
    alive = np.ones(len(opinions), bool)
    for fault in _faults(opinions, prompt, candidate, prompts, candidates, config):
        _drop(fault, opinions, alive, dropped)
    people = equals(opinions.said["source"], "human") & alive
    beside = _at(prompt, people, len(prompts)) & ~people & alive
    if config.beside_people == "leave-out":
        _drop(
            Fault("outranked", beside, lambda _: "a person judged this prompt"),
            opinions,
            alive,
            dropped,
        )
    settled = opinions.said["adjudicated"].to_numpy().astype(bool) & alive
    overruled = _at(prompt, settled, len(prompts)) & ~settled & alive
    names = opinions.said["annotator"]
    still = overruled.copy()
    _drop(
        Fault(
            "adjudicated", overruled, lambda row: f"{names[row]}'s vote; an adjudicator settled it"
        ),
        opinions,
        still,
        dropped,
    )
    number = opinions.scores["judgment"].to_numpy()
    finite = np.isfinite(opinions.scores["value"].to_numpy())
    wild = np.bincount(number[~finite], minlength=len(opinions))
    _drop(
        Fault("no-number", wild > 0, lambda row: f"{wild[row]} of its ratings; the others count"),
        opinions,
        alive.copy(),
        dropped,
    )
    keep = alive[number]
    kept = opinions.where(alive)
    real = finite[keep]
    if not real.all():
        import pyarrow as pa

        kept = dataclasses.replace(kept, scores=kept.scores.filter(pa.array(real)))
    return Sifted(kept, prompt[alive], candidate[keep][real], overruled[alive], tuple(dropped))


@dataclasses.dataclass(frozen=True)
class Fault:
    """A reason why judgments do not count.

    Attributes:
        rule: Its name; None when `detail` of a row gives both.
        found: Which judgments have it.
        detail: More about one of them, by its row.
    """

    rule: str
    found: Bools
    detail: Callable[[int], str]


def _faults(
    opinions: Opinions,
    prompt: Ints,
    candidate: Ints,
    prompts: Mapping[str, int],
    candidates: Sequence[Candidate],
    config: PairsConfig,
) -> list[Fault]:
    """Every reason, the first that applies first."""
    said, scores = opinions.said, opinions.scores
    number = scores["judgment"].to_numpy()
    home = np.array([prompts[c.prompt_id] for c in candidates], np.int64)
    home = np.append(home, -1)  # what candidate -1, an unknown one, points at
    strange = (home[candidate] != prompt[number]) | (candidate < 0)
    finite = np.isfinite(scores["value"].to_numpy())
    rated = scores["rated"].to_numpy().astype(bool)
    count = len(opinions)
    ranks = np.bincount(number[~rated], minlength=count)
    ratings = np.bincount(number[rated & finite], minlength=count)
    edited = np.zeros(count, bool)
    edits = said["edit"]
    for row in np.flatnonzero(edits.is_valid().to_numpy()):
        edited[row] = bool(text_key(edits[int(row)].as_py()))

    def strangers(row: int) -> str:
        first, last = np.searchsorted(number, [row, row + 1])
        names = scores["candidate"].slice(first, last - first).to_pylist()
        named, lost = set(names), set(itertools.compress(names, strange[first:last]))
        return f"{len(lost)} of {len(named)}, such as {min(lost)}"

    faults = [
        Fault(
            status,
            equals(said["status"], status),
            lambda row: f"{said['source'][row]} {said['annotator'][row]}",
        )
        for status in ("discarded", "draft", "skipped", "unscored")
    ]
    left_out = [kind for kind in ("human", "judge", "rule") if kind not in config.sources]
    faults += [
        Fault("source-left-out", equals(said["source"], kind), lambda _, kind=kind: kind)
        for kind in left_out
    ]
    return [
        *faults,
        Fault("unknown-prompt", prompt < 0, lambda row: str(said["prompt"][row])),
        Fault("unknown-candidate", np.bincount(number[strange], minlength=count) > 0, strangers),
        Fault(
            "says-nothing",
            (ranks < 2) & (ratings == 0) & ~edited,
            lambda _: "fewer than two ranks, no rating that is a number, no edit",
        ),
    ]


def _drop(fault: Fault, opinions: Opinions, alive: Bools, dropped: list[Dropped]) -> None:
    """Take out those alive that have the fault."""
    ids = opinions.said["id"]
    dropped += [
        Dropped(record_id=ids[row].as_py(), stage=STAGE, rule=fault.rule, detail=fault.detail(row))
        for row in np.flatnonzero(fault.found & alive).tolist()
    ]
    alive &= ~fault.found


def _at(prompt: Ints, some: Bools, prompts: int) -> Bools:
    """Whether the prompt of each judgment has one of `some`."""
    return (np.bincount(prompt[some], minlength=prompts + 1) > 0)[prompt]
