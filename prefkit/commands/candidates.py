"""`prefkit candidates`: several completions of every prompt."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options, spending_options


@click.command("candidates")
@click.argument("source")
@click.option("--model", help="`embedded`, a folder, a hub id, or `openai:NAME`.")
@click.option("--also", "models", multiple=True, metavar="MODEL", help="One more model.")
@click.option("--base-url", help="OpenAI-compatible endpoint of --model.")
@click.option("--adapter", help="LoRA adapter of --model: a folder, a run or @stage.")
@click.option("--per-prompt", type=click.IntRange(2, 16), help="Completions a prompt, all models.")
@click.option(
    "--temperature", "temperatures", type=click.FloatRange(0, 2), multiple=True, help="One more."
)
@click.option(
    "--context",
    "contexts",
    type=click.Choice(["closed-book", "grounded"]),
    multiple=True,
    help="Without or with the passage before the question; both unless given.",
)
@click.option(
    "--system",
    "systems",
    multiple=True,
    metavar="FILE",
    help="A system prompt as one more way; `none` is one without.",
)
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens a completion.")
@click.option("--logprobs", is_flag=True, default=None, help="Store log-probabilities.")
@click.option("--best-of", type=click.IntRange(2, 256), help="Sample N a prompt, keep the best.")
@click.option("--keep", type=click.IntRange(1), help="How many of them; --per-prompt unless given.")
@click.option(
    "--by",
    metavar="HOW",
    help="What best means: `rule:reference` (the default), `logprob`, a rule or a judge.",
)
@click.option("--by-model", metavar="MODEL", help="Who plays the judge of --by; --model.")
@click.option(
    "--constitution",
    metavar="FILE",
    help="Criticise and revise each completion by its principles; `domain` is ours.",
)
@click.option("--prompts", metavar="FOLDER", help="Prompt files that replace ours by name.")
@click.option("--batch-size", type=click.IntRange(1), help="Sequences a batch for a local model.")
@spending_options
@run_options
def command(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
    """Sample several completions of every prompt, to be judged against each other.

    SOURCE holds examples: a run, @stage, `-`, or a file.

    \b
    prefkit candidates @clean
    prefkit candidates @clean --best-of 8 --keep 2 --by rule:reference --constitution domain
    """
    from prefkit.generation.candidates import plan_candidates, run_candidates

    for name in ("models", "temperatures", "contexts", "systems"):
        flags[name] = flags[name] or None
    options.execute(
        plan_candidates,
        run_candidates,
        "candidates",
        flags,
        source,
        next_step="prefkit pairs @candidates --strategy all --min-votes 1"
        if flags["constitution"]
        else "prefkit judge @candidates",
    )
