"""`prefkit clean`: which examples stay, and which split they belong to."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("clean")
@click.argument("source")
@click.option(
    "--near-duplicates",
    type=click.FloatRange(0, 1, min_open=True),
    help="Similarity at which two examples count as one.",
)
@click.option(
    "--keep-repeated-prompts",
    is_flag=True,
    default=None,
    help="Keep several references to one prompt.",
)
@click.option("--min-reference-words", type=click.IntRange(1), help="Fewest words in a reference.")
@click.option("--max-reference-words", type=click.IntRange(1), help="Most words in a reference.")
@click.option("--skip-rule", "skip_rules", multiple=True, metavar="RULE", help="Leave a rule out.")
@click.option(
    "--test-share", type=click.FloatRange(0, 1, max_open=True), help="Share of examples held out."
)
@click.option(
    "--split-by",
    type=click.Choice(["document", "chunk", "example"]),
    help="What must not lie on both sides of the split.",
)
@run_options
def command(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
    """Drop bad and repeated examples, split the rest, and keep every reason.

    SOURCE is a run, @stage, `-`, or any file of examples or of prompts with completions.

    \b
    prefkit clean @generate
    prefkit clean @generate --near-duplicates 0.9 --test-share 0.2 --json
    """
    from prefkit.cleaning.run import plan_clean, run_clean

    flags["skip_rules"] = flags["skip_rules"] or None
    options.execute(
        plan_clean, run_clean, "clean", flags, source, next_step="prefkit candidates @clean"
    )
