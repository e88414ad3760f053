"""Judge some prompts: candidates to judgments, verdicts and counts. Knows nothing of files."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from prefkit.chat import ChatModel
from prefkit.config import JudgeConfig
from prefkit.judging.cards import JudgeCard
from prefkit.judging.pairwise import PairItem, PairVerdict, compare, normalised
from prefkit.judging.ranking import choose_pairs, ranks
from prefkit.judging.rules import Rule, rule_judgment
from prefkit.records import Candidate, Dropped, Example, Judgment, Verdict


@dataclasses.dataclass(frozen=True)
class Task:
    """One prompt with the candidates to judge.

    Attributes:
        example: The prompt and its reference.
        candidates: Completions of it.
        passage: The chunks its quotes lie in; empty when they are not known.
    """

    example: Example
    candidates: tuple[Candidate, ...]
    passage: str = ""

    def distinct(self) -> list[list[Candidate]]:
        """Candidates grouped by their normalised text: the same answer is judged once."""
        groups: dict[str, list[Candidate]] = {}
        for candidate in self.candidates:
            groups.setdefault(normalised(candidate.completion), []).append(candidate)
        return list(groups.values())

    def pairs(self, config: JudgeConfig) -> list[tuple[str, str]]:
        """The candidate ids that a judge compares."""
        names = [group[0].id for group in self.distinct()]
        seed = f"{config.seed} {self.example.id}"
        return choose_pairs(names, config.max_pairs_per_prompt, seed)

    def item(self, a: str, b: str) -> PairItem:
        """One pair of candidate ids as a judge sees it."""
        completions = {candidate.id: candidate.completion for candidate in self.candidates}
        return PairItem(
            sample_id=f"{self.example.id}/{a}/{b}",
            prompt=self.example.prompt,
            a=completions[a],
            b=completions[b],
            reference=self.example.reference,
            passage=self.passage,
        )


@dataclasses.dataclass(frozen=True)
class Judged:
    """What judging some prompts gave.

    Attributes:
        judgments: One a prompt.
        verdicts: Two a pair that a judge saw; none from a rule.
        dropped: Prompts with nothing to compare.
        tally: Counts that add up: calls, pairs, flipped, unscored, tokens and so on.
    """

    judgments: list[Judgment]
    verdicts: list[Verdict] = dataclasses.field(default_factory=list)
    dropped: list[Dropped] = dataclasses.field(default_factory=list)
    tally: Counter[str] = dataclasses.field(default_factory=Counter)


def judge_tasks(
    judge: JudgeCard | Rule, model: ChatModel | None, tasks: Sequence[Task], config: JudgeConfig
) -> Judged:
    """One judgment a prompt, by a rule or by a judge."""
    if isinstance(judge, Rule):
        return Judged([rule_judgment(judge, task.example, task.candidates) for task in tasks])
    comparable = [task for task in tasks if len(task.candidates) > 1]
    chosen = [task.pairs(config) if _can_see(judge, task) else [] for task in comparable]
    verdicts = iter(
        compare(
            judge,
            model,
            [task.item(*pair) for task, ps in zip(comparable, chosen, strict=True) for pair in ps],
        )
    )
    annotator = f"judge:{judge.name}" + (f":{model.name}" if model and not judge.code else "")
    judged = Judged([])
    for task, pairs in zip(comparable, chosen, strict=True):
        found = {pair: next(verdicts) for pair in pairs}
        judged.judgments.append(_judgment(judge, annotator, task, found))
        judged.verdicts.extend(verdict for pair in found.values() for verdict in pair.verdicts)
        judged.tally.update(_tally(task, list(found.values())))
    judged.dropped.extend(
        Dropped(
            record_id=task.example.id,
            stage="judge",
            rule="one-candidate",
            detail=f"{judge.name} compares answers, and this prompt has one",
        )
        for task in tasks
        if len(task.candidates) == 1
    )
    return judged


def _can_see(judge: JudgeCard, task: Task) -> bool:
    return judge.needs != "passage" or bool(task.passage)


def _judgment(
    judge: JudgeCard, annotator: str, task: Task, found: dict[tuple[str, str], PairVerdict]
) -> Judgment:
    """Ranks from the scored pairs; unscored when there was something to compare and none is."""
    outcomes = {pair: v.outcome for pair, v in found.items() if v.outcome is not None}
    reason = "no pair could be scored" if found and not outcomes else ""
    if not _can_see(judge, task):
        reason = "the passage is not known"
    for first, *others in task.distinct():
        outcomes |= {(first.id, other.id): 0.5 for other in others}
    notes = {"pairs": str(len(found)), "flipped": str(sum(v.flipped for v in found.values()))}
    return Judgment(
        prompt_id=task.example.id,
        ranks=None if reason else ranks(outcomes),
        annotator=annotator,
        source="judge",
        status="unscored" if reason else "submitted",
        shown_order=tuple(dict.fromkeys(name for pair in found for name in pair)),
        guideline_sha256=judge.sha256,
        metadata=notes | ({"reason": reason} if reason else {}),
    )


def _tally(task: Task, found: Sequence[PairVerdict]) -> Counter[str]:
    verdicts = [verdict for pair in found for verdict in pair.verdicts]
    tally: Counter[str] = Counter(
        identical=len(task.candidates) - len(task.distinct()),
        pairs=len(found),
        pairs_scored=sum(pair.outcome is not None for pair in found),
        flipped=sum(pair.flipped for pair in found),
        calls=len(verdicts),
        scored=sum(verdict.winner is not None for verdict in verdicts),
        unscored=sum(verdict.winner is None for verdict in verdicts),
        ties=sum(verdict.winner == "tie" for verdict in verdicts),
        first_slot=sum(pair.first_slot for pair in found),
        tokens=sum(verdict.tokens for verdict in verdicts),
    )
    masses = [float(v.metadata["label_mass"]) for v in verdicts if "label_mass" in v.metadata]
    if masses:
        tally.update({"label_mass": sum(masses), "forced": len(masses)})
    prices = [verdict.usd for verdict in verdicts]
    tally["unpriced"] = prices.count(None)
    tally.update({"usd": sum(price or 0.0 for price in prices)})
    return tally
