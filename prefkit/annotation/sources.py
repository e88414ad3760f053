"""What is pushed: candidates or examples of a run, with passages and judges' opinions."""

import dataclasses
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from prefkit.annotation import doubt
from prefkit.annotation.layouts import LoadedLayout, load_layout
from prefkit.annotation.tasks import Made, Shown, answer_tasks, review_tasks
from prefkit.config import AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input, read_manifest, run_of
from prefkit.reading import lacks, load_records
from prefkit.records import Candidate, Chunk, Example, Judgment, content_id
from prefkit.storage import read_records, sha256_of
from prefkit.workspace import Workspace, stream_files

LAYOUT_OF = {
    "candidates": "ranking",
    "judge": "ranking",
    "eval": "human_eval",
    "generate": "qa_review",
    "clean": "qa_review",
}


@dataclasses.dataclass(frozen=True)
class Sources:
    """What was read.

    Attributes:
        loaded: The layout.
        made: Tasks in the suggested order, with their places.
        opinions: Judgments of judges by prompt, for suggestions; empty unless asked for.
        inputs: For the manifest.
    """

    loaded: LoadedLayout
    made: Made
    opinions: Mapping[str, list[Judgment]]
    inputs: tuple[Input, ...]


def read_sources(
    source: str, config: AnnotateConfig, workspace: Workspace, only: Container[str] | None
) -> Sources:
    """Tasks of a SOURCE in the suggested order.

    Raises:
        PrefkitError: Something is missing, malformed, or there is nothing to push.
    """
    loaded = load_layout(config.layout or _layout_for(source, workspace), workspace)
    upstream = config.examples or _run_of(source, workspace)
    if loaded.layout.kind == "review":
        examples = load_records(config.examples or source, "examples", Example, workspace)
        inputs = examples.inputs
    else:
        candidates = load_records(source, "candidates", Candidate, workspace)
        examples = load_records(upstream or source, "examples", Example, workspace)
        inputs = (*candidates.inputs, *examples.inputs)
    chunks, more = _chunks(upstream, workspace) if loaded.layout.show.passage else ({}, ())
    inputs += more
    if loaded.layout.kind == "review":
        made = review_tasks(examples.records, chunks, loaded)
    else:
        made = answer_tasks(examples.records, candidates.records, chunks, loaded, config.seed)
    if only is not None:
        kept = tuple(one for one in made.shown if one.task.prompt_id in only)
        made = dataclasses.replace(made, shown=kept)
    if not made.shown:
        why = {drop.rule: drop.detail for drop in made.dropped}
        reasons = "; ".join(f"{rule} ({detail})" for rule, detail in why.items())
        raise PrefkitError(
            f"{source}: nothing for people to see: {reasons or 'no records'}.",
            hint="`prefkit runs show` lists what a run holds. Files of candidates need "
            "`--examples SOURCE`.",
        )
    doubts = _unsure_of(source, examples.records) if config.order == "confidence" else {}
    made, opinions, more = _opinions(source, made, loaded, config, workspace, doubts)
    files = tuple(_content(path, workspace) for path in loaded.files)
    return Sources(loaded, made, opinions, (*inputs, *more, *files))


def _content(path: Path, workspace: Workspace) -> Input:
    """A layout or guideline as an input: another wording is another push."""
    inside = path.resolve().is_relative_to(workspace.root)
    shown = workspace.show(path) if inside else f"bundled {path.parent.name}/{path.name}"
    return Input(path=shown, sha256=sha256_of(path))


def _layout_for(source: str, workspace: Workspace) -> str:
    run = None
    if source != "-":
        run = run_of(Path(source)) if Path(source).is_file() else workspace.run_folder(source)
    stage = read_manifest(run).stage if run else ""
    if stage not in LAYOUT_OF:
        raise PrefkitError(
            f"{source}: which layout? {f'A {stage} run' if stage else 'A file'} does not tell.",
            hint="Say `--layout ranking`, `--layout qa_review` or `--layout human_eval`.",
        )
    return LAYOUT_OF[stage]


def _run_of(source: str, workspace: Workspace) -> str | None:
    """The run whose lineage holds what SOURCE was made from, if there is one."""
    if source == "-" or Path(source).is_file():
        run = None if source == "-" else run_of(Path(source))
        return str(run) if run else None
    return source


def _chunks(
    upstream: str | None, workspace: Workspace
) -> tuple[dict[str, Chunk], tuple[Input, ...]]:
    """Chunks by id from the runs before; none when they are not at hand."""
    if upstream is None or Path(upstream).is_file():
        run = run_of(Path(upstream)) if upstream else None
        if run is None:
            return {}, ()
        upstream = str(run)
    for run in workspace.lineage(workspace.run_folder(upstream)):
        files = stream_files(run, "chunks")
        if files:
            chunks = (chunk for file in files for chunk in read_records(file, Chunk))
            inputs = tuple(Input.of(file, workspace) for file in files)
            return {chunk.id: chunk for chunk in chunks}, inputs
    return {}, ()


def _unsure_of(source: str, examples: Iterable[Example]) -> dict[str, float]:
    """How little there is to say for each example, from 0 to 1.

    Raises:
        PrefkitError: None of them says.
    """
    found: dict[str, float] = {}
    for example in examples:
        try:
            value = float(example.metadata.get("confidence", ""))
        except ValueError:
            continue
        if 0 <= value <= 1:
            found[example.id] = 1 - value
    if not found:
        raise PrefkitError(
            f"{source}: no example has a `confidence` in its metadata from 0 to 1.",
            hint="`prefkit generate` writes one; for other sets push with `--order random`.",
        )
    return found


def _opinions(
    source: str,
    made: Made,
    loaded: LoadedLayout,
    config: AnnotateConfig,
    workspace: Workspace,
    doubts: Mapping[str, float],
) -> tuple[Made, Mapping[str, list[Judgment]], tuple[Input, ...]]:
    """Tasks in the suggested order and, when asked for, what judges say of them."""
    inputs: tuple[Input, ...] = ()
    opinions: Mapping[str, list[Judgment]] = {}
    if config.suggest:
        if loaded.layout.kind == "review":
            raise PrefkitError(
                "--suggest: judges compare answers, so they have nothing to suggest in a review.",
                hint="Leave --suggest out; the box for the edit holds the answer already.",
            )
        found = load_records(config.suggest, "judgments", Judgment, workspace)
        opinions, inputs = doubt.by_prompt(found.records), found.inputs
    if config.order == "active":
        judged = config.judged or config.suggest or source
        if lacks(judged, "judgments", workspace):
            raise PrefkitError(
                f"{judged}: nobody has judged these, so there is no active order.",
                hint="Judge them first (`prefkit judge @candidates --judge NAME`), then push with "
                "`--order active --judged @judge`.",
            )
        found = load_records(judged, "judgments", Judgment, workspace)
        inputs += found.inputs
        by_prompt = doubt.by_prompt(found.records)
        doubts = {name: doubt.doubt(found) for name, found in by_prompt.items()}
    shown = _ordered(made.shown, doubts, config)
    return dataclasses.replace(made, shown=shown), opinions, inputs


def _ordered(
    shown: Sequence[Shown], doubts: Mapping[str, float], config: AnnotateConfig
) -> tuple[Shown, ...]:
    """The most doubtful first (what no judge saw counts as doubtful), at random, or as they are."""
    if config.order == "source":
        return tuple(shown)
    unknown = doubt.UNJUDGED if doubts else 0.0

    def rank(one: Shown) -> tuple[float, str]:
        name = one.task.prompt_id
        return -doubts.get(name, unknown), content_id("order", config.seed, name)

    return tuple(sorted(shown, key=rank))
