"""The funnel: cheap checks first, people last; each stage is measured in resumable units."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prefkit import console, runs
from prefkit.chat import ChatModel, open_model
from prefkit.evaluation import decision, offline, pairwise, sanity, suites
from prefkit.evaluation.arms import Arms
from prefkit.evaluation.overlap import find_overlap
from prefkit.evaluation.plan import UNIT_ITEMS, UNIT_PAIRS, EvalPlan
from prefkit.evaluation.results import (
    Check,
    Item,
    Number,
    Stage,
    StageName,
    SuiteAnswer,
    SuiteResult,
)
from prefkit.evaluation.suites import Sample, Suite
from prefkit.judging.canaries import run_canaries
from prefkit.records import Candidate, Dropped, Record, content_id
from prefkit.storage import sha256_of
from prefkit.workspace import Workspace

log = logging.getLogger(__name__)

Values = dict[str, Any]  # JSON values a unit keeps
_ENDED = "Not run: an earlier stage ended the funnel."


@dataclasses.dataclass
class Measured:
    """One unit's yield."""

    values: Values
    records: Mapping[str, Sequence[Record]] = dataclasses.field(default_factory=dict)
    dropped: Sequence[Dropped] = ()
    totals: Mapping[str, float] = dataclasses.field(default_factory=dict)


class Funnel:
    """Runs the stages of one evaluation and collects what they found.

    Attributes:
        units: Units done so far, in order.
        stages: How each stage ended.
        checks: Conditions of stage 0.
        numbers: All figures.
        items: Held-out items with both completions.
        suites: Right and wrong answers by suite.
        answers: What both models said to every suite item.
        pairs: Scores of the held-out pairs.
        about: What stage 0 learned of model and machine.
        canary_failures: Canaries that the judge failed; None when it was shown none.
    """

    def __init__(
        self, plan: EvalPlan, run: runs.Run, workspace: Workspace, bar: console.Progress
    ) -> None:
        self.plan = plan
        self.units: list[str] = []
        self.stages: list[Stage] = []
        self.checks: list[Check] = []
        self.numbers: list[Number] = []
        self.items: list[Item] = []
        self.suites: list[SuiteResult] = []
        self.answers: list[SuiteAnswer] = []
        self.pairs: list[offline.PairScores] = []
        self.about: Values = {}
        self.canary_failures: list[str] | None = None
        self._run = run
        self._workspace = workspace
        self._bar = bar

    @functools.cached_property
    def arms(self) -> Arms:
        """The loaded model; loaded only when a unit is still to be done."""
        config = self.plan.config
        return Arms.load(
            config.model,
            self.plan.adapter,
            batch_size=config.batch_size,
            load_in_4bit=config.load_in_4bit,
        )

    @property
    def ended(self) -> bool:
        """Whether a stage ended the funnel."""
        states = {stage.state for stage in self.stages}
        return "invalid" in states or ("stop" in states and not self.plan.config.keep_going)

    def measure(self) -> None:
        """Run stages 0 to 3; a stage after the end is noted as skipped."""
        steps: list[tuple[StageName, Callable[[], Stage]]] = [
            ("sanity", self._sanity),
            ("offline", self._offline),
            ("suites", self._suites),
        ]
        if self.plan.config.funnel:
            steps.append(("judge", self._judge))
        for name, step in steps:
            stage = Stage(name=name, state="skip", note=_ENDED) if self.ended else step()
            self.stages.append(stage)
            log.info("stage %s: %s: %s", name, stage.state, stage.note)
            console.say(f"stage {name}: {stage.state}. {stage.note}")

    def _unit(self, name: str, work: Callable[[], Measured]) -> Values:
        """The values of one unit, measured now or taken from the journal."""
        if self._run.pending([name]):
            done = work()
            self._run.record(name, done.records, done.dropped, done.totals, done.values)
        self.units.append(name)
        self._bar.advance(note=name)
        return self._run.values_of(name)

    def _sanity(self) -> Stage:
        values = self._unit("sanity", self._measure_sanity)
        self.about = values["about"]
        self._run.set_device(self.about["device"])
        self.checks = [Check.model_validate(check) for check in values["checks"]]
        return decision.judge_sanity(self.checks)

    def _measure_sanity(self) -> Measured:
        plan = self.plan
        overlap = find_overlap(
            plan.examples, plan.pairs, plan.adapter, self._workspace, plan.suites
        )
        allowed = plan.config.allow_leakage
        probed = sanity.probe(self.arms, plan.adapter, plan.examples)
        sha256 = sha256_of(plan.adapter / "adapter_model.safetensors")
        checks = sanity.checks(probed, sha256, overlap, allow_leakage=allowed)
        template = str(self.arms.tuned.tokenizer.chat_template or "")
        about = {
            "base": self.arms.base.name,
            "tuned": self.arms.tuned.name,
            "adapter_sha256": sha256,
            "adapter_size": f"{probed.numbers:,} numbers in {probed.tensors} tensors, "
            f"norm {probed.norm:.4g}",
            "dtype": str(self.arms.local.model.dtype).removeprefix("torch."),
            "device": self.arms.local.device,
            "chat_template_sha256": content_id(template),
            "trained_by": list(overlap.runs),
            "leakage": overlap.verdict,
            "watermark": sanity.watermark(overlap, allow_leakage=allowed),
            "modules_to_save": list(probed.modules_to_save),
        }
        checked = [check.model_dump() for check in checks]
        return Measured({"checks": checked, "about": about}, dropped=plan.dropped)

    def _offline(self) -> Stage:
        config, seed = self.plan.config, self.plan.config.seed
        for number, batch in _batches(self.plan.examples, UNIT_ITEMS):
            values = self._unit(
                f"items/{number:04d}", functools.partial(self._measure_items, batch)
            )
            self.items += [Item.model_validate(item) for item in values["items"]]
        for number, batch in _batches(self.plan.pairs, UNIT_ITEMS):
            measure = functools.partial(offline.measure_pairs, pairs=batch)
            values = self._unit(
                f"pairs/{number:04d}",
                lambda measure=measure: Measured({"pairs": offline.values(measure(self.arms))}),
            )
            self.pairs += [offline.PairScores(**scores) for scores in values["pairs"]]
        neutral = self._unit(
            "neutral",
            lambda: Measured(
                {"scores": offline.values(offline.measure_neutral(self.arms, self.plan.neutral))}
            ),
        )
        self.numbers += offline.summarise_items(self.items, seed, config.max_tokens)
        self.numbers += offline.summarise_pairs(self.pairs, seed)
        scores = [offline.NeutralScores(**entry) for entry in neutral["scores"]]
        self.numbers += offline.summarise_neutral(scores, seed)
        return decision.judge_offline(self.numbers)

    def _measure_items(self, examples: Sequence[Any]) -> Measured:
        limit = self.plan.config.max_tokens
        items, failures = offline.measure_items(self.arms, examples, limit)
        names = (self.arms.base.name, self.arms.tuned.name)
        candidates = [
            Candidate(
                prompt_id=item.id,
                completion=answer.completion,
                model=name,
                sampling={"temperature": 0.0, "max_tokens": float(limit)},
                finish_reason=answer.finish_reason,
                tokens=answer.tokens,
            )
            for item in items
            for name, answer in zip(names, (item.base, item.tuned), strict=True)
        ]
        dropped = [
            Dropped(record_id=f.id, stage="eval", rule="no-completion", detail=f.detail)
            for f in failures
        ]
        tokens = sum(item.base.tokens + item.tuned.tokens for item in items)
        return Measured(
            {"items": [item.model_dump(mode="json") for item in items]},
            {"candidates": candidates},
            dropped,
            {"completion_tokens": tokens},
        )

    def _suites(self) -> Stage:
        for suite in self.plan.suites:
            self._run.add_plugin("suite", suite.name, suite.found.source, suite.found.sha256)
            answers: dict[str, SuiteAnswer] = {}
            for task in suite.card.tasks:
                samples = [s for s in suite.samples if s.task == task.name]
                for number, batch in _batches(samples, UNIT_ITEMS):
                    values = self._unit(
                        f"suite/{suite.name}/{task.name}/{number:04d}",
                        functools.partial(self._measure_suite, suite, batch),
                    )
                    found = [SuiteAnswer.model_validate(entry) for entry in values["answers"]]
                    answers |= {answer.id: answer for answer in found}
            ordered = [answers[sample.id] for sample in suite.samples]
            self.answers += ordered
            self.suites.append(suites.result(suite, ordered))
        self.numbers += suites.summarise(self.suites)
        return decision.judge_suites(self.numbers, self.suites)

    def _measure_suite(self, suite: Suite, samples: Sequence[Sample]) -> Measured:
        said = [suites.answer(suite, samples, arm) for arm in (self.arms.base, self.arms.tuned)]
        answers = [
            SuiteAnswer(
                suite=suite.name,
                id=sample.id,
                question=suite.context(sample),
                expected=suites.expected(sample),
                base=base.said,
                tuned=tuned.said,
                base_right=base.right,
                tuned_right=tuned.right,
            )
            for sample, base, tuned in zip(samples, *said, strict=True)
        ]
        return Measured({"answers": [answer.model_dump() for answer in answers]})

    def _judge(self) -> Stage:
        judge, config = self.plan.judge, self.plan.config
        if judge is None:
            return Stage(name="judge", state="skip", note="No judge was asked for.")
        self._run.add_plugin("judge", judge.name, judge.source, judge.sha256)
        picked = pairwise.pick(self.items, config.judge_pairs, config.seed)
        shown = [pairwise.pair_item(item, self.plan.passages) for item in picked[: config.canaries]]
        if shown:
            self.canary_failures = self._unit(
                "judge/canaries",
                lambda: _canary_values(run_canaries(judge, self.judge_model, shown)),
            )["failures"]
        judged: list[pairwise.Judged] = []
        for number, batch in _batches(picked, UNIT_PAIRS):
            values = self._unit(
                f"judge/{number:04d}", functools.partial(self._measure_judge, batch)
            )
            judged += [pairwise.Judged(**entry) for entry in values["judged"]]
        notes = {entry.id: entry for entry in judged}
        self.items = [_with_verdict(item, notes.get(item.id)) for item in self.items]
        self.numbers += pairwise.summarise(judged, config.seed)
        return decision.judge_judge(self.numbers, self.canary_failures or ())

    def _measure_judge(self, items: Sequence[Item]) -> Measured:
        if self.plan.judge is None:
            raise ValueError("no judge was planned")
        judged, verdicts = pairwise.measure(
            self.plan.judge, self.judge_model, items, self.plan.passages
        )
        spent = {"judge_calls": float(len(verdicts))}
        prices = [verdict.usd for verdict in verdicts if verdict.usd is not None]
        if len(prices) == len(verdicts):  # a sum that leaves out unknown prices would be a lie
            spent["usd"] = sum(prices)
        return Measured({"judged": pairwise.values(judged)}, {"verdicts": verdicts}, totals=spent)

    @functools.cached_property
    def judge_model(self) -> ChatModel:
        """Who plays the judge: the model asked for, else the base without the adapter."""
        config = self.plan.config
        if config.judge_model is None and config.judge_base_url is None:
            return self.arms.base
        return open_model(
            config.judge_model or config.model,
            base_url=config.judge_base_url,
            concurrency=config.concurrency,
            batch_size=config.batch_size,
            workspace=self._workspace,
        )


def _canary_values(report: Any) -> Measured:  # a CanaryReport
    rows = [dataclasses.asdict(row) for row in report.rows]
    return Measured({"failures": list(report.failures), "rows": rows})


def _with_verdict(item: Item, judged: pairwise.Judged | None) -> Item:
    if judged is None:
        return item
    return item.model_copy(update={"judge": judged.outcome, "judge_note": judged.note})


def _batches(values: Sequence[Any], size: int) -> Iterable[tuple[int, Sequence[Any]]]:
    for number, start in enumerate(range(0, len(values), size)):
        yield number, values[start : start + size]
