"""Small runs as earlier stages leave them: examples with passages, and their candidates."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prefkit import runs
from prefkit.config import (
    CandidatesConfig,
    CleanConfig,
    EvalConfig,
    GenerateConfig,
    JudgeConfig,
    StageConfig,
)
from prefkit.records import Candidate, Chunk, Example, Quote, Record, assistant, user
from prefkit.workspace import Workspace

CONFIGS: dict[str, type[StageConfig]] = {
    "generate": GenerateConfig,
    "clean": CleanConfig,
    "candidates": CandidatesConfig,
    "judge": JudgeConfig,
    "eval": EvalConfig,
}


def make_run(
    workspace: Workspace,
    stage: str,
    streams: Mapping[str, Sequence[Record]],
    inputs: Sequence[Path] = (),
) -> Path:
    """A finished run of `stage` that holds `streams` and was made from `inputs`."""
    found = tuple(runs.Input.of(path, workspace) for path in inputs)
    plan = runs.Plan(stage, CONFIGS[stage](), inputs=found)
    with runs.Run.start(plan, runs.Settings(workspace, argv=("test",))) as run:
        run.record("all", streams)
        run.finish(["all"])
    return run.path


def chunk(number: int) -> Chunk:
    text = f"Hut {number} has {number + 10} beds. Ring the keeper of hut {number} first."
    return Chunk(document_id="d1", text=text, start=100 * number, end=100 * number + len(text))


def example(number: int, split: str | None = "train") -> Example:
    source = chunk(number)
    return Example(
        prompt=user(f"How many beds has hut {number}?"),
        reference=f"Hut {number} has {number + 10} beds.",
        quotes=(Quote(chunk_id=source.id, start=0, end=source.text.index(".") + 1),),
        generator="made",
        split=split,
    )


def candidates(one: Example, count: int) -> list[Candidate]:
    return [
        Candidate(
            prompt_id=one.id,
            completion=assistant(f"{one.reference} Take {place}."),
            model=f"model-{place}",
            seed=place,
        )
        for place in range(count)
    ]


def ranking_source(workspace: Workspace, counts: Sequence[int]) -> Path:
    """A candidates run over a clean run: one prompt for each number of candidates."""
    examples = [example(number) for number in range(len(counts))]
    chunks = [chunk(number) for number in range(len(counts))]
    clean = make_run(workspace, "clean", {"examples/train": examples, "chunks": chunks})
    found = [
        candidate
        for one, count in zip(examples, counts, strict=True)
        for candidate in candidates(one, count)
    ]
    inputs = [clean / "data" / "examples" / "train.jsonl"]
    return make_run(workspace, "candidates", {"candidates": found}, inputs)
