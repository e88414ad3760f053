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
from prefkit.evaluation.human_pulled import Arm, pulled_ratings
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
        rows: Rows that were handed out; of a pull, the records somebody opened.
        pulled: The judgments behind those ratings that come from a pull.
    """

    evaluation: Path
    results: Results
    items: tuple[Item, ...]
    ratings: tuple[Rating, ...]
    rows: int
    pulled: tuple[Judgment, ...] = ()


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
    pulls = [name for name in config.files if _is_pull(name, workspace)]
    sheets = [Path(name) for name in config.files if name not in pulls]
    inputs = [folder / FILE, folder / ITEMS]
    ratings, rows, judgments = [], 0, []
    if sheets or not pulls:
        ratings, rows, more = _from_sheets(folder, sheets)
        inputs += more
    if pulls:
        judgments, more = _from_pulls(pulls, workspace)
        ratings += pulled_ratings(
            judgments, {n: arm for (_, arm), n in _ids(folder, results).items()}
        )
        rows += len(judgments)
        inputs += more
    if not any(rating.tuned is not None for rating in ratings):
        raise PrefkitError(
            f"{', '.join(config.files) or folder.name}: nobody has said which answer they prefer.",
            hint="Name the files that the raters sent back, or a pull of this evaluation's "
            "comparisons.",
        )
    return ImportPlan(
        stage=STAGE,
        config=config,
        inputs=tuple(runs.Input.of(path, workspace) for path in inputs),
        counts={"ratings": len(ratings), "raters": len({rating.rater for rating in ratings})},
        evaluation=folder,
        results=results,
        items=tuple(read_records(folder / ITEMS, Item)),
        ratings=tuple(ratings),
        rows=rows,
        pulled=tuple(judgments),
    )


def _is_pull(name: str, workspace: Workspace) -> bool:
    """Whether a name in the place of a workbook is a run."""
    return name.startswith("@") or any(
        (folder / "manifest.json").is_file() for folder in (Path(name), workspace.runs / name)
    )


def _from_sheets(folder: Path, paths: list[Path]) -> tuple[list[Rating], int, list[Path]]:
    """Ratings of workbooks, how many rows were handed out, and what was read."""
    if not (folder / KEY).is_dir():
        raise PrefkitError(
            f"{folder.name}: this run wrote no sheets, so there is nothing to import.",
            hint="Evaluate with `prefkit eval --funnel … --raters 2` first, or name a pull: "
            "`prefkit import-sheets @eval @annotate-pull`.",
        )
    key = human_sheets.read_key(folder / KEY)
    layout_file = folder / LAYOUT
    layout = validated(
        json.loads(layout_file.read_text(encoding="utf-8")),
        human_sheets.SheetLayout,
        str(layout_file),
    )
    paths = paths or [folder / SHEETS]
    ratings = human_import.read_ratings(paths, key, layout)
    rows = sum(len(mine) for mine in key.raters.values())
    return ratings, rows, [layout_file, *human_import.files(paths)]


def _from_pulls(names: Sequence[str], workspace: Workspace) -> tuple[list[Judgment], list[Path]]:
    """What people said of comparisons, whatever the status, and what was read."""
    paths = [path for name in names for path in workspace.stream(name, "judgments")]
    found = {j.id: j for path in paths for j in read_records(path, Judgment)}
    return [j for j in found.values() if j.metadata.get("kind") == "comparison"], paths


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


def _ids(folder: Path, results: Results) -> dict[tuple[str, Arm], str]:
    """Candidate ids by prompt and model."""
    names = results.facts["Models"]
    arms: tuple[Arm, ...] = ("base", "tuned")
    return {
        (candidate.prompt_id, arm): candidate.id
        for path in stream_files(folder, "candidates")
        for candidate in read_records(path, Candidate)
        for arm in arms
        if candidate.model == names[arm]
    }


def _judgments(plan: ImportPlan) -> list[Judgment]:
    """Those pulled, and one for each rating in a workbook, in the words of `judge` and `pairs`."""
    ids = _ids(plan.evaluation, plan.results)
    pulled = {(judgment.prompt_id, judgment.annotator) for judgment in plan.pulled}
    judgments = list(plan.pulled)
    written = [r for r in plan.ratings if (r.item, r.rater) not in pulled and r.tuned is not None]
    guideline = sha256_of(plan.evaluation / LAYOUT) if written else ""
    for rating in written:
        base, tuned = ids[rating.item, "base"], ids[rating.item, "tuned"]
        credit = 0.5 if rating.tuned is None else rating.tuned
        judgments.append(
            Judgment(
                prompt_id=rating.item,
                ranks={base: 2 if credit > 0.5 else 1, tuned: 2 if credit < 0.5 else 1},
                annotator=rating.rater,
                source="human",
                shown_order=(tuned, base) if rating.first == "tuned" else (base, tuned),
                guideline_sha256=guideline,
                metadata={"said": rating.said}
                | ({"comment": rating.comment} if rating.comment else {}),
            )
        )
    return judgments
