"""`prefkit similar`: which records mean the same, and from which cosine on."""

import click

from prefkit.commands._options import RunOptions, engine_options, run_options


@click.command("similar")
@click.argument("source")
@click.option(
    "--embedder",
    metavar="NAME",
    help="minilm, tfidf, a folder, a hub id, openai:NAME or python:MODULE:FUNCTION.",
)
@click.option("--base-url", metavar="URL", help="OpenAI-compatible endpoint with /embeddings.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="COSINE",
    help="From which two texts mean the same; else one is suggested.",
)
@click.option(
    "--field",
    type=click.Choice(["prompt", "completion", "both"]),
    help="Which texts of two records must be alike.",
)
@click.option("--kind", type=click.Choice(["examples", "pairs", "unpaired"]), help="Of SOURCE.")
@click.option("--sample", type=click.IntRange(4, 500), help="Pairs around the threshold to read.")
@click.option("--outliers", type=click.IntRange(0), help="Texts far from all others to name.")
@engine_options
@run_options
def command(
    source: str,
    options: RunOptions,
    engine: str,
    workers: int | None,
    **flags: object,  # values as click parsed them
) -> None:
    """Show which records mean the same, by embeddings, and help choose a threshold.

    SOURCE is a run, @stage, a file or a dataset of the hub. The page shows pairs on both sides of
    a suggested cosine; read them, and give the cosine to `prefkit clean --semantic`. Nothing is
    dropped.

    \b
    prefkit similar @generate
    prefkit similar pairs.jsonl --embedder tfidf --field both --threshold 0.9
    """
    from prefkit import console
    from prefkit.semantic.run import REPORT, plan_similar, run_similar

    run = options.execute(
        plan_similar, run_similar, "similar", flags, source, engine=engine, workers=workers
    )
    if run is not None and not options.as_json and not options.quiet:
        console.say(f"read: {run.path / REPORT}")
