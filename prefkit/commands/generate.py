"""`prefkit generate`: documents to questions with grounded answers."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("generate")
@click.argument("source")
@click.option("--model", help="`embedded`, a folder, a hub id, or `openai:NAME`.")
@click.option("--base-url", help="OpenAI-compatible endpoint.")
@click.option("--adapter", help="LoRA adapter: a folder, a run or @stage.")
@click.option("--total", type=click.IntRange(1), help="Stop after about so many examples.")
@click.option("--per-chunk", type=click.IntRange(1, 20), help="Most examples a chunk.")
@click.option("--chunk-tokens", type=click.IntRange(32), help="Size of a chunk in words and marks.")
@click.option(
    "--method",
    type=click.Choice(["auto", "structured", "stepwise"]),
    help="One JSON call a chunk, or small steps for a small model.",
)
@click.option("--prompts", metavar="FOLDER", help="Prompt files that replace ours by name.")
@click.option("--concurrency", type=click.IntRange(1), help="Requests in flight at an endpoint.")
@click.option("--batch-size", type=click.IntRange(1), help="Sequences a batch for a local model.")
@run_options
def command(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
    """Draft questions with grounded answers from documents.

    SOURCE is a folder of Markdown, text, HTML, PDF and DOCX files, or one such file.

    \b
    prefkit generate documents --total 150
    prefkit generate handbook.pdf --model openai:gpt-4o-mini --dry-run
    """
    from prefkit.generation.run import plan_generate, run_generate

    options.execute(
        plan_generate, run_generate, "generate", flags, source, next_step="prefkit clean @generate"
    )
