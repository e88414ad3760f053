"""Part of an audit: what each step of cleaning took, and what rows were like before and after."""

from collections.abc import Iterator, Sequence
from typing import Final

from prefkit.audit import step_plots
from prefkit.audit.audited import Audited
from prefkit.audit.clean_run import CleanRun, find_clean_run, read_clean_run
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.audit.stage_numbers import Numbers, stage_numbers
from prefkit.audit.telling import figure, plural, table, with_interval
from prefkit.evaluation.statistics import Estimate, wilson

KEY: Final = "steps"


def section(audited: Audited) -> Section | None:
    """The clean run that the records are or come from; None when there is none.

    Raises:
        PrefkitError: A manifest is damaged.
    """
    folder = find_clean_run(audited.runs)
    run = read_clean_run(folder, audited.workspace) if folder else None
    if run is None:
        return None
    numbers: list[Numbers] = []
    unmatched = 0
    if not run.lost:
        numbers, unmatched = stage_numbers(run, audited.config.most_rows)
    return Section(
        key=KEY,
        title="Steps of cleaning",
        lede=f"What `{run.folder.name}` did to {run.rows:,} {run.kind}, in the order in which rows "
        f"met its steps. {_lost(run, unmatched)}",
        figures=(*_counts(run), *_figures(numbers)),
        tables=tuple(_tables(run, numbers)),
        charts=tuple(_charts(run, numbers)),
        data={
            "run": run.folder.name,
            "rows": run.rows,
            "kept": run.kept,
            "steps": [{"rule": s.rule, "stage": s.stage, "dropped": s.dropped} for s in run.steps],
            "marked": run.marked,
            "lost": run.lost,
            "languages": {one.name: dict(one.languages.most_common()) for one in numbers},
        },
    )


def _lost(run: CleanRun, unmatched: int) -> str:
    if run.lost:
        return f"Counts only: {run.lost}, so what the rows were like before cannot be told."
    if unmatched:
        return f"{plural(unmatched, 'drop')} could not be matched to a row that came in."
    return "Rows that went are joined to the input by their ids."


def _counts(run: CleanRun) -> Iterator[Figure]:
    kept = wilson(run.kept, run.rows)
    yield figure(f"{KEY}.kept", "Rows that stay", kept, method="share of rows that came in")
    for stage in run.stages:
        took = sum(step.dropped for step in run.steps if step.stage == stage)
        yield figure(
            f"{KEY}.dropped.{stage}",
            f"Rows dropped: {stage}",
            wilson(took, run.rows),
            method="share of rows that came in",
            note=f"{plural(took, 'row')}.",
        )
    if run.marked:
        marks = ", ".join(f"{count:,} {rule}" for rule, count in sorted(run.marked.items()))
        yield Figure(
            f"{KEY}.marked",
            "Marks on rows that stay",
            sum(run.marked.values()),
            run.kept,
            "count",
            note=f"{marks}; see `metadata.flags`.",
        )


def _measures(one: Numbers) -> Iterator[tuple[str, str, Estimate]]:
    """Key, name and value of each number of a stage."""
    yield "words", "Mean words of an answer", one.words
    yield "repeated", "Rows that repeat another", one.repeated
    if one.longer is not None:
        yield "longer", "Chosen side is the longer", one.longer
    yield "distinct", "Different word pairs", one.distinct


def _figures(numbers: Sequence[Numbers]) -> Iterator[Figure]:
    """Of what came in and what stays; the table has the stages between."""
    ends = [(one.name, list(_measures(one))) for one in (*numbers[:1], *numbers[-1:])]
    for measured in zip(*(measures for _, measures in ends), strict=True):
        for (name, _), (key, label, value) in zip(ends, measured, strict=True):
            unit = "words" if key == "words" else "share"
            yield figure(f"{KEY}.{key}.{name}", f"{label}: {name}", value, unit)


def _tables(run: CleanRun, numbers: Sequence[Numbers]) -> Iterator[Table]:
    left = run.rows
    rows = []
    for step in run.steps:
        before, left = left, left - step.dropped
        took = f"{step.dropped / run.rows:.2%}"
        rows.append((step.rule, step.stage, f"{before:,}", f"{step.dropped:,}", took, f"{left:,}"))
    headers = ("rule", "stage", "rows before", "dropped", "share of input", "rows after")
    yield table("Step by step", headers, rows, _marked(run))
    if numbers:
        yield Table(
            "Before and after",
            ("", *(one.name for one in numbers)),
            tuple(_before_and_after(numbers)),
            "Rows are counts of all; the rest is measured on the rows that were looked at. The "
            "input and the stages are texts as they came, the output is in its one spelling.",
        )


def _marked(run: CleanRun) -> str:
    if run.steps or not run.marked:
        return "" if run.steps else "Nothing was dropped."
    return "Nothing was dropped: rows were marked only."


def _before_and_after(numbers: Sequence[Numbers]) -> Iterator[tuple[str, ...]]:
    yield ("rows", *(f"{one.rows:,}" for one in numbers))
    yield ("rows looked at", *(f"{one.words.n:,}" for one in numbers))
    for key, label, _ in _measures(numbers[0]):
        values = [next(v for k, _, v in _measures(one) if k == key) for one in numbers]
        yield (label.lower(), *(_value(value, key) for value in values))
    mixes = [one.languages for one in numbers]
    for name, _ in mixes[0].most_common(3):
        cells = [wilson(mix[name], mix.total()) for mix in mixes]
        yield (f"language {name}", *(with_interval(c) if c.n else "–" for c in cells))


def _value(value: Estimate, key: str) -> str:
    if not value.n:
        return "–"
    if key != "words":
        return with_interval(value)
    between = f" ({value.low:.1f} to {value.high:.1f})" if value.low and value.high else ""
    return f"{value.value:.1f}{between}"


def _charts(run: CleanRun, numbers: Sequence[Numbers]) -> Iterator[Chart]:
    says = "Rows that came in, what each rule took (orange), and what was left."
    yield Chart("What each step took", says, step_plots.waterfall(run))
    if not numbers:
        return
    names = [one.name for one in numbers]
    measures = {
        label: (
            [
                (value.value, value.low, value.high)
                for one in numbers
                for k, _, value in _measures(one)
                if k == key
            ],
            "" if key == "words" else "%",
        )
        for key, label, _ in _measures(numbers[0])
    }
    title = "What rows are like after each stage"
    says = "Lines are 95 % intervals; the axes do not begin at zero where the values are far off."
    yield Chart(title, says, step_plots.stages(title, names, measures))
    title = "Languages after each stage"
    says = "Of the good answers whose language can be told, in a sample."
    drawn = step_plots.languages(title, {one.name: one.languages for one in numbers})
    if drawn:
        yield Chart(title, says, drawn)
