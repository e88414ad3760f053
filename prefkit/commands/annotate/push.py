"""`prefkit annotate push`: candidates, examples or an evaluation to people."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


def names(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    """`ada,bob` as two names; None when the option was not given."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if value is not None else None


@click.command("push")
@click.argument("source")
@click.option("--dataset", metavar="NAME", help="Name in Argilla; the layout's when left out.")
@click.option("--layout", metavar="NAME", help="ranking, qa_review, human_eval, or one of yours.")
@click.option("--annotators", metavar="ADA,BOB", callback=names, help="Made when they are new.")
@click.option("--overlap", type=click.IntRange(1), help="Submitted answers a record wants.")
@click.option("--suggest", metavar="SOURCE", help="Judgments to fill in beforehand, as @judge.")
@click.option(
    "--order",
    type=click.Choice(["random", "active", "confidence", "source"]),
    help="Suggested order; active or confidence: what is least sure first.",
)
@click.option("--judged", metavar="SOURCE", help="Judgments for --order active.")
@click.option(
    "--attention-share",
    type=click.FloatRange(0, 0.5),
    help="Checks with a known answer, as a share of the records.",
)
@click.option("--passwords", metavar="FILE", help="Where passwords of new users are written.")
@click.option("--server", metavar="URL", help="A team's Argilla; its key in ARGILLA_API_KEY.")
@click.option("--argilla-workspace", metavar="NAME", help="Workspace in Argilla.")
@click.option("--examples", metavar="SOURCE", help="What the candidates answer, if not upstream.")
@run_options
def push(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
    """Show people candidates to rank, examples to review, or two models to compare.

    SOURCE is a run, @stage or a file. Pushing again adds what is new and changes nothing else.
    Records with different numbers of answers go to datasets of their own: NAME-2, NAME-3 …

    \b
    prefkit annotate push @candidates --annotators ada,bob --overlap 2
    prefkit annotate push @clean --layout qa_review --dataset review-1
    """
    from prefkit.annotation.push import plan_push, run_push

    next_step = "prefkit annotate status"
    options.execute(plan_push, run_push, "annotate", flags, source, next_step=next_step)
