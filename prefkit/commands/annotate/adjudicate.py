"""`prefkit annotate adjudicate`: conflicts to one more person."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("adjudicate")
@click.argument("source", default="@annotate-agreement")
@click.option("--adjudicator", metavar="NAME", help="Who decides; made when new.")
@click.option(
    "--show-votes", is_flag=True, default=None, help="Show what each annotator said; else blind."
)
@click.option("--dataset", metavar="NAME", help="Name in Argilla; else the old one's, with a tail.")
@click.option("--passwords", metavar="FILE", help="Where passwords of new users are written.")
@click.option("--server", metavar="URL", help="A team's Argilla; its key in ARGILLA_API_KEY.")
@click.option("--argilla-workspace", metavar="NAME", help="Workspace in Argilla.")
@click.option("--examples", metavar="SOURCE", help="What the candidates answer, if not upstream.")
@run_options
def command(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
    """Show an adjudicator the records on which annotators contradict each other.

    SOURCE is a run of `prefkit annotate agreement` (default: @annotate-agreement). The greatest
    conflicts come first; --limit takes only so many. What is pulled settles its prompt in pairs.

    \b
    prefkit annotate adjudicate --adjudicator cem
    prefkit annotate adjudicate @annotate-agreement --adjudicator cem --show-votes --limit 50
    """
    from prefkit.annotation.adjudicate import plan_adjudicate, run_adjudicate

    next_step = "prefkit annotate pull @annotate-adjudicate, when the adjudicator is done"
    options.execute(plan_adjudicate, run_adjudicate, "annotate", flags, source, next_step=next_step)
