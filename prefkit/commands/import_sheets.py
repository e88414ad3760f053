"""`prefkit import-sheets`: bring the raters' answers home."""

from pathlib import Path
from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("import-sheets")
@click.argument("source")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@run_options
def command(source: str, files: tuple[Path, ...], options: RunOptions, **flags: Any) -> int:
    """Read filled-in workbooks of an eval run, unblind them, and decide again.

    SOURCE is the eval run; FILES are workbooks, folders of them (default: its own sheets folder),
    or a pull of comparisons made in Argilla. Writes a new run with the human judgments, the updated
    numbers, report and verdict, and exits like eval.

    \b
    prefkit import-sheets @eval returned/
    prefkit import-sheets @eval @annotate-pull --json
    """
    from prefkit.errors import EXIT_DONE
    from prefkit.evaluation.imported import plan_import, run_import
    from prefkit.evaluation.results import read_results
    from prefkit.evaluation.run import show

    def details(run: Any) -> dict[str, Any]:  # of a Run
        return {"results": read_results(run.path).model_dump(mode="json")}

    flags["files"] = tuple(str(path) for path in files) or None
    run = options.execute(plan_import, run_import, "import-sheets", flags, source, details=details)
    if run is None:
        return EXIT_DONE
    results = read_results(run.path)
    if not options.as_json and not options.quiet:
        show(results, run.path)
    return results.decision.exit_code
