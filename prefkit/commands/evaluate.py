"""`prefkit eval`: is the tuned model better than its base?"""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("eval")
@click.argument("source")
@click.option("--funnel", is_flag=True, default=None, help="All five stages and a verdict.")
@click.option("--model", help="Base model: `embedded`, a folder or a hub id.")
@click.option("--adapter", metavar="ADAPTER", help="What was trained: folder, run or @stage.")
@click.option("--preferences", metavar="SOURCE", help="Held-out pairs (default: the adapter's).")
@click.option("--suites", multiple=True, metavar="NAME", help="Suite to run; may be repeated.")
@click.option("--judge", metavar="NAME", help="Judge: a folder in judges/.")
@click.option("--judge-model", metavar="MODEL", help="Who plays the judge (default: the base).")
@click.option("--judge-base-url", metavar="URL", help="OpenAI-compatible endpoint of the judge.")
@click.option("--judge-pairs", type=click.IntRange(0), help="Most prompts shown to the judge.")
@click.option("--raters", type=click.IntRange(0), help="Blind workbooks to write.")
@click.option("--sheet-items", type=click.IntRange(0), help="Items a workbook.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest completion.")
@click.option("--batch-size", type=click.IntRange(1), help="Sequences a batch.")
@click.option("--load-in-4bit", is_flag=True, default=None, help="NF4 base, as QLoRA trains on.")
@click.option("--keep-going", is_flag=True, default=None, help="Measure on after proved harm.")
@click.option(
    "--allow-leakage", is_flag=True, default=None, help="Go on, watermarked, on trained-on data."
)
@run_options
def command(source: str, options: RunOptions, **flags: Any) -> int:  # values as click parsed them
    """Compare a tuned model with its base on held-out examples.

    One process, one set of weights, the adapter switched on and off, everything paired by item.
    With --funnel: sanity, offline numbers, suites, judge, blind sheets for people, and a verdict.
    Without: the first three stages, to look at numbers while you work.

    Held-out data that stands in the training data makes the result INVALID.

    Exits with 0 for SHIP (or numbers without a verdict), 3 DON'T SHIP, 4 NEED MORE DATA, 5 INVALID.

    \b
    prefkit eval --funnel @clean --adapter @train-dpo
    prefkit eval @clean --adapter @train-sft --suites basics --json
    """
    from prefkit.errors import EXIT_DONE
    from prefkit.evaluation.results import read_results
    from prefkit.evaluation.run import plan_eval, run_eval, show

    flags["suites"] = flags["suites"] or None

    def details(run: Any) -> dict[str, Any]:  # of a Run
        return {"results": read_results(run.path).model_dump(mode="json")}

    run = options.execute(plan_eval, run_eval, "eval", flags, source, details=details)
    if run is None:
        return EXIT_DONE
    results = read_results(run.path)
    if not options.as_json and not options.quiet:
        show(results, run.path)
    return results.decision.exit_code
