"""`prefkit generate`: documents to questions with grounded answers."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options


@click.command("generate")
@click.argument("sources", nargs=-1, required=True)
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
@click.option("--include", multiple=True, metavar="PATTERN", help="Only such files of a folder.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Files or folders to leave out.")
@click.option(
    "--reader", multiple=True, metavar="NAME", help="`tesseract`, `kreuzberg`, ./mine.py:X."
)
@click.option("--text-field", metavar="NAME", help="Field of a JSON row that holds its text.")
@click.option("--allow-url", is_flag=True, default=None, help="Fetch the http(s) pages you name.")
@click.option(
    "--allow-private-url", is_flag=True, default=None, help="Also from the local network."
)
@run_options
def command(
    sources: tuple[str, ...], options: RunOptions, **flags: Any
) -> None:  # values as click parsed them
    """Draft questions with grounded answers from documents.

    SOURCES are folders, files or patterns: Markdown, text, reStructuredText, HTML, PDF, DOCX, PPTX,
    EPUB, CSV, XLSX, JSONL; and pages of the web with --allow-url.

    \b
    prefkit generate documents --total 150
    prefkit generate handbook.pdf --model openai:gpt-4o-mini --dry-run
    """
    from prefkit.generation.run import plan_generate, run_generate

    options.execute(
        lambda config, workspace: plan_generate(sources, config, workspace),
        run_generate,
        "generate",
        {name: value for name, value in flags.items() if value != ()},
        next_step="prefkit clean @generate",
    )
