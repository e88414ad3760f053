"""`prefkit pairs`: judgments to preference pairs."""

import functools
from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("pairs")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--strategy",
    type=click.Choice(
        ["best_vs_worst", "best_vs_rest", "adjacent", "all", "on_policy_rejected", "edits"]
    ),
    help="Which completions of a prompt are paired.",
)
@click.option("--max-pairs", type=click.IntRange(1), help="Most pairs a prompt.")
@click.option("--policy", metavar="MODEL", help="The model to be trained, for on_policy_rejected.")
@click.option("--margin", type=click.FloatRange(0, 1), help="Least difference in strength.")
@click.option("--min-votes", type=click.IntRange(0), help="Fewest votes that compare the sides.")
@click.option(
    "--agreement",
    type=click.FloatRange(0, 1),
    help="Least share of those votes' weight for the chosen side.",
)
@click.option(
    "--circles",
    type=click.Choice(["drop", "keep"]),
    help="Drop or keep two that majorities put in one circle; either way it is a conflict.",
)
@click.option(
    "--strength",
    type=click.Choice(["bradley-terry", "plackett-luce"]),
    help="How comparisons become strengths.",
)
@click.option(
    "--weights",
    type=click.Choice(["learned", "equal"]),
    help="Weigh votes by how often their makers are right, or alike.",
)
@click.option(
    "--judge-weight",
    type=click.FloatRange(0, 1),
    help="Of an unmeasured judge or rule beside a person's 1.",
)
@click.option(
    "--beside-people",
    type=click.Choice(["weigh", "leave-out"]),
    help="What judges and rules count for where a person judged.",
)
@click.option(
    "--balance-length",
    type=click.FloatRange(0.5, 1, max_open=True),
    help="Most the longer side may be chosen, such as 0.55; drops pairs.",
)
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

    SOURCE is a run with judgments, @stage, or a file of them; give several to join them. Every
    rater's word is weighed by how often it is right; circles and split votes become conflicts.

    \b
    prefkit pairs @judge
    prefkit pairs @judge --strategy all --margin 0.2 --balance-length 0.55 --json
    """
    from prefkit.pairs import plan_pairs, run_pairs

    flags["sources"] = kinds or None
    plan = functools.partial(plan_pairs, sources)
    options.execute(plan, run_pairs, "pairs", flags, next_step="prefkit train-dpo @pairs")
