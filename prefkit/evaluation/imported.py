"""The `import-sheets` stage: answers of raters in; human judgments and a new verdict out."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from prefkit import runs
from prefkit.config import ImportSheetsConfig
from prefkit.errors import PrefkitError
from prefkit.evaluation import decision, human_import, human_sheets
from prefkit.evaluation.human_import import Rating
from prefkit.evaluation.results import FILE, ITEMS, Item, Results, read_results
from prefkit.evaluation.run import KEY, LAYOUT, SHEETS, summary, write_outputs
from prefkit.records import Candidate, Judgment
from prefkit.storage import read_records, sha256_of, validated
from prefkit.workspace import Workspace, stream_files

STAGE = "import-sheets"
UNIT = "ratings"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportPlan(runs.Plan):
    """A planned import.

    Attributes:
        evaluation: Folder of the eval run.
        results: Its results.
        items: Its items.
        ratings: What the raters said, unblinded.
        rows: Rows that were handed out.
    """

    evaluation: Path
    results: Results
    items: tuple[Item, ...]
    ratings: tuple[Rating, ...]
    rows: int


def plan_import(source: str, config: ImportSheetsConfig, workspace: Workspace) -> ImportPlan:
    """Read the workbooks and unblind them.

    Args:
        source: The eval run whose sheets came back.
        config: Which files; the run's own sheets folder when it names none.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: The run has no key, a file cannot be read, or an answer is not understood.
    """
    folder = workspace.run_folder(source)
    results = read_results(folder)
    if not (folder / KEY).is_dir():
        raise PrefkitError(
            f"{folder.name}: this run wrote no sheets, so there is nothing to import.",
            hint="Evaluate with `prefkit eval --funnel … --raters 2` first.",
        )
    key = human_sheets.read_key(folder / KEY)
    layout_file = folder / LAYOUT
    layout = validated(
        json.loads(layout_file.read_text(encoding="utf-8")),
        human_sheets.SheetLayout,
        str(layout_file),
    )
    paths = [Path(name) for name in config.files] or [folder / SHEETS]
    ratings = human_import.read_ratings(paths, key, layout)
    if not any(rating.tuned is not None for rating in ratings):
        raise PrefkitError(
            f"{', '.join(map(str, paths))}: no row has an answer in `preference`.",
            hint="Name the files that the raters sent back.",
        )
    inputs = [folder / FILE, folder / ITEMS, layout_file, *human_import.files(paths)]
    return ImportPlan(
        stage=STAGE,
        config=config,
        inputs=tuple(runs.Input.of(path, workspace) for path in inputs),
        counts={"ratings": len(ratings), "raters": len({rating.rater for rating in ratings})},
        evaluation=folder,
        results=results,
        items=tuple(read_records(folder / ITEMS, Item)),
        ratings=tuple(ratings),
        rows=sum(len(rows) for rows in key.raters.values()),
    )


def run_import(plan: ImportPlan, settings: runs.Settings) -> runs.Run:
    """Write the judgments and the evaluation with its people."""
    results = with_people(plan.results, plan.ratings, plan.rows, plan.config.seed)
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        for unit in run.pending([UNIT]):
            run.record(unit, {"judgments": _judgments(plan)})
        write_outputs(run, results, plan.items)
        run.finish([UNIT], card=summary(results))
    return run


def with_people(results: Results, ratings: Sequence[Rating], rows: int, seed: int = 0) -> Results:
    """The results with what people said, decided again by the same rule."""
    numbers = [n for n in results.numbers if n.stage != "human"]
    numbers += human_import.summarise(ratings, rows, seed)
    human = decision.judge_human(numbers)
    stages = [human if stage.name == "human" else stage for stage in results.stages]
    return results.model_copy(
        update={
            "numbers": tuple(numbers),
            "stages": tuple(stages),
            "decision": decision.decide(stages, numbers),
        }
    )


def _judgments(plan: ImportPlan) -> list[Judgment]:
    """One human Judgment a rating, in the words of the `judge` and `pairs` stages."""
    names = plan.results.facts["Models"]
    ids: dict[tuple[str, str], str] = {}
    for path in stream_files(plan.evaluation, "candidates"):
        for candidate in read_records(path, Candidate):
            for arm in ("base", "tuned"):
                if candidate.model == names[arm]:
                    ids[candidate.prompt_id, arm] = candidate.id
    guideline = sha256_of(plan.evaluation / LAYOUT)
    judgments = []
    for rating in plan.ratings:
        if rating.tuned is None:
            continue
        base, tuned = (ids[rating.item, arm] for arm in ("base", "tuned"))
        judgments.append(
            Judgment(
                prompt_id=rating.item,
                ranks={base: 2 if rating.tuned > 0.5 else 1, tuned: 2 if rating.tuned < 0.5 else 1},
                annotator=rating.rater,
                source="human",
                shown_order=(tuned, base) if rating.first == "tuned" else (base, tuned),
                guideline_sha256=guideline,
                metadata={"said": rating.said}
                | ({"comment": rating.comment} if rating.comment else {}),
            )
        )
    return judgments
