"""`prefkit pairs`: what a run reads before it makes anything."""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from prefkit.config import PairsConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input, run_of
from prefkit.memory import records_stay
from prefkit.pairs.ids import by_id
from prefkit.pairs.loading import read_files, read_opinions
from prefkit.pairs.opinions import Opinions, opinions_of
from prefkit.pairs.sift import STAGE
from prefkit.reading import files_of, lacks
from prefkit.records import Candidate, Example, Record
from prefkit.runs import Plan
from prefkit.storage import read_records
from prefkit.workspace import Workspace, stream_files

AnyRecord = TypeVar("AnyRecord", bound=Record)
MADE_BY = {
    "judgments": "prefkit judge @candidates",
    "candidates": "prefkit candidates @clean",
    "examples": "prefkit clean @generate",
}
TELLING = {"candidates": ("prompt_id", "completion"), "examples": ("prompt",)}


@dataclasses.dataclass(frozen=True)
class PairsPlan(Plan):
    """A plan that holds what it read.

    Attributes:
        examples: The prompts.
        candidates: What was judged.
        opinions: Who judged them and how.
    """

    config: PairsConfig
    examples: tuple[Example, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    opinions: Opinions = dataclasses.field(default_factory=lambda: opinions_of(()))


@records_stay()
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
    files = _files(sources, "judgments", workspace)
    upstream = _runs_of(sources)
    named = (config.candidates,) if config.candidates else ()
    answered = named or upstream
    named = (config.examples,) if config.examples else ()
    upstream = named or (*_runs_of([config.candidates or "-"]), *upstream)
    with ThreadPoolExecutor(1) as aside:  # while processes read the judgments
        others = aside.submit(_judged, files, answered, upstream, workspace)
        opinions = read_opinions(files)
    _refuse_empty(sources, "judgments", len(opinions))
    candidates, examples, inputs = others.result()
    judged = set(opinions.said["prompt"].unique().to_pylist())
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
            "judgments": len(opinions),
        },
        examples=tuple(example for example in examples if example.id not in left_out),
        candidates=tuple(c for c in candidates if c.prompt_id not in left_out),
        opinions=opinions.without_prompts(left_out),
    )


def _files(sources: Sequence[str], stream: str, workspace: Workspace) -> list[Path]:
    """Files of one kind of records from all sources, each once."""
    if not sources:
        raise PrefkitError(
            f"A file of judgments does not say where the {stream} are.",
            hint=f"Name them with `--{stream} FILE`, or `--{stream} @stage`.",
        )
    files: dict[Path, None] = {}
    for source in dict.fromkeys(sources):
        if lacks(source, stream, workspace):
            raise PrefkitError(
                f"{source}: neither this run nor the runs it was made from hold {stream}.",
                hint=f"Make them first: `{MADE_BY[stream]}`.",
            )
        files |= dict.fromkeys(files_of(source, stream, workspace))
    return list(files)


def _judged(
    files: Sequence[Path], answered: Sequence[str], asked: Sequence[str], workspace: Workspace
) -> tuple[list[Candidate], list[Example], list[Input]]:
    """Candidates and examples, and all files by hash, those of the judgments first."""
    inputs = [Input.of(file, workspace) for file in files]
    candidates, more = _load(answered, "candidates", Candidate, workspace)
    examples, most = _load(asked, "examples", Example, workspace)
    return candidates, examples, [*inputs, *more, *most]


def _load(
    sources: Sequence[str], stream: str, model: type[AnyRecord], workspace: Workspace
) -> tuple[list[AnyRecord], list[Input]]:
    """Records of one kind from all sources, each once."""
    files = _files(sources, stream, workspace)
    where = ", ".join(map(str, files))
    records = by_id(read_files(files, model), *TELLING[stream], where=where)
    _refuse_empty(sources, stream, len(records))
    return list(records.values()), [Input.of(file, workspace) for file in files]


def _refuse_empty(sources: Sequence[str], stream: str, count: int) -> None:
    if not count:
        raise PrefkitError(
            f"{', '.join(sources)}: holds no {stream}.",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )


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
