"""`prefkit pairs`: plan, run and card."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from prefkit import console
from prefkit.config import PairsConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input, run_of
from prefkit.pairs.balance import LengthBias, Thumbs, count_thumbs, length_bias
from prefkit.pairs.make import Paired, make_pairs
from prefkit.pairs.ratings import Scale
from prefkit.pairs.sift import STAGE
from prefkit.reading import lacks, load_records
from prefkit.records import Candidate, Example, Judgment, Record
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, write_jsonl
from prefkit.workspace import Workspace, stream_files

AnyRecord = TypeVar("AnyRecord", bound=Record)
BLOCK = 1000  # records written at a time
MADE_BY = {
    "judgments": "prefkit judge @candidates",
    "candidates": "prefkit candidates @clean",
    "examples": "prefkit clean @generate",
}


@dataclasses.dataclass(frozen=True)
class PairsPlan(Plan):
    """A plan that holds what it read.

    Attributes:
        examples: The prompts.
        candidates: What was judged.
        judgments: By whom and how.
    """

    config: PairsConfig
    examples: tuple[Example, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    judgments: tuple[Judgment, ...] = ()


def plan_pairs(
    sources: str | Sequence[str], config: PairsConfig, workspace: Workspace
) -> PairsPlan:
    """Read judgments, the candidates they judge and the examples these answer.

    Args:
        sources: One or several sources of judgments: runs, @stage, `-` or files.
        config: The `[pairs]` table; its `candidates` and `examples` say where these are when the
            sources do not lead there.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: Something is missing (names the command that makes it) or malformed.
    """
    sources = (sources,) if isinstance(sources, str) else tuple(sources)
    judgments, inputs = _load(sources, "judgments", Judgment, workspace)
    upstream = _runs_of(sources)
    named = (config.candidates,) if config.candidates else ()
    candidates, more = _load(named or upstream, "candidates", Candidate, workspace)
    inputs += more
    named = (config.examples,) if config.examples else ()
    upstream = named or (*_runs_of([config.candidates or "-"]), *upstream)
    examples, more = _load(upstream, "examples", Example, workspace)
    inputs += more
    judged = {judgment.prompt_id for judgment in judgments}
    earlier, more = _earlier(judged - {example.id for example in examples}, upstream, workspace)
    examples, inputs = [*examples, *earlier], [*inputs, *more]
    left_out = _beyond(config.limit, [e.id for e in examples if e.id in judged])
    return PairsPlan(
        stage=STAGE,
        config=config,
        inputs=tuple({entry.path: entry for entry in inputs}.values()),
        counts={
            "prompts": len(judged - left_out),
            "candidates": len(candidates),
            "judgments": len(judgments),
        },
        examples=tuple(example for example in examples if example.id not in left_out),
        candidates=tuple(c for c in candidates if c.prompt_id not in left_out),
        judgments=tuple(j for j in judgments if j.prompt_id not in left_out),
    )


def run_pairs(plan: PairsPlan, settings: Settings) -> Run:
    """Make pairs and thumbs of the planned judgments into a run folder.

    Raises:
        PrefkitError: The judgments support not a single pair or thumb.
    """
    with Run.start(plan, settings) as run:
        if run.finished:
            return run
        paired = make_pairs(plan.examples, plan.candidates, plan.judgments, plan.config)
        if not paired.pairs and not paired.unpaired:
            raise _nothing(run, paired)
        _warn(plan, paired)
        blocks = _blocks(paired)
        for unit in run.pending(blocks):
            first = unit == next(iter(blocks))
            run.record(
                unit,
                blocks[unit],
                paired.dropped if first else (),
                _totals(paired) if first else None,
            )
        run.finish(list(blocks), card=_card(plan, paired))
    return run


def _load(
    sources: Sequence[str], stream: str, model: type[AnyRecord], workspace: Workspace
) -> tuple[list[AnyRecord], list[Input]]:
    """Records of one kind from all sources, each file once."""
    if not sources:
        raise PrefkitError(
            f"A file of judgments does not say where the {stream} are.",
            hint=f"Name them with `--{stream} FILE`, or `--{stream} @stage`.",
        )
    records: list[AnyRecord] = []
    inputs: list[Input] = []
    for source in dict.fromkeys(sources):
        if lacks(source, stream, workspace):
            raise PrefkitError(
                f"{source}: neither this run nor the runs it was made from hold {stream}.",
                hint=f"Make them first: `{MADE_BY[stream]}`.",
            )
        loaded = load_records(source, stream, model, workspace)
        records += loaded.records
        inputs += loaded.inputs
    return list({record.id: record for record in records}.values()), inputs


def _earlier(
    missing: set[str], sources: Sequence[str], workspace: Workspace
) -> tuple[list[Example], list[Input]]:
    """Judged examples that the nearest run left out: a review judges those it drops or edits too.

    They are looked for in all runs before it, nearest first.
    """
    found: dict[str, Example] = {}
    inputs: list[Input] = []
    runs = [source for source in sources if source != "-" and not Path(source).is_file()]
    for source in runs if missing else ():
        for run in workspace.lineage(workspace.run_folder(source)):
            for file in stream_files(run, "examples"):
                mine = [e for e in read_records(file, Example) if e.id in missing - found.keys()]
                found |= {example.id: example for example in mine}
                inputs += [Input.of(file, workspace)] if mine else []
    return list(found.values()), inputs


def _runs_of(sources: Sequence[str]) -> tuple[str, ...]:
    """The runs that sources are or lie in; files elsewhere lead nowhere."""
    found = []
    for source in sources:
        if source == "-":
            continue
        if Path(source).is_file():
            run = run_of(Path(source))
            found += [str(run)] if run else []
        else:
            found.append(source)
    return tuple(found)


def _beyond(limit: int | None, prompts: Sequence[str]) -> set[str]:
    return set() if limit is None else set(prompts[limit:])


def _blocks(paired: Paired) -> dict[str, dict[str, list[Record]]]:
    """Units of work: up to BLOCK records of one kind, by stream."""
    blocks: dict[str, dict[str, list[Record]]] = {}
    for name, records in (("pairs", paired.pairs), ("unpaired", paired.unpaired)):
        for start in range(0, max(len(records), 1), BLOCK):
            part = records[start : start + BLOCK]
            blocks[f"{name}-{start:08d}"] = {
                f"{name}/{split}": [record for record in part if record.split == split]
                for split in ("train", "test")
            }
    if paired.edits:
        blocks["edits"] = {"edits": list(paired.edits)}
    return blocks


def _nothing(run: Run, paired: Paired) -> PrefkitError:
    path = run.path / "dropped.jsonl"
    write_jsonl(path, paired.dropped)
    why = ", ".join(f"{count} {rule}" for rule, count in paired.dropped_by_rule.items())
    return PrefkitError(
        f"The judgments of {paired.prompts} prompts support no pair: {why or 'nothing to judge'}.",
        hint=f"Each reason is in {path}. A lower `--margin` lets closer pairs in.",
    )


def _warn(plan: PairsPlan, paired: Paired) -> None:
    if not any(pair.split == "train" for pair in paired.pairs):
        console.say("warning: no pair is left to train on; see dropped.jsonl for the reasons.")
    if not any(example.split for example in plan.examples):
        console.say(
            "warning: these examples carry no split, so nothing is held out. "
            "`prefkit clean` draws one by document and near duplicate."
        )
    share = length_bias(paired.pairs).share
    if share.above(0.5):
        console.say(
            f"warning: the chosen side is the longer one in {share.value:.0%} of {share.n} pairs "
            f"({share.low:.0%} to {share.high:.0%}, {share.method}); "
            "a model can learn length instead of quality."
        )


def _totals(paired: Paired) -> dict[str, float]:
    bias, thumbs = length_bias(paired.pairs), count_thumbs(_train(paired))
    totals: dict[str, float] = {
        "prompts": paired.prompts,
        "cycles": paired.cycles,
        "chosen_longer": bias.longer,
        "chosen_shorter": bias.shorter,
        "desirable": thumbs.desirable,
        "undesirable": thumbs.undesirable,
    }
    if thumbs.weights:
        totals["desirable_weight"], totals["undesirable_weight"] = thumbs.weights
    return totals


def _train(paired: Paired) -> list:
    return [row for row in paired.unpaired if row.split == "train"]


def _card(plan: PairsPlan, paired: Paired) -> str:
    config = plan.config
    against = "its prompt's average" if config.labels == "siblings" else "0.5"
    return f"""\
{len(paired.pairs)} of {paired.prompts} judged prompts give a pair.

- Strength on 0..1: Bradley-Terry chance against an average sibling (ranks, edits; symmetric \
prior of half a win and half a loss), or mean rating, or the mean of both. Where a person judged \
a prompt, only people count, and where an adjudicator settled it, only the adjudicator. A pair is \
the strongest completion that is neither empty nor cut off against the weakest, at least \
{config.margin:g} apart.
- {_ratings_line(paired.scales)}
- In {paired.cycles} prompts majorities contradict each other in a circle.
- {_length_line(length_bias(paired.pairs))}
- {_kto_line(count_thumbs(_train(paired)))} A thumb lies at least {config.label_margin:g} from \
{against}.
"""


def _ratings_line(read_as: dict[str, Scale]) -> str:
    if not read_as:
        return "No ratings, only comparisons."
    return (
        "Ratings were read as "
        + "; ".join(f"{name}: " + _scale_words(scale) for name, scale in sorted(read_as.items()))
        + "."
    )


def _scale_words(scale: Scale) -> str:
    if scale.worst == scale.best:
        return f"unknown scale, so all {scale.ratings} count as 0.5 (set `--rating-scale`)"
    how = "given" if scale.given else f"read off {scale.ratings} ratings"
    return f"{scale.worst:g} worst, {scale.best:g} best ({how})"


def _length_line(bias: LengthBias) -> str:
    share = bias.share
    if not share.n:
        return "Length bias: no pairs."
    return (
        f"Length bias: the chosen side is the longer one in {share.value:.1%} of {share.n} pairs "
        f"(equal ones half; {share.low:.1%} to {share.high:.1%}, {share.method}); median length "
        f"ratio {bias.ratio:.2f}."
    )


def _kto_line(thumbs: Thumbs) -> str:
    counts = f"KTO: {thumbs.desirable} thumbs up and {thumbs.undesirable} down to train on"
    if thumbs.weights is None:
        return f"{counts}; KTO needs both kinds."
    up, down = thumbs.weights
    return f"{counts}; use `desirable_weight={up:g}, undesirable_weight={down:g}`."
