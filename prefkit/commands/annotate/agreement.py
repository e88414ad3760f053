"""`prefkit annotate agreement`: how alike annotators answer."""

import functools
from typing import Any

import click

from prefkit import console
from prefkit.commands._options import RunOptions, run_options


@click.command("agreement")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--source",
    "kinds",
    multiple=True,
    type=click.Choice(["human", "judge", "rule"]),
    help="Compare only judgments of this kind; may be repeated.",
)
@click.option(
    "--scale",
    type=click.Choice(["ordinal", "interval"]),
    help="Whether scores say which is more, or also by how much.",
)
@click.option(
    "--conflict",
    type=click.FloatRange(0, 1, min_open=True),
    help="Least share of contradictions that makes a conflict.",
)
@click.option("--candidates", metavar="SOURCE", help="What was judged, if not upstream.")
@click.option("--attention-key", metavar="FILE", help="Expected answers, if not upstream.")
@run_options
def command(
    sources: tuple[str, ...], kinds: tuple[str, ...], options: RunOptions, **flags: Any
) -> None:  # values as click parsed them
    """Measure how alike annotators answer, and what stands out about each one.

    SOURCE is a run with judgments, @stage, or a file of them (default: @annotate-pull); give
    several to join them. Writes agreement.json, report.html and the conflicts for
    `prefkit annotate adjudicate`.

    \b
    prefkit annotate agreement
    prefkit annotate agreement @annotate-pull @judge --conflict 0.5 --json
    """
    from prefkit.annotation.agreement.run import plan_agreement, read_agreement, run_agreement

    def details(run: Any) -> dict[str, Any]:  # of a Run
        return {"agreement": read_agreement(run.path).model_dump(mode="json")}

    flags["sources"] = kinds or None
    plan = functools.partial(plan_agreement, sources or ("@annotate-pull",))
    run = options.execute(plan, run_agreement, "agreement", flags, details=details)
    if run is not None and not options.as_json and not options.quiet:
        _show(read_agreement(run.path))


def _show(agreement: Any) -> None:  # an Agreement
    from prefkit.annotation.agreement import words

    for line in words.sentences(agreement):
        console.show(line)
    console.show("")
    console.show_table(words.QUESTION_HEADERS, words.question_rows(agreement))
    console.show("")
    console.show_table(words.annotator_headers(agreement), words.annotator_rows(agreement))
    console.show("\nWhat to look at:")
    for line in words.flag_lines(agreement):
        console.show(f"- {line}")
    console.show(words.conflict_line(agreement))
    if agreement.conflicts:
        console.say("next: prefkit annotate adjudicate --adjudicator NAME")
