from prefkit.config import CandidatesConfig, CleanConfig, GenerateConfig, JudgeConfig, PairsConfig
from prefkit.manifest import Input
from prefkit.records import (
    Candidate,
    Chunk,
    Document,
    Example,
    Judgment,
    PreferencePair,
    Quote,
    assistant,
    user,
)
from prefkit.runs import Plan, Run, Settings
from prefkit.trace import describe, lineage_lines, trace

DOCUMENT = Document(text="The winch holds 400 kg.", source="manual.pdf", sha256="0" * 64)
CHUNK = Chunk(
    document_id=DOCUMENT.id, text=DOCUMENT.text, start=0, end=23, page=3, headings=("Winch",)
)
EXAMPLE = Example(
    prompt=user("What does the winch hold?"),
    reference="400 kg.",
    quotes=(Quote(chunk_id=CHUNK.id, start=0, end=23),),
)
GOOD, BAD = (
    Candidate(prompt_id=EXAMPLE.id, completion=assistant(text), model="m")
    for text in ("400 kg.", "A boat.")
)
JUDGMENT = Judgment(
    prompt_id=EXAMPLE.id, ratings={GOOD.id: 1.0, BAD.id: 0.0}, annotator="rule", source="rule"
)
PAIR = PreferencePair(
    prompt=EXAMPLE.prompt,
    chosen=GOOD.completion,
    rejected=BAD.completion,
    prompt_id=EXAMPLE.id,
    chosen_id=GOOD.id,
    rejected_id=BAD.id,
    margin=1.0,
    votes_for=1,
    source="rule",
)


def make_run(workspace, stage, config, streams, upstream=()):
    inputs = tuple(Input.of(path, workspace) for path in upstream)
    with Run.start(Plan(stage, config, inputs), Settings(workspace)) as run:
        run.record("all", streams)
        run.finish(["all"])
    return [run.path / "data" / f"{name}.jsonl" for name in streams]


def test_a_pair_is_walked_back_to_the_page_of_its_document(workspace):
    made = make_run(
        workspace,
        "generate",
        GenerateConfig(),
        {"documents": [DOCUMENT], "chunks": [CHUNK], "examples": [EXAMPLE]},
    )
    examples = make_run(workspace, "clean", CleanConfig(), {"examples/train": [EXAMPLE]}, made[2:])
    candidates = make_run(
        workspace, "candidates", CandidatesConfig(), {"candidates": [GOOD, BAD]}, examples
    )
    judged = make_run(workspace, "judge", JudgeConfig(), {"judgments": [JUDGMENT]}, candidates)
    make_run(workspace, "pairs", PairsConfig(), {"pairs/train": [PAIR]}, judged)

    steps = trace("@pairs", PAIR.id[:6], workspace)
    assert [(s.stream, s.row["id"]) for s in steps] == [
        ("pairs", PAIR.id),
        ("judgments", JUDGMENT.id),
        ("candidates", GOOD.id),
        ("candidates", BAD.id),
        ("examples", EXAMPLE.id),
        ("chunks", CHUNK.id),
        ("documents", DOCUMENT.id),
    ]
    said = "\n".join(describe(step) for step in steps)
    assert "manual.pdf" in said
    assert "page 3" in said
    assert next(s.row["id"] for s in trace("@pairs", None, workspace)) == PAIR.id
    assert [
        line.split("-")[0] for line in lineage_lines("@pairs", workspace) if line[0] != " "
    ] == [
        "pairs",
        "judge",
        "candidates",
        "clean",
        "generate",
    ]
