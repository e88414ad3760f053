"""`prefkit audit`: what a data set is like, and what a model would learn from it by mistake."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, engine_options, results_in, run_options


@click.command("audit")
@click.argument("source")
@click.option("--reference", metavar="SOURCE", help="Set that drift is measured against.")
@click.option(
    "--kind",
    type=click.Choice(["auto", "examples", "pairs", "unpaired"]),
    help="What the source holds, if its fields do not tell.",
)
@click.option(
    "--bad-rows",
    type=click.Choice(["count", "stop"]),
    help="A row that is no record is counted, or stops the run.",
)
@click.option("--sample", type=click.IntRange(1), help="Records whose whole texts are measured.")
@click.option("--embedder", metavar="NAME", help="Measure by meaning too: `minilm`, a folder, …")
@click.option(
    "--counterfactual",
    type=click.IntRange(0),
    metavar="N",
    help="Judge N pairs again with demographic terms exchanged.",
)
@click.option("--judge", metavar="NAME", help="A folder in judges/, for --counterfactual.")
@click.option("--model", help="Model that plays the judge; `embedded` by default.")
@click.option("--base-url", help="OpenAI-compatible endpoint of judge or embedder.")
@click.option("--judgments", metavar="SOURCE", help="Judgments of the records, if not upstream.")
@click.option("--candidates", metavar="SOURCE", help="What was judged, if not upstream.")
@click.option("--strict", is_flag=True, default=None, help="Exit with 3 when there is an alarm.")
@engine_options
@run_options
def command(
    source: str,
    options: RunOptions,
    engine: str,
    workers: int | None,
    **flags: Any,  # values as click parsed them
) -> int:
    """Measure quality, biases, lengths, conflicts, balance and drift of a data set.

    SOURCE is a run, @stage, `-`, or any file or dataset of prompts with completions, of preference
    pairs, or of completions with labels. The run holds audit.html to read and audit.json to use.

    \b
    prefkit audit @pairs
    prefkit audit new.jsonl --reference @clean --strict
    """
    import json

    from prefkit import console
    from prefkit.audit.run import PAGE, RESULTS, plan_audit, run_audit
    from prefkit.errors import EXIT_BELOW_BAR, EXIT_DONE

    results = results_in(RESULTS)
    run = options.execute(
        plan_audit,
        run_audit,
        "audit",
        flags,
        source,
        details=results,
        engine=engine,
        workers=workers,
    )
    if run is None:
        return EXIT_DONE
    found = results(run)["results"]
    if not options.as_json and not options.quiet:
        console.show(found["headline"])
        for alarm in found["alarms"]:
            console.show(f"  {alarm['says']}")
        console.say(f"read: {run.path / PAGE}")
    kept = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    strict = flags["strict"] or kept["strict"]
    return EXIT_BELOW_BAR if strict and found["alarms"] else EXIT_DONE
