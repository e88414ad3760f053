"""Best of n: which of a prompt's samples are kept, by a rule, a judge or their likelihood."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from prefkit.chat import ChatModel
from prefkit.config import CandidatesConfig, JudgeConfig
from prefkit.errors import PrefkitError
from prefkit.judging.cards import JudgeCard, load_judge
from prefkit.judging.pairwise import VALUE
from prefkit.judging.rules import PREFIX, Rule, load_rule, rule_judgment
from prefkit.judging.tasks import Task, judge_tasks
from prefkit.records import Candidate, Dropped, Example, Verdict, content_id, text_of
from prefkit.workspace import Workspace

LOGPROB: Final = "logprob"
PAIRS_A_SAMPLE: Final = 2  # that a judge compares, at most; every two up to five samples
STAGE: Final = "candidates"


@dataclasses.dataclass(frozen=True)
class Chooser:
    """Who says which samples are the best.

    Attributes:
        name: As configured: `logprob`, `rule:NAME` or a judge.
        sha256: Of the rule or judge; of the name for `logprob`.
        source: Where it comes from.
        rule: The rule, if it is one.
        judge: The judge, if it is one.
        model: Who plays the judge, as configured; empty when nobody has to.
        max_tokens: Of the judge's reply.
    """

    name: str
    sha256: str
    source: str
    rule: Rule | None = None
    judge: JudgeCard | None = None
    model: str = ""
    max_tokens: int = 0

    @property
    def kind(self) -> str:
        """What the manifest calls it."""
        return "judge" if self.judge is not None else "rule"

    @property
    def needs_passage(self) -> bool:
        """Whether it can only tell when it sees the source."""
        return self.judge is not None and self.judge.needs == "passage"


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The samples of some prompts, the best kept.

    Attributes:
        kept: In the order of the prompts, the best first.
        dropped: The others, each with its score.
        totals: What asking a judge cost.
    """

    kept: list[Candidate]
    dropped: list[Dropped]
    totals: dict[str, float]


def load_chooser(config: CandidatesConfig, workspace: Workspace) -> Chooser:
    """Who `config.by` names.

    Raises:
        PrefkitError: There is no such rule or judge.
    """
    if config.by == LOGPROB:
        return Chooser(LOGPROB, content_id(LOGPROB), "prefkit")
    if config.by.startswith(PREFIX):
        rule = load_rule(config.by, workspace)
        return Chooser(rule.name, rule.sha256, rule.source, rule=rule)
    judge = load_judge(config.by, workspace)
    model = "" if judge.code is not None else config.by_model or config.model
    return Chooser(
        judge.name,
        judge.sha256,
        judge.source,
        judge=judge,
        model=model,
        max_tokens=judge.max_tokens,
    )


def comparisons(samples: int) -> int:
    """How many pairs of a prompt's samples a judge is shown."""
    return min(samples * (samples - 1) // 2, PAIRS_A_SAMPLE * samples)


def choose(
    samples: Mapping[str, Sequence[Candidate]],
    examples: Sequence[Example],
    chooser: Chooser,
    model: ChatModel | None,
    config: CandidatesConfig,
    passages: Mapping[str, str],
) -> Chosen:
    """Keep the best samples of every prompt; equals are ordered by a hash of content and seed.

    A sample that could not be scored is not among the best: it leaves as `unscored`.

    Args:
        samples: By example id.
        examples: The prompts.
        chooser: Who scores.
        model: Who plays the judge.
        config: The `[candidates]` table.
        passages: For judges that see one, by example id.

    Raises:
        PrefkitError: The model tells no likelihood, or the judge could not tell at all.
    """
    tasks = [
        Task(example, tuple(samples[example.id]), passages.get(example.id, ""))
        for example in examples
        if samples.get(example.id)
    ]
    scores, totals = _scores(tasks, chooser, model, config)
    keep = config.keep or config.per_prompt
    kept, dropped = [], []
    for task in tasks:
        scored = [one for one in task.candidates if one.id in scores]
        order = sorted(scored, key=lambda c: (-scores[c.id], content_id(config.seed, c.id)))
        for rank, candidate in enumerate(order, start=1):
            if rank <= keep:
                kept.append(_noted(candidate, rank, len(order), chooser, scores[candidate.id]))
                continue
            text = text_of(candidate.completion)[:200]
            detail = f"rank {rank} of {len(order)} by {chooser.name}: {text}"
            dropped.append(_drop(candidate, "not-best", detail, scores[candidate.id]))
        dropped += [
            _drop(candidate, "unscored", f"{chooser.name} could not tell", None)
            for candidate in task.candidates
            if candidate.id not in scores
        ]
    return Chosen(kept, dropped, totals)


def _drop(candidate: Candidate, rule: str, detail: str, score: float | None) -> Dropped:
    return Dropped(record_id=candidate.id, stage=STAGE, rule=rule, detail=detail, score=score)


def _noted(candidate: Candidate, rank: int, of: int, chooser: Chooser, score: float) -> Candidate:
    notes = {
        "best_of": str(of),
        "best_of_by": chooser.name,
        "best_of_rank": str(rank),
        "best_of_score": f"{score:.6g}",
    }
    return candidate.model_copy(update={"metadata": candidate.metadata | notes})


def _scores(
    tasks: Sequence[Task], chooser: Chooser, model: ChatModel | None, config: CandidatesConfig
) -> tuple[dict[str, float], dict[str, float]]:
    """Scores by candidate id, and what they cost; who could not be scored has none."""
    if chooser.judge is not None:
        return _by_judge(tasks, chooser.judge, model, config)
    scores: dict[str, float] = {}
    for task in tasks:
        if chooser.rule is not None:
            scores |= rule_judgment(chooser.rule, task.example, task.candidates).ratings or {}
        else:
            means = {one.id: one.logprob_mean for one in task.candidates}
            scores |= {name: mean for name, mean in means.items() if mean is not None}
    if tasks and not scores and chooser.rule is None:
        raise PrefkitError(
            f"{tasks[0].candidates[0].model}: tells no log-probabilities to choose by.",
            hint="Choose by a rule or a judge: `--by rule:reference`.",
        )
    return scores, {}


def _by_judge(
    tasks: Sequence[Task], judge: JudgeCard, model: ChatModel | None, config: CandidatesConfig
) -> tuple[dict[str, float], dict[str, float]]:
    """Each sample's share of its comparisons won, a tie half; both orders or it does not count."""
    most = comparisons(config.best_of or 0)
    told = JudgeConfig(max_pairs_per_prompt=max(most, 1), seed=config.seed)
    judged = judge_tasks(judge, model, tasks, told)
    points = _points(tasks, judged.verdicts, told)
    scores = {}
    for task in tasks:
        for first, *others in task.distinct():
            won = points.get(first.id)
            if won is None and len(task.distinct()) == 1:
                won = [0.5]  # nothing else was said: no better and no worse than its likes
            if won is not None:
                scores |= dict.fromkeys([first.id, *(c.id for c in others)], sum(won) / len(won))
    if tasks and not scores:
        raise PrefkitError(
            f"{judge.name}: could not tell in any of {len(judged.verdicts)} comparisons which "
            f"completion is better: {_why(judged.verdicts)}",
            hint="Mend the cause and continue with --resume, or choose by `rule:reference`.",
        )
    totals = {f"judge_{name}": judged.tally[name] for name in ("calls", "tokens", "unscored")}
    totals["usd"] = judged.tally["usd"]
    return scores, {name: float(value) for name, value in totals.items() if value}


def _why(verdicts: Sequence[Verdict]) -> str:
    first = verdicts[0] if verdicts else None
    return "nothing to compare" if first is None else first.metadata.get("reason", first.raw)[:200]


def _points(
    tasks: Sequence[Task], verdicts: Sequence[Verdict], told: JudgeConfig
) -> dict[str, list[float]]:
    orders: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        orders.setdefault(verdict.sample_id, []).append(verdict)
    points: dict[str, list[float]] = {}
    for task in tasks:
        for a, b in task.pairs(told):
            both = orders.get(task.item(a, b).sample_id, [])
            won = [VALUE[verdict.winner] for verdict in both if verdict.winner is not None]
            if both and len(won) == len(both):
                share = sum(won) / len(won)
                points.setdefault(a, []).append(share)
                points.setdefault(b, []).append(1 - share)
    return points
