"""`prefkit judge`: judgments by rule and by LLM judges."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options, spending_options


@click.command("judge")
@click.argument("source")
@click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="NAME",
    help="rule:reference, or a judge (see `prefkit judges list`); repeatable.",
)
@click.option("--examples", metavar="SOURCE", help="What the candidates answer, if not upstream.")
@click.option("--model", help="Model that plays the LLM judges.")
@click.option("--base-url", help="OpenAI-compatible endpoint of that model.")
@click.option(
    "--max-pairs-per-prompt",
    type=click.IntRange(1),
    help="Most pairs an LLM judge compares a prompt, each in both orders.",
)
@spending_options
@run_options
def command(options: RunOptions, source: str, judges: tuple[str, ...], **flags: Any) -> None:
    """Judge the candidates of each prompt, by rule or by an LLM judge in both orders.

    \b
    prefkit judge @candidates
    prefkit judge @candidates --judge correctness --model openai:NAME --base-url http://HOST/v1
    """
    from prefkit.judging.run import plan_judge, run_judge

    flags["judges"] = judges or None
    options.execute(plan_judge, run_judge, "judge", flags, source, next_step="prefkit pairs @judge")
