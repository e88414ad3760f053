"""`prefkit annotate pull`: what people said, back into a run."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("pull")
@click.argument("source", default="@annotate-push")
@click.option("--server", metavar="URL", help="A team's Argilla; its key in ARGILLA_API_KEY.")
@click.option("--argilla-workspace", metavar="NAME", help="Workspace in Argilla.")
@click.option(
    "--longest-pause",
    type=click.FloatRange(0, min_open=True),
    help="Seconds between two answers beyond which nobody was working.",
)
@click.option("--examples", metavar="SOURCE", help="What was reviewed, if not upstream.")
@run_options
def pull(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
    """Bring back rankings, reviews and comparisons; say what is new, changed and gone.

    SOURCE is a dataset in Argilla, or the push run whose datasets are meant: the newest one when
    left out. Submitted, discarded and draft answers are kept apart; only submitted ones count.

    \b
    prefkit annotate pull
    prefkit annotate pull review-1 --json
    """
    from prefkit.annotation.pull import plan_pull, run_pull

    next_step = "prefkit annotate agreement @annotate-pull, prefkit pairs @annotate-pull"
    options.execute(plan_pull, run_pull, "annotate", flags, source, next_step=next_step)
