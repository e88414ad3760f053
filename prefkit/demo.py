"""The whole loop on the quickstart handbook: the documented commands, one after another."""

import contextlib
import dataclasses
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from prefkit import console
from prefkit.errors import EXIT_BELOW_BAR, EXIT_DONE, EXIT_INVALID, EXIT_NEED_DATA, PrefkitError
from prefkit.manifest import read_manifest
from prefkit.workspace import CONFIG_NAME, Workspace, bundled

VERDICTS = (EXIT_DONE, EXIT_BELOW_BAR, EXIT_NEED_DATA, EXIT_INVALID)


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of the loop.

    Attributes:
        stage: Name of the stage, as in the run folder.
        arguments: What follows `prefkit`.
        says: One line on what it does.
    """

    stage: str
    arguments: tuple[str, ...]
    says: str


STEPS = (
    Step("generate", ("generate", "documents"), "draft questions with grounded answers"),
    Step("clean", ("clean", "@generate"), "drop bad drafts and duplicates, split by document"),
    Step("candidates", ("candidates", "@clean"), "sample several answers to each question"),
    Step("judge", ("judge", "@candidates"), "judge the answers by rule against the reference"),
    Step("pairs", ("pairs", "@judge"), "turn judgments into preference pairs"),
    Step("train-sft", ("train-sft", "@clean"), "teach the form of a good answer (SFT)"),
    Step(
        "train-dpo",
        ("train-dpo", "@pairs", "--adapter", "@train-sft"),
        "teach what is preferred (DPO)",
    ),
    Step(
        "eval",
        ("eval", "--funnel", "@clean", "--adapter", "@train-dpo", "--preferences", "@pairs"),
        "compare tuned against base, and decide",
    ),
)


def prepare(folder: Path, overwrite: bool) -> Workspace:
    """Make the demo's workspace: the quickstart handbook and its settings.

    A demo workspace that is there already is continued, unless `overwrite` asks for a new one.

    Raises:
        PrefkitError: The folder holds something that is not a demo workspace.
    """
    source = bundled("examples/quickstart")
    if folder.exists() and any(folder.iterdir()) and not (folder / CONFIG_NAME).is_file():
        raise PrefkitError(
            f"{folder}: there already, and not a prefkit workspace.",
            hint="Name another folder: `prefkit demo my-demo`.",
        )
    if overwrite and (folder / "runs").is_dir():
        shutil.rmtree(folder / "runs")
    if overwrite or not (folder / CONFIG_NAME).is_file():
        shutil.copytree(source / "documents", folder / "documents", dirs_exist_ok=True)
        shutil.copyfile(source / CONFIG_NAME, folder / CONFIG_NAME)
    return Workspace.find(folder)


def run_demo(workspace: Workspace, run_command: Callable[[Sequence[str]], object]) -> int:
    """Run every step in `workspace`; finished ones are skipped, an unfinished one is resumed.

    Args:
        workspace: What `prepare` made.
        run_command: Runs the arguments of one `prefkit` command and returns its exit code.

    Returns:
        0 when the loop came to a verdict, whichever it is; else the exit code of what failed.
    """
    started_in = Path.cwd()
    shown = False
    with contextlib.chdir(workspace.root):
        for number, step in enumerate(STEPS, start=1):
            arguments = _arguments(step, workspace)
            if arguments is None:
                console.say(f"[{number}/{len(STEPS)}] {step.stage}: done earlier")
                continue
            console.say(f"\n[{number}/{len(STEPS)}] {step.says}")
            console.say(f"$ prefkit {shlex.join(arguments)}")
            result = run_command(arguments)
            shown = step.stage == "eval"  # that command prints its table itself
            code = result if isinstance(result, int) else EXIT_DONE
            if code not in VERDICTS:
                return code
    _summary(workspace, started_in, shown=shown)
    return EXIT_DONE


def _arguments(step: Step, workspace: Workspace) -> tuple[str, ...] | None:
    """The command of a step: as written, resuming an unfinished run, or None when it is done."""
    for folder in workspace.run_folders(step.stage):
        if read_manifest(folder).status == "finished":
            return None
        return (*step.arguments, "--resume", folder.name)
    return step.arguments


def _summary(workspace: Workspace, started_in: Path, *, shown: bool) -> None:
    from prefkit.evaluation.results import read_results
    from prefkit.evaluation.run import show

    folder = workspace.run_folder("@eval")
    results = read_results(folder)
    if not shown:
        show(results, folder)
    console.show("")
    console.show_table(["what", "where"], _places(workspace, folder, started_in))
    seconds = sum(read_manifest(run).seconds for run in workspace.lineage(folder))
    console.show(f"\nThese runs took {seconds / 60:.1f} minutes. What to type next:")
    console.show(f"  cd {os.path.relpath(workspace.root, started_in)}")
    console.show("  prefkit runs trace @pairs    # from a training pair back to its page")
    console.show("  prefkit init ../my-domain    # a workspace for your own documents")


def _places(workspace: Workspace, evaluation: Path, started_in: Path) -> list[list[str]]:
    train, pairs = workspace.run_folder("@train-dpo"), workspace.run_folder("@pairs")
    named = {
        "report": evaluation / "report.html",
        "all numbers": evaluation / "results.json",
        "blind sheets for raters": evaluation / "sheets",
        "adapter (peft)": train / "adapter",
        "training curves": train / "curves.png",
        "preference pairs": pairs / "data" / "pairs",
    }
    return [
        [what, os.path.relpath(path, started_in)] for what, path in named.items() if path.exists()
    ]
