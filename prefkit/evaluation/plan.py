"""What an evaluation reads and would do, known before any weight is loaded."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from prefkit import plugins, runs
from prefkit.chat import adapter_folder
from prefkit.config import EvalConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.evaluation.human_sheets import SheetLayout, load_layout
from prefkit.evaluation.suites import Suite, load_suite
from prefkit.judging import JudgeCard, load_judge
from prefkit.manifest import run_of
from prefkit.reading import Loaded, load_records
from prefkit.records import Chunk, Dropped, Example, PreferencePair, text_of
from prefkit.workspace import Workspace, stream_files

STAGE = "eval"
NEUTRAL = "neutral.txt"
UNIT_ITEMS = 16  # items a unit of work; cut from the whole plan
UNIT_PAIRS = 8  # pairs a unit of judging


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalPlan(runs.Plan):
    """A planned evaluation, with what it read.

    Attributes:
        examples: Held-out examples.
        pairs: Held-out preference pairs; may be empty.
        adapter: Folder of the adapter.
        suites: Benchmark suites.
        judge: Who compares the completions; None when nobody is asked.
        passages: What the documents say, by example id, for judges that need it.
        neutral: Paragraphs of neutral text.
        layout: Words of the blind workbooks.
        dropped: What cannot be evaluated, with the reason.
    """

    config: EvalConfig
    examples: tuple[Example, ...]
    pairs: tuple[PreferencePair, ...]
    adapter: Path
    suites: tuple[Suite, ...]
    judge: JudgeCard | None
    passages: dict[str, str]
    neutral: tuple[str, ...]
    layout: SheetLayout
    dropped: tuple[Dropped, ...]


def plan_eval(source: str, config: EvalConfig, workspace: Workspace) -> EvalPlan:
    """Read the held-out data, the suites and the judge, and check that all of it fits together.

    Args:
        source: Held-out examples: a `clean` run, @stage, or a file in which every row is held out.
        config: The `[eval]` table.
        workspace: Where runs, suites and judges are looked for.

    Raises:
        PrefkitError: Something is missing, malformed, or the request makes no comparison.
    """
    adapter = adapter_folder(_comparable(config), workspace)
    examples = _held_out(source, workspace)
    pairs = _pairs(config, adapter, workspace)
    suites = _suites(config, workspace)
    judge = load_judge(config.judge, workspace) if config.funnel and config.judge_pairs else None
    passages, chunk_inputs = _passages(source, judge, examples.records, workspace)
    neutral = _neutral_files(suites, workspace)
    kept_examples, kept_pairs, dropped = _usable(examples.records, pairs.records, config.limit)
    return EvalPlan(
        stage=STAGE,
        config=config,
        inputs=(
            *examples.inputs,
            *pairs.inputs,
            *chunk_inputs,
            runs.Input.of(adapter, workspace),
            *(runs.Input.of(suite.folder, workspace) for suite in suites),
            *(runs.Input.of(file, workspace) for file in neutral),
            *([_judge_input(judge, workspace)] if judge else []),
        ),
        counts={
            "examples": len(kept_examples),
            "pairs": len(kept_pairs),
            "suite items": sum(len(suite.samples) for suite in suites),
        },
        expected=_expected(config, len(kept_examples), len(kept_pairs), suites, judge),
        examples=kept_examples,
        pairs=kept_pairs,
        adapter=adapter,
        suites=suites,
        judge=judge,
        passages=passages,
        neutral=_paragraphs(neutral),
        layout=load_layout(workspace),
        dropped=dropped,
    )


def _comparable(config: EvalConfig) -> str:
    """The adapter to compare with its base, if this request compares anything."""
    if config.adapter is None:
        message = "There is nothing to compare: eval puts a tuned model beside its base."
        hint = "Name the adapter with `--adapter @train-dpo` (a folder, a run or @stage)."
    elif config.base_url or config.model.startswith("openai:"):
        message = (
            "The model under test must run in this process: an endpoint gives no log-probabilities "
            "of given texts."
        )
        hint = "Give --model a folder or hub id; an endpoint may play the judge (--judge-model)."
    elif config.judge_base_url and config.judge_model is None:
        message = "--judge-base-url names an endpoint, but no model on it."
        hint = "Name it with `--judge-model NAME`."
    else:
        return config.adapter
    raise PrefkitError(message, hint=hint, exit_code=EXIT_USAGE)


def _held_out(source: str, workspace: Workspace) -> Loaded[Example]:
    """The test split; a source that knows no splits is held out as a whole."""
    if not _is_file(source):
        test = load_records(source, "examples", Example, workspace, "test", allow_empty=True)
        if test.records:
            return test
    everything = load_records(source, "examples", Example, workspace)
    test_records = [example for example in everything.records if example.split == "test"]
    if not test_records and any(example.split for example in everything.records):
        raise PrefkitError(
            f"{source}: all {len(everything.records)} examples are for training, none is held out.",
            hint="Split again with `prefkit clean --test-share 0.25`, or generate more examples.",
        )
    return Loaded(test_records or everything.records, everything.inputs)


def _is_file(source: str) -> bool:
    return source == "-" or Path(source).is_file()


def _pairs(config: EvalConfig, adapter: Path, workspace: Workspace) -> Loaded[PreferencePair]:
    """Held-out pairs: those named, else the test split in the adapter's own lineage."""
    if config.preferences is not None:
        found = load_records(
            config.preferences, "pairs", PreferencePair, workspace, "test", allow_empty=True
        )
        if found.records:
            return found
        everything = load_records(config.preferences, "pairs", PreferencePair, workspace)
        if not any(pair.split for pair in everything.records):
            return everything
        return found
    run = run_of(adapter)
    for folder in workspace.lineage(run) if run else ():
        files = [f for f in stream_files(folder, "pairs", "test") if f.stem == "test"]
        if files:
            return load_records(str(files[0]), "pairs", PreferencePair, workspace, allow_empty=True)
    return Loaded([], ())


def _suites(config: EvalConfig, workspace: Workspace) -> tuple[Suite, ...]:
    suites = tuple(load_suite(name, workspace) for name in config.suites)
    names = [suite.name for suite in suites]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise PrefkitError(f"The suite `{twice}` is named twice.", hint="Name each suite once.")
    return suites


def _passages(
    source: str, judge: JudgeCard | None, examples: Sequence[Example], workspace: Workspace
) -> tuple[dict[str, str], tuple[runs.Input, ...]]:
    if judge is None or judge.needs != "passage":
        return {}, ()
    if _is_file(source):
        raise PrefkitError(
            f"{source}: the judge `{judge.name}` needs the passage, and a file has none.",
            hint="Name the run the examples come from, such as @clean, or another judge.",
        )
    chunks = load_records(source, "chunks", Chunk, workspace)
    texts = {chunk.id: chunk.text for chunk in chunks.records}
    passages = {}
    for example in examples:
        ids = dict.fromkeys(quote.chunk_id for quote in example.quotes)
        passages[example.id] = "\n\n".join(texts[i] for i in ids if i in texts)
    if not any(passages.values()):
        raise PrefkitError(
            f"The judge `{judge.name}` needs the passage, and no example has a quote in one.",
            hint="Choose another with `--judge helpfulness`.",
        )
    return passages, chunks.inputs


def _usable(
    examples: Sequence[Example], pairs: Sequence[PreferencePair], limit: int | None
) -> tuple[tuple[Example, ...], tuple[PreferencePair, ...], tuple[Dropped, ...]]:
    dropped = []
    kept_examples: dict[str, Example] = {}
    for example in examples:
        if example.id in kept_examples:
            dropped.append(Dropped(record_id=example.id, stage=STAGE, rule="repeated"))
        kept_examples.setdefault(example.id, example)
    kept_pairs: dict[str, PreferencePair] = {}
    for pair in pairs:
        if pair.id in kept_pairs:
            dropped.append(Dropped(record_id=pair.id, stage=STAGE, rule="repeated"))
        elif text_of(pair.chosen) == text_of(pair.rejected):
            dropped.append(Dropped(record_id=pair.id, stage=STAGE, rule="chosen-is-rejected"))
        else:
            kept_pairs[pair.id] = pair
    return (
        tuple(kept_examples.values())[:limit],
        tuple(kept_pairs.values())[:limit],
        tuple(dropped),
    )


def _judge_input(judge: JudgeCard, workspace: Workspace) -> runs.Input:
    """A judge by its question and prompt: a new human label beside it changes no verdict."""
    inside = judge.folder is not None and judge.source != "bundled"
    path = workspace.show(judge.folder) if judge.folder and inside else judge.source
    return runs.Input(path=f"{path} {judge.name}", sha256=judge.sha256)


def _neutral_files(suites: Sequence[Suite], workspace: Workspace) -> list[Path]:
    """Neutral texts of the suites asked for, else the one of the bundled `basics`."""
    folders = [suite.folder for suite in suites]
    basics = plugins.find("suite", "basics", workspace).folder
    for group in (folders, [basics] if basics else []):
        files = [folder / NEUTRAL for folder in group if (folder / NEUTRAL).is_file()]
        if files:
            return files
    return []


def _paragraphs(files: Sequence[Path]) -> tuple[str, ...]:
    paragraphs: list[str] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PrefkitError(f"{file}: cannot be read as UTF-8 text: {error}.") from error
        paragraphs += [part.strip() for part in text.split("\n\n") if part.strip()]
    return tuple(dict.fromkeys(paragraphs))


def _expected(
    config: EvalConfig, examples: int, pairs: int, suites: Sequence[Suite], judge: JudgeCard | None
) -> dict[str, float | str | None]:
    judged = min(examples, config.judge_pairs) if judge else 0
    local = not (config.judge_base_url or (config.judge_model or "").startswith("openai:"))
    return {
        "stages": "0-4" if config.funnel else "0-2",
        "completions": 2 * examples,
        "scored texts": 2 * (examples + 2 * pairs),
        "suite answers": 2 * sum(len(suite.samples) for suite in suites),
        "judge calls, at most": 2 * judged + 6 * min(config.canaries, judged),
        "judge usd": 0.0 if local or not judge else None,
        "workbooks": config.raters if config.funnel and config.sheet_items else 0,
    }
