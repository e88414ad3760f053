"""Pairs and thumbs from judgments.

Each prompt gives at most one pair: its strongest completion that may be held up as good against
its weakest, as in open-instruct's HelpSteer2 recipe, when they lie at least `margin` apart. Which
of several equal completions stands for them is drawn by a hash of content and seed, never by
position.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.check import check_pairs
from prefkit.pairs.evidence import KINDS, STAGE, Ballot, Contest, gather
from prefkit.pairs.ratings import Scale, maker, scales
from prefkit.pairs.strengths import DIGITS, combined, cyclic
from prefkit.records import (
    Candidate,
    Dropped,
    Example,
    Judgment,
    PreferencePair,
    UnpairedPreference,
    content_id,
)

SLACK = 10.0**-DIGITS  # strengths are rounded; a margin that is met exactly is met


@dataclasses.dataclass(frozen=True)
class Paired:
    """What judgments support, and what they do not.

    Attributes:
        pairs: One a prompt at most, in the order of the examples.
        unpaired: Thumbs up and down, for KTO.
        edits: Completions that annotators wrote; pairs and thumbs may name them.
        dropped: Judgments and candidates that cannot count, prompts without a pair (by prompt
            id), candidates without a thumb (by candidate id).
        prompts: How many prompts had candidates or judgments.
        cycles: In how many of them majorities contradict each other in a circle.
        scales: How the ratings of each maker were read.
    """

    pairs: tuple[PreferencePair, ...]
    unpaired: tuple[UnpairedPreference, ...]
    edits: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    prompts: int
    cycles: int
    scales: dict[str, Scale]

    @property
    def dropped_by_rule(self) -> dict[str, int]:
        """Drops a rule, most frequent first."""
        return dict(Counter(entry.rule for entry in self.dropped).most_common())


def make_pairs(
    examples: Iterable[Example],
    candidates: Iterable[Candidate],
    judgments: Iterable[Judgment],
    config: PairsConfig,
) -> Paired:
    """Turn judgments into preference pairs and thumbs.

    A prompt that people judged is decided by people alone, and one that was adjudicated by the
    adjudicator alone; otherwise judges and rules count together. Comparisons (ranks and edits)
    become Bradley-Terry chances, ratings are placed on 0..1, and a completion's strength is
    the mean of the two where its prompt has both (strengths.py). A k-way ranking counts as k - 1
    facts, not as its k(k - 1)/2 pairs.

    Raises:
        PrefkitError: A human rating lies outside the `rating_scale` given.
    """
    evidence = gather(examples, candidates, judgments, config)
    contests = evidence.contests
    read_as = scales((b.judgment for c in contests for b in c.ballots), config.rating_scale)
    wins, ratings = _arrays(contests, read_as)
    strengths = combined(wins, ratings)
    pairs: list[PreferencePair] = []
    thumbs: dict[str, UnpairedPreference] = {}
    dropped = list(evidence.dropped)
    for contest, strength in zip(contests, strengths.tolist(), strict=True):
        for found in (_pair(contest, strength, config), *_thumbs(contest, strength, config)):
            if isinstance(found, PreferencePair):
                pairs.append(found)
            elif isinstance(found, Dropped):
                dropped.append(found)
            elif thumbs.setdefault(found.id, found) is not found:
                dropped.append(_repeated(found))
    checked = check_pairs(pairs, STAGE)
    return Paired(
        tuple(checked.kept),
        tuple(thumbs.values()),
        evidence.edits,
        (*dropped, *checked.dropped),
        len(contests),
        int(cyclic(wins).sum()),
        read_as,
    )


def _arrays(
    contests: Sequence[Contest], read_as: dict[str, Scale]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wins and mean ratings of every prompt, as `strengths.combined` wants them."""
    width = max((len(contest.items) for contest in contests), default=0)
    wins = np.zeros((len(contests), width, width))
    sums, counts = np.zeros((2, len(contests), width))
    for number, contest in enumerate(contests):
        for ballot in contest.ballots:
            _count_wins(wins[number], ballot)
            for item, rating in ballot.ratings.items():
                sums[number, item] += read_as[maker(ballot.judgment)].place(rating)
                counts[number, item] += 1
    with np.errstate(invalid="ignore"):
        return wins, sums / counts


def _count_wins(wins: NDArray[np.float64], ballot: Ballot) -> None:
    """Add one ballot; every comparison weighs 1 / (items - 1)."""
    ranked = sorted(ballot.order)
    compared = len({*ranked, *ballot.below, ballot.edit} - {None})
    weight = 1 / max(compared - 1, 1)
    for place, one in enumerate(ranked):
        for other in ranked[place + 1 :]:
            share = (np.sign(ballot.order[one] - ballot.order[other]) + 1) / 2
            wins[one, other] += weight * share
            wins[other, one] += weight * (1 - share)
    if ballot.edit is not None:
        for other in ballot.below:
            wins[ballot.edit, other] += weight


def _pair(
    contest: Contest, strength: Sequence[float], config: PairsConfig
) -> PreferencePair | Dropped:
    judged = contest.judged
    if len(judged) < 2:
        return _no_pair(contest, *_too_few(contest, judged))
    good = [item for item in judged if contest.items[item].choosable]
    if not good:
        return _no_pair(contest, "none-choosable", "every judged completion is empty or cut off")

    def draw(item: int) -> str:
        return content_id(config.seed, contest.items[item].candidate.id)

    chosen = max(good, key=lambda item: (strength[item], draw(item)))
    rejected = min(set(judged) - {chosen}, key=lambda item: (strength[item], draw(item)))
    margin = round(strength[chosen] - strength[rejected], DIGITS)
    if margin <= 0 and max(strength[item] for item in judged) > strength[chosen]:
        return _no_pair(contest, "none-choosable", "every better completion is empty or cut off")
    if margin <= 0:
        return _no_pair(contest, "tie", f"{len(judged)} completions of equal strength")
    if margin < config.margin - SLACK:
        detail = f"best and worst are {margin:.3f} apart, at least {config.margin:g} wanted"
        return _no_pair(contest, "small-margin", detail)
    return _built(contest, chosen, rejected, strength)


def _built(
    contest: Contest, chosen: int, rejected: int, strength: Sequence[float]
) -> PreferencePair:
    sayings = [
        (ballot.judgment.source, ballot.says(chosen, rejected)) for ballot in contest.ballots
    ]
    # Two that nobody compared directly are ordered by what was said of them beside others.
    behind = {source for source, said in sayings if said is not None} or {
        ballot.judgment.source for ballot in contest.ballots if {chosen, rejected} & ballot.items
    }
    sayings += [
        (ballot.judgment.source, ballot.says(chosen, rejected)) for ballot in contest.overruled
    ]
    example = contest.example
    best, worst = contest.items[chosen].candidate, contest.items[rejected].candidate
    return PreferencePair(
        prompt=example.prompt,
        chosen=best.completion,
        rejected=worst.completion,
        prompt_id=example.id,
        chosen_id=best.id,
        rejected_id=worst.id,
        score_chosen=strength[chosen],
        score_rejected=strength[rejected],
        margin=round(strength[chosen] - strength[rejected], DIGITS),
        votes_for=sum(said == 1 for _, said in sayings),
        votes_against=sum(said == -1 for _, said in sayings),
        source=_joined(behind),
        split=example.split or "train",
        metadata={"adjudicated": "true"} if contest.overruled else {},
    )


def _too_few(contest: Contest, judged: Sequence[int]) -> tuple[str, str]:
    if not contest.items:
        return "no-candidates", "no completion to judge"
    if not contest.ballots:
        return "no-judgment", f"{len(contest.items)} completions, none judged"
    return "one-candidate", f"{len(judged)} of {len(contest.items)} distinct completions judged"


def _thumbs(
    contest: Contest, strength: Sequence[float], config: PairsConfig
) -> Iterable[UnpairedPreference | Dropped]:
    judged = contest.judged
    middle = 0.5
    if config.labels == "siblings" and judged:
        middle = sum(strength[item] for item in judged) / len(judged)
    for number in judged:
        item = contest.items[number]
        above = round(strength[number] - middle, DIGITS)
        label = above > 0
        if abs(above) < max(config.label_margin - SLACK, SLACK):
            yield _no_thumb(item.candidate, "no-label", f"{above:+.3f} from the middle")
        elif label and not item.choosable:
            yield _no_thumb(item.candidate, "cut-off", "good, but empty or cut off")
        else:
            yield UnpairedPreference(
                prompt=contest.example.prompt,
                completion=item.candidate.completion,
                label=label,
                prompt_id=contest.example.id,
                candidate_id=item.candidate.id,
                source=_joined(
                    ballot.judgment.source for ballot in contest.ballots if number in ballot.items
                ),
                split=contest.example.split or "train",
            )


def _joined(sources: Iterable[str]) -> str:
    found = set(sources)
    return "+".join(kind for kind in KINDS if kind in found)


def _repeated(thumb: UnpairedPreference) -> Dropped:
    detail = "the same prompt, completion and label came before"
    return Dropped(record_id=thumb.candidate_id, stage=STAGE, rule="repeated-label", detail=detail)


def _no_pair(contest: Contest, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=contest.example.id, stage=STAGE, rule=rule, detail=detail)


def _no_thumb(candidate: Candidate, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=candidate.id, stage=STAGE, rule=rule, detail=detail)
