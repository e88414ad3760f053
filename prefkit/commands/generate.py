"""`prefkit generate`: documents to questions with grounded answers."""

from pathlib import Path
from typing import Any

import click

from prefkit.commands._options import RunOptions, run_options, spending_options


@click.command("generate")
@click.argument("sources", nargs=-1)
@click.option("--model", help="`embedded`, a folder, a hub id, or `openai:NAME`.")
@click.option("--base-url", help="OpenAI-compatible endpoint.")
@click.option("--adapter", help="LoRA adapter: a folder, a run or @stage.")
@click.option("--total", type=click.IntRange(1), help="Stop after about so many examples.")
@click.option("--per-chunk", type=click.IntRange(1, 20), help="Most examples a chunk.")
@click.option("--mix", metavar="KIND:WEIGHT,…", help="Kinds of questions to plan; `all` of them.")
@click.option("--difficulty", metavar="easy:1,…", help="How hard questions should be, by weight.")
@click.option("--personas", metavar="FILE", help="TOML file of who asks, and how.")
@click.option(
    "--draft-personas",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Let the model draft that file from the headings, and stop there.",
)
@click.option(
    "--questions-only",
    is_flag=True,
    default=None,
    help="Write questions, and no answers, for people to review.",
)
@click.option(
    "--from-questions",
    metavar="SOURCE",
    help="Answer the questions that a review let stay: a file, a run or @stage.",
)
@click.option("--chunk-tokens", type=click.IntRange(32), help="Size of a chunk in tokens.")
@click.option("--overlap", type=click.IntRange(0), help="Tokens that a chunk repeats of the last.")
@click.option(
    "--tokenizer", metavar="MODEL", help="What counts as a token; `model`: that of --model."
)
@click.option(
    "--method",
    type=click.Choice(["auto", "structured", "stepwise"]),
    help="One JSON call a chunk, or small steps for a small model.",
)
@click.option(
    "--earlier", multiple=True, metavar="SOURCE", help="Ask nothing again that these examples ask."
)
@click.option(
    "--near-duplicates",
    type=click.FloatRange(0, 1, min_open=True),
    help="Similarity at which a question repeats an earlier one.",
)
@click.option("--verify", is_flag=True, default=None, help="Let a second model check every draft.")
@click.option(
    "--round-trip",
    type=click.Choice(["off", "flag", "drop"]),
    help="Let it answer each question; flag or drop what it answers otherwise.",
)
@click.option("--verifier-model", metavar="MODEL", help="Who checks; --model when unset.")
@click.option("--verifier-base-url", metavar="URL", help="Endpoint of --verifier-model.")
@click.option("--prompts", metavar="FOLDER", help="Prompt files that replace ours by name.")
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
@click.option(
    "--compare-with", metavar="SOURCE", help="A set that people wrote: its diversity beside ours."
)
@click.option("--embedder", metavar="NAME", help="For the Vendi score: `tfidf`, `minilm`, …")
@spending_options
@run_options
def command(
    sources: tuple[str, ...],
    options: RunOptions,
    draft_personas: Path | None,
    from_questions: str | None,
    **flags: Any,  # values as click parsed them
) -> None:
    """Draft questions with grounded answers from documents.

    SOURCES are folders, files or patterns: Markdown, text, reStructuredText, HTML, PDF, DOCX, PPTX,
    EPUB, CSV, XLSX, JSONL; and pages of the web with --allow-url.

    \b
    prefkit generate documents --total 150
    prefkit generate handbook.pdf --model openai:gpt-4o-mini --mix numeric:2,why,multi-hop --dry-run
    """
    flags = {name: value for name, value in flags.items() if value != ()}
    if bool(sources) == bool(from_questions):
        raise click.UsageError("Name documents, or reviewed questions with --from-questions.")
    if draft_personas is not None:
        _draft_personas(sources, draft_personas, options, flags)
    elif from_questions is not None:
        _answer(from_questions, options, flags)
    else:
        _draft(sources, options, flags)


def _draft(sources: tuple[str, ...], options: RunOptions, flags: dict[str, Any]) -> None:
    from prefkit.generation.run import plan_generate, run_generate

    review = "review questions.csv there, then `prefkit generate --from-questions …/questions.csv`"
    options.execute(
        lambda config, workspace: plan_generate(sources, config, workspace),
        run_generate,
        "generate",
        flags,
        next_step=review if flags.get("questions_only") else "prefkit clean @generate",
    )


def _answer(source: str, options: RunOptions, flags: dict[str, Any]) -> None:
    from prefkit.generation.answers import plan_answers
    from prefkit.generation.run import run_generate

    options.execute(
        plan_answers, run_generate, "generate", flags, source, next_step="prefkit clean @generate"
    )


def _draft_personas(
    sources: tuple[str, ...], path: Path, options: RunOptions, flags: dict[str, Any]
) -> None:
    from prefkit import config, console, workspace
    from prefkit.generation.personas_file import personas_file

    space = workspace.Workspace.find(config_file=options.config_file)
    resolved = config.resolve(
        config.GenerateConfig, file=space.config_file, flags=flags, sets=options.sets
    )
    personas_file(sources, path, resolved, space)
    console.show(str(path))
    console.say(f"next: read and edit {path}, then `prefkit generate … --personas {path}`")
