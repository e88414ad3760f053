"""`prefkit pairs`: judgments to preference pairs."""

import functools
from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("pairs")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--margin", type=click.FloatRange(0, 1), help="Least difference in strength.")
@click.option(
    "--source",
    "kinds",
    multiple=True,
    type=click.Choice(["human", "judge", "rule"]),
    help="Count only judgments of this kind; may be repeated.",
)
@click.option("--rating-scale", nargs=2, type=float, metavar="WORST BEST", help="Of human ratings.")
@click.option(
    "--labels",
    type=click.Choice(["siblings", "absolute"]),
    help="Thumbs compare with the prompt's average, or with 0.5.",
)
@click.option(
    "--label-margin",
    type=click.FloatRange(0, 0.5, max_open=True),
    help="Least distance of a thumb from the middle.",
)
@click.option("--candidates", metavar="SOURCE", help="What was judged, if not upstream.")
@click.option("--examples", metavar="SOURCE", help="What the candidates answer, if not upstream.")
@run_options
def command(
    sources: tuple[str, ...], kinds: tuple[str, ...], options: RunOptions, **flags: Any
) -> None:  # values as click parsed them
    """Turn judgments into preference pairs (DPO, SimPO) and thumbs (KTO).

    SOURCE is a run with judgments, @stage, or a file of them; give several to join them. Where a
    person judged a prompt, judges and rules do not count there.

    \b
    prefkit pairs @judge
    prefkit pairs @judge --margin 0.2 --source human --json
    """
    from prefkit.pairs import plan_pairs, run_pairs

    flags["sources"] = kinds or None
    plan = functools.partial(plan_pairs, sources)
    options.execute(plan, run_pairs, "pairs", flags, next_step="prefkit train-dpo @pairs")
