"""Ask a judge about pairs and their counterfactuals, and keep what it says."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefkit.audit.audited import Audited
from prefkit.audit.exchanged_pairs import Judged, Sources, Twins, twins
from prefkit.audit.term_lists import load_terms
from prefkit.chat import ChatModel
from prefkit.errors import PrefkitError
from prefkit.judging.cards import JudgeCard, load_judge
from prefkit.judging.pairwise import PairItem, PairVerdict, compare, decided
from prefkit.judging.rules import PREFIX, Rule, load_rule
from prefkit.records import Candidate, Example, Messages, Verdict
from prefkit.runs import Run
from prefkit.storage import write_jsonl
from prefkit.workspace import Workspace

UNIT: Final = "counterfactual"
STREAM: Final = "verdicts"
BATCH = 4  # pairs a unit of work: 16 calls


def open_judge(name: str, workspace: Workspace) -> JudgeCard:
    """A judge's folder, one in Python, or a rule as a judge: the better rated side wins.

    Raises:
        PrefkitError: There is no such judge, or its files are wrong.
    """
    if not name.startswith(PREFIX):
        return load_judge(name, workspace)
    rule = load_rule(name, workspace)
    return JudgeCard(
        question=rule.says or rule.name,
        needs="reference",
        name=rule.name,
        sha256=rule.sha256,
        source=rule.source,
        code=_ByRule(rule),
    )


@dataclasses.dataclass(frozen=True)
class _ByRule:
    """A rule that rates single answers, as a judge of two."""

    rule: Rule

    def compare(self, prompt: Messages, a: Messages, b: Messages, reference: str) -> str:
        example = Example(prompt=prompt, reference=reference)
        one, other = (
            self.rule.rate(
                example, Candidate(prompt_id=example.id, completion=side, model="a pair")
            )
            for side in (a, b)
        )
        return "a" if one > other else "b" if other > one else "tie"


def drawn(audited: Audited, judge: JudgeCard) -> list[Twins]:
    """The pairs that are asked about, with what the judge needs.

    Raises:
        PrefkitError: A list of terms is wrong.
    """
    config = audited.config
    sources = _sources(audited) if judge.needs != "nothing" else Sources()
    lists = load_terms(audited.workspace)
    return twins(audited.records, lists, config.counterfactual, config.seed, sources)


def _sources(audited: Audited) -> Sources:
    """References and passages of the examples that pairs answer."""
    wanted = {getattr(row.record, "prompt_id", "") for row in audited.records} - {""}
    examples = [e for e in audited.stream("examples", Example) if e.id in wanted]
    passages = {}
    for example in examples:
        names = dict.fromkeys(quote.chunk_id for quote in example.quotes)
        found = [audited.chunks[name].text for name in names if name in audited.chunks]
        passages[example.id] = "\n\n".join(found)
    return Sources({example.id: example.reference for example in examples}, passages)


def can_see(judge: JudgeCard, one: Twins) -> bool:
    """Whether there is what the judge needs beside the pair."""
    return judge.needs == "nothing" or all(getattr(item, judge.needs) for item in one.items)


def ask(
    asked: Sequence[Twins],
    audited: Audited,
    run: Run | None,
    judge: JudgeCard,
    model: ChatModel | None,
) -> list[Judged]:
    """Verdicts on all twins; those that an interrupted run has are not asked for again.

    Args:
        asked: The pairs.
        audited: Says which model plays the judge when none is given.
        run: Keeps the verdicts, if any.
        judge: Who is asked.
        model: Who plays the judge.

    Raises:
        PrefkitError: The model cannot be opened, or the pairs are not those of the run's start.
    """
    units = {
        f"{UNIT}-{start // BATCH:05d}": asked[start : start + BATCH]
        for start in range(0, len(asked), BATCH)
    }
    pending = list(units) if run is None else run.pending(units)
    if pending and model is None and judge.code is None:
        model = _open(audited)
    if run is not None:
        run.add_plugin("judge", judge.name, judge.source, judge.sha256)
        if model is not None:
            run.set_device(model.device)
    judged: list[Judged] = []
    for unit, batch in units.items():
        if run is not None and unit not in pending:
            judged += _read_back(batch, run.records_of(unit, STREAM))
            continue
        made = compare(judge, model, [item for one in batch for item in one.items])
        if run is not None:
            run.record(unit, {STREAM: [v for pair in made for v in pair.verdicts]})
        judged += [Judged(one, *made[2 * at : 2 * at + 2]) for at, one in enumerate(batch)]
    if run is not None:
        _deliver(run, judged)
    return judged


def _open(audited: Audited) -> ChatModel:
    from prefkit.chat import open_model

    config = audited.config
    return open_model(
        config.model,
        base_url=config.base_url,
        adapter=config.adapter,
        concurrency=config.concurrency,
        batch_size=config.batch_size,
        workspace=audited.workspace,
    )


def _read_back(batch: Sequence[Twins], rows: Sequence[dict[str, Any]]) -> list[Judged]:
    found = [Verdict.model_validate(row) for row in rows]
    said = {(verdict.sample_id, verdict.swapped): verdict for verdict in found}
    try:
        return [Judged(one, *(_both(item, said) for item in one.items)) for one in batch]
    except KeyError as error:
        raise PrefkitError(
            "The lists of terms changed since the run was interrupted: other pairs would be asked.",
            hint="Put them back, or start a new run.",
        ) from error


def _both(item: PairItem, said: Mapping[tuple[str, bool], Verdict]) -> PairVerdict:
    return decided(item, (said[item.sample_id, False], said[item.sample_id, True]))


def _verdicts(judged: Sequence[Judged]) -> list[Verdict]:
    return [v for one in judged for pair in (one.original, one.exchanged) for v in pair.verdicts]


def _deliver(run: Run, judged: Sequence[Judged]) -> None:
    verdicts = _verdicts(judged)
    write_jsonl(run.path / "data" / f"{STREAM}.jsonl", verdicts)
    totals: dict[str, float] = {
        "calls": len(verdicts),
        "tokens": sum(verdict.tokens for verdict in verdicts),
        "unscored": sum(verdict.winner is None for verdict in verdicts),
    }
    prices = [verdict.usd for verdict in verdicts if verdict.usd is not None]
    if len(prices) == len(verdicts):
        totals["usd"] = sum(prices)
    run.deliver({STREAM: len(verdicts)}, {}, totals)
