"""What a judge thinks of the answers: pre-filled suggestions, and how unsure it is of a prompt."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefkit.annotation.layouts import Layout
from prefkit.annotation.questions import Preference
from prefkit.annotation.screen import answer_name
from prefkit.annotation.tasks import Shown
from prefkit.records import Judgment

Json = dict[str, Any]  # one suggestion, without the id of its question
_NO_AGENT = re.compile(r"[^A-Za-z0-9\-_:./ ]+")  # what Argilla 2.8 refuses in an agent's name
UNJUDGED = 1.0


def by_prompt(judgments: Iterable[Judgment]) -> dict[str, list[Judgment]]:
    """Judgments of judges and rules, by prompt; people are no judges here."""
    found: dict[str, list[Judgment]] = defaultdict(list)
    for judgment in judgments:
        if judgment.source != "human":
            found[judgment.prompt_id].append(judgment)
    return found


def doubt(judgments: Sequence[Judgment]) -> float:
    """How unsure the judges are of a prompt, from 0 to 1; 1 when none could score it.

    The mean of what is known: the share of pairs whose verdict turned with the order, the share
    of ties among the ranked pairs, and the share of pairs on which two judges contradict each
    other.
    """
    scored = [j for j in judgments if j.status == "submitted" and (j.ranks or j.ratings)]
    if not scored:
        return UNJUDGED
    signs = []
    for judgment in scored:
        pairs = int(judgment.metadata.get("pairs", "0"))
        if pairs:
            signs.append(int(judgment.metadata.get("flipped", "0")) / pairs)
        ties = [sign == 0 for sign in _signs(judgment).values()]
        if ties:
            signs.append(sum(ties) / len(ties))
    against = []
    for one, other in itertools.combinations([_signs(judgment) for judgment in scored], 2):
        against += [one[pair] * other[pair] < 0 for pair in one.keys() & other.keys()]
    if against:
        signs.append(sum(against) / len(against))
    return sum(signs) / len(signs) if signs else UNJUDGED


def _signs(judgment: Judgment) -> dict[tuple[str, str], int]:
    """For each pair of candidates 1 when the first is better, -1 when worse, 0 for a tie."""
    scores = _scores(judgment)
    return {
        (one, other): (scores[one] > scores[other]) - (scores[one] < scores[other])
        for one, other in itertools.combinations(sorted(scores), 2)
    }


def _scores(judgment: Judgment) -> Mapping[str, float]:
    if judgment.ranks:
        return {name: -float(rank) for name, rank in judgment.ranks.items()}
    return judgment.ratings or {}


def suggestion(
    shown: Shown, judgments: Sequence[Judgment], layout: Layout
) -> tuple[str, Json] | None:
    """Question name and suggestion by the first judge that speaks of all answers shown.

    The score is the share of its pairs that kept their verdict in both orders, where it says so.
    """
    for judgment in sorted(judgments, key=lambda j: (j.source == "rule", j.annotator)):
        scores = _scores(judgment)
        if judgment.status != "submitted" or not all(n in scores for n in shown.task.shown_order):
            continue
        values = [scores[name] for name in shown.task.shown_order]
        agent = {"agent": _agent(judgment.annotator), "type": "model"}
        sure = _sureness(judgment)
        if ranking := layout.first("ranking"):
            ranks = [1 + sum(other > value for other in values) for value in values]
            value = [
                {"value": answer_name(place), "rank": rank} for place, rank in enumerate(ranks)
            ]
            score = {} if sure is None else {"score": [sure] * len(value)}
            return ranking.name, agent | {"value": value} | score
        preference = layout.first("preference")
        if isinstance(preference, Preference):
            credit = 0.5 + 0.5 * ((values[0] > values[1]) - (values[0] < values[1]))
            option = next((o for o in preference.options if o.a == credit), None)
            if option is not None:
                score = {} if sure is None else {"score": sure}
                return preference.name, agent | {"value": option.name} | score
    return None


def _sureness(judgment: Judgment) -> float | None:
    pairs = int(judgment.metadata.get("pairs", "0"))
    return 1 - int(judgment.metadata.get("flipped", "0")) / pairs if pairs else None


def _agent(annotator: str) -> str:
    name = _NO_AGENT.sub("-", annotator)[:200]
    return name if any(letter.isalnum() for letter in name) else "judge"
