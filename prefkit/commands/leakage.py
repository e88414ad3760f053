"""`prefkit leakage`: what of evaluation sets stands in the training data."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, engine_options, results_in, run_options


@click.command("leakage")
@click.argument("source")
@click.option(
    "--against", multiple=True, metavar="[NAME=]SET", help="Evaluation set; may be repeated."
)
@click.option(
    "--field",
    multiple=True,
    metavar="COLUMN",
    help="Column of the sets to look at: the question's first, then the answer's.",
)
@click.option("--kind", type=click.Choice(["examples", "pairs", "unpaired"]), help="Of SOURCE.")
@click.option("--ngram", type=click.IntRange(6, 100), help="Words of an n-gram.")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True),
    help="Least share of an item's words in n-grams in common.",
)
@click.option("--run-words", "run", type=click.IntRange(0), help="Words in a row that are enough.")
@click.option(
    "--near-duplicates",
    type=click.FloatRange(0, 1, min_open=True),
    help="Similarity between train and test that is too close.",
)
@engine_options
@run_options
def command(
    source: str,
    options: RunOptions,
    engine: str,
    workers: int | None,
    **flags: Any,  # values as click parsed them
) -> int:
    """Look for evaluation items in the training records, and say which stand there.

    SOURCE is what you train on: a run, @stage, a file or a dataset of the hub. A SET is any of
    these too, with whatever columns it has. Without --against, train and test of SOURCE are
    compared: the same text, nearly the same, the same document.

    Exits with 0 for clean, 3 for contaminated, 4 when nothing could be looked for.

    \b
    prefkit leakage @clean
    prefkit leakage @pairs --against gsm8k=gsm8k.jsonl --against mmlu.csv --field question
    """
    from prefkit import console
    from prefkit.errors import EXIT_BELOW_BAR, EXIT_DONE, EXIT_NEED_DATA
    from prefkit.leakage.run import RESULTS, plan_leakage, run_leakage

    flags["against"], flags["field"] = flags["against"] or None, flags["field"] or None

    results = results_in(RESULTS)
    run = options.execute(
        plan_leakage,
        run_leakage,
        "leakage",
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
        console.say(f"read: {run.path / 'README.md'}")
    codes = {"clean": EXIT_DONE, "contaminated": EXIT_BELOW_BAR, "unknown": EXIT_NEED_DATA}
    return codes[found["verdict"]]
