"""`prefkit clean`: which examples stay, and which split they belong to."""

from typing import Any

import click

from prefkit.commands._options import RunOptions, engine_options, run_options


def _list_rules(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from prefkit import console
    from prefkit.cleaning.rules import RULES

    console.show_table(["rule", "refuses"], [[name, rule.what] for name, rule in RULES.items()])
    context.exit()


@click.command("clean")
@click.argument("source")
@click.option(
    "--kind",
    type=click.Choice(["auto", "examples", "pairs", "unpaired"]),
    help="What the source holds, if its fields do not tell.",
)
@click.option(
    "--near-duplicates",
    type=click.FloatRange(0, 1, min_open=True),
    help="Similarity at which two examples count as one.",
)
@click.option(
    "--compare",
    type=click.Choice(["prompts", "completions", "both"]),
    help="Which texts of two near duplicates must be alike.",
)
@click.option(
    "--keep-repeated-prompts",
    is_flag=True,
    default=None,
    help="Keep several references to one prompt.",
)
@click.option(
    "--semantic",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="COSINE",
    help="Mark what means the same, and what is far from all else.",
)
@click.option("--embedder", metavar="NAME", help="What makes embeddings: see `prefkit similar`.")
@click.option("--embedder-url", metavar="URL", help="OpenAI-compatible endpoint of the embedder.")
@click.option(
    "--semantic-field",
    type=click.Choice(["prompt", "completion", "both"]),
    help="Which texts of two semantic duplicates must be alike.",
)
@click.option(
    "--semantic-drop", is_flag=True, default=None, help="Drop semantic duplicates, do not mark."
)
@click.option("--min-reference-words", type=click.IntRange(1), help="Fewest words in a reference.")
@click.option("--max-reference-words", type=click.IntRange(1), help="Most words in a reference.")
@click.option("--skip-rule", "skip_rules", multiple=True, metavar="RULE", help="Leave a rule out.")
@click.option("--use-rule", "use_rules", multiple=True, metavar="RULE", help="Only these rules.")
@click.option(
    "--flag-rule", "flag_rules", multiple=True, metavar="RULE", help="Mark, do not drop, by a rule."
)
@click.option(
    "--flag-only", is_flag=True, default=None, help="Drop nothing; mark it in metadata.flags."
)
@click.option(
    "--language", "languages", multiple=True, metavar="CODE", help="Keep this language (`en`)."
)
@click.option("--tokenizer", metavar="MODEL", help="The model to train: counts tokens.")
@click.option("--max-length", type=click.IntRange(1), help="Most tokens of a row.")
@click.option("--names-model", metavar="MODEL", help="A spaCy model or folder: mark names.")
@click.option(
    "--on-rule-error",
    type=click.Choice(["stop", "count"]),
    help="A rule that fails stops the run, or marks the row.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="[NAME=]SOURCE",
    help="Drop what holds items of this evaluation set.",
)
@click.option(
    "--test-share", type=click.FloatRange(0, 1, max_open=True), help="Share of examples held out."
)
@click.option(
    "--split-by",
    type=click.Choice(["document", "chunk", "example"]),
    help="What must not lie on both sides of the split.",
)
@click.option(
    "--bad-rows",
    type=click.Choice(["stop", "drop"]),
    help="A row that is no record stops the run, or goes with its reason.",
)
@click.option("--format", type=click.Choice(["jsonl", "parquet"]), help="Of the files written.")
@engine_options
@click.option(
    "--list-rules",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_rules,
    help="Name the rules and what each refuses.",
)
@click.option("--explain", metavar="ID", help="Say what SOURCE, a clean run, did with a record.")
@run_options
def command(
    source: str,
    options: RunOptions,
    explain: str | None,
    engine: str,
    workers: int | None,
    **flags: Any,  # values as click parsed them
) -> None:
    """Drop bad and repeated examples, split the rest, and keep every reason.

    SOURCE is a run, @stage, `-`, or any file or dataset of prompts with completions, of preference
    pairs, or of completions with labels.

    \b
    prefkit clean @generate
    prefkit clean @generate --near-duplicates 0.9 --test-share 0.2 --json
    prefkit clean @clean --explain 1f0c3a5b9d7e2468
    """
    if explain is not None:
        _explain(source, explain, options)
        return
    from prefkit.cleaning.run import plan_clean, run_clean

    for several in ("skip_rules", "use_rules", "flag_rules", "languages", "against"):
        flags[several] = flags[several] or None
    options.execute(
        plan_clean,
        run_clean,
        "clean",
        flags,
        source,
        next_step="prefkit candidates @clean",
        engine=engine,
        workers=workers,
    )


def _explain(source: str, record_id: str, options: RunOptions) -> None:
    import dataclasses

    from prefkit import console
    from prefkit.cleaning.explain import explain
    from prefkit.workspace import Workspace

    found = explain(source, record_id, Workspace.find(config_file=options.config_file))
    if options.as_json:
        console.show_json(dataclasses.asdict(found))
        return
    for line in found.lines():
        console.show(line)
