"""Options that stages share, and what happens around every stage."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from prefkit import console

Command = TypeVar("Command", bound=Callable[..., object])


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What the shared options said."""

    out: Path | None
    resume: str | None
    dry_run: bool
    as_json: bool
    quiet: bool
    sets: tuple[str, ...]
    config_file: Path | None

    def execute(
        self,
        plan_stage: Callable[..., Any],  # (…, config, workspace) -> runs.Plan
        run_stage: Callable[..., Any],  # (plan, settings) -> runs.Run
        table: str,
        flags: dict[str, Any],  # values as click parsed them
        *sources: str,
        next_step: str = "",
        details: Callable[[Any], dict[str, Any]] | None = None,  # of a Run, for --json
        engine: str = "local",
        workers: int | None = None,
    ) -> Any:  # the Run, or None after --dry-run
        """Plan a stage, then run it or print the plan, and show the result."""
        from prefkit import config, runs, workspace

        space = workspace.Workspace.find(config_file=self.config_file)
        settings = runs.Settings(space, self.out, self.resume, engine, workers)
        stage_config = config.resolve(
            config.TABLES[table], file=space.config_file, flags=flags, sets=self.sets
        )
        plan = plan_stage(*sources, stage_config, space)
        if self.dry_run:
            console.show_json(plan.describe())
            return None
        run = run_stage(plan, settings)
        self.show(run, space, next_step, details)
        return run

    def show(
        self,
        run: Any,  # Run and Workspace stay unimported
        space: Any,
        next_step: str,
        details: Callable[[Any], dict[str, Any]] | None = None,
    ) -> None:
        """Show a finished run: its path, one JSON document, or a few lines and the next step."""
        if self.as_json:
            more = details(run) if details else {}
            manifest = run.manifest.model_dump(mode="json")
            console.show_json({"run": str(run.path), **manifest, **more})
            return
        if self.quiet:
            console.show(str(run.path))
            return
        manifest = run.manifest
        made = ", ".join(f"{rows} {name}" for name, rows in manifest.outputs.items())
        dropped = sum(manifest.dropped.values())
        why = ", ".join(f"{rows} {rule}" for rule, rows in manifest.dropped.items())
        console.show(f"{space.show(run.path)}: {made or 'done'} in {manifest.seconds:.1f} s")
        if dropped:
            console.show(f"dropped {dropped}: {why}")
        if next_step:
            console.say(f"next: {next_step}")


def run_options(command: Command) -> Command:
    """Add --out, --resume, --dry-run, --json, -q, --set, -c, --seed and --limit."""

    def gather(**kwargs: Any) -> object:  # click's keyword arguments
        options = RunOptions(
            out=kwargs.pop("out"),
            resume=kwargs.pop("resume"),
            dry_run=kwargs.pop("dry_run"),
            as_json=kwargs.pop("as_json"),
            quiet=kwargs.pop("quiet"),
            sets=kwargs.pop("sets"),
            config_file=kwargs.pop("config_file"),
        )
        console.set_quiet(options.quiet)
        return command(options=options, **kwargs)

    gather.__name__ = getattr(command, "__name__", "command")
    gather.__doc__ = command.__doc__
    wrapped: Any = gather  # click hangs its parameters on the function
    wrapped.__click_params__ = list(getattr(command, "__click_params__", []))
    for option in reversed(_SHARED):
        wrapped = option(wrapped)
    return wrapped


def results_in(file: str) -> Callable[[Any], dict[str, Any]]:  # of a Run
    """What `--json` adds to a run's manifest: the results in one of its JSON files."""

    def results(run: Any) -> dict[str, Any]:
        return {"results": json.loads((run.path / file).read_text(encoding="utf-8"))}

    return results


def engine_options(command: Command) -> Command:
    """Add --engine and --workers."""
    engine = click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        help="Where the work runs: processes here, or the Ray cluster of RAY_ADDRESS.",
    )
    workers = click.option(
        "--workers", type=click.IntRange(1), help="Processes here; one a core by default."
    )
    return engine(workers(command))


def spending_options(command: Command) -> Command:
    """Add --concurrency, --max-cost, --max-total-tokens, --no-probe and --batch."""
    for option in reversed(_SPENDING):
        command = option(command)
    return command


_SPENDING = (
    click.option(
        "--concurrency", type=click.IntRange(1), help="Most requests in flight at an endpoint."
    ),
    click.option(
        "--max-cost",
        type=click.FloatRange(0, min_open=True),
        metavar="USD",
        help="Stop before more is spent at endpoints; prices stand in prefkit.toml.",
    ),
    click.option(
        "--max-total-tokens",
        type=click.IntRange(1),
        help="Stop before endpoints read and write more tokens.",
    ),
    click.option(
        "--probe/--no-probe",
        default=None,
        help="Find out first how the endpoint can be made to answer in JSON (it is).",
    ),
    click.option(
        "--batch",
        is_flag=True,
        default=None,
        help="Ask through OpenAI's batch API: cheaper, and ready within a day.",
    ),
)
_SHARED = (
    click.option("--out", type=click.Path(path_type=Path), help="Folder of the new run."),
    click.option("--resume", metavar="RUN", help="Continue an unfinished run (`last` works)."),
    click.option("--dry-run", is_flag=True, help="Print what would be done, as JSON."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    click.option("-q", "--quiet", is_flag=True, help="Print only the run's path."),
    click.option("--set", "sets", multiple=True, metavar="TABLE.KEY=VALUE", help="Set any key."),
    click.option(
        "-c",
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="prefkit.toml to use.",
    ),
    click.option("--seed", type=int, help="Seed of every random choice."),
    click.option("--limit", type=click.IntRange(1), help="Use only the first N inputs."),
)
