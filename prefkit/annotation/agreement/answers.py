"""Which judgments count: submitted ones, each annotator once a prompt, adjudications apart."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from prefkit.records import Judgment, JudgmentSource

RECORD = "record"  # note in a pulled judgment: id of the AnnotationTask that was answered


@dataclasses.dataclass(frozen=True)
class Answers:
    """What annotators said, ready to be compared.

    Attributes:
        judgments: Submitted, one a prompt and annotator, ordered by prompt and annotator.
        repeats: An annotator's earlier and later judgment of one prompt that was shown twice.
        statuses: How many judgments of each status an annotator has, revisions counted once.
        adjudicated: Judgments that settle a conflict; they are nobody's vote.
    """

    judgments: tuple[Judgment, ...]
    repeats: tuple[tuple[Judgment, Judgment], ...]
    statuses: dict[str, Counter[str]]
    adjudicated: tuple[Judgment, ...]

    @property
    def annotators(self) -> tuple[str, ...]:
        """Everyone with a judgment of any status, by name."""
        return tuple(sorted(self.statuses))


def gather(
    judgments: Iterable[Judgment],
    sources: Sequence[JudgmentSource] = ("human", "judge", "rule"),
) -> Answers:
    """Take the judgments that count, in an order that does not depend on theirs.

    The same judgment twice counts once. When an annotator judged one prompt several times, the
    last word on each showing stands (a revision), the first showing counts as the vote, and a
    later showing is a repeat.
    """
    latest: dict[tuple[str, str], dict[str, Judgment]] = defaultdict(dict)
    adjudicated: dict[str, Judgment] = {}
    for judgment in sorted(judgments, key=_when):
        if judgment.source not in sources:
            continue
        if judgment.adjudicated:
            adjudicated[judgment.id] = judgment
        else:
            vote = _named(judgment)
            latest[vote.prompt_id, vote.annotator][asked(vote)] = vote
    votes, repeats = [], []
    statuses: dict[str, Counter[str]] = defaultdict(Counter)
    for (_, annotator), showings in sorted(latest.items()):
        statuses[annotator].update(judgment.status for judgment in showings.values())
        said = [judgment for judgment in showings.values() if judgment.status == "submitted"]
        votes += said[:1]
        repeats += [(said[0], later) for later in said[1:]]
    return Answers(tuple(votes), tuple(repeats), dict(statuses), tuple(adjudicated.values()))


def _when(judgment: Judgment) -> tuple[str, bool, str, str]:
    """Earlier first; undated ones by status and content, so that file order decides nothing."""
    submitted = judgment.status == "submitted"
    return judgment.answered_at, submitted, judgment.id, "\n".join(judgment.shown_order)


def _named(judgment: Judgment) -> Judgment:
    """A judge or rule says so in its name: it may be called like a person."""
    if judgment.source == "human":
        return judgment
    name = f"{judgment.annotator} ({judgment.source})"
    return judgment.model_copy(update={"annotator": name})


def asked(judgment: Judgment) -> str:
    """The record that was answered: what tells a second showing from a changed answer."""
    return judgment.metadata.get(RECORD) or "\n".join(judgment.shown_order)
