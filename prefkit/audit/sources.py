"""Part of an audit: what each source gave, and which of them stand apart."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from prefkit.audit import plots
from prefkit.audit.audited import Audited
from prefkit.audit.origins import origins
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.audit.standing import (
    LEVEL,
    Group,
    Numbers,
    apart,
    compared,
    numbers_of,
)
from prefkit.audit.telling import figure, plural, shown, table, with_interval
from prefkit.audit.win_rates import Writer, model_rates
from prefkit.evaluation.statistics import Estimate, wilson

KEY: Final = "sources"
DRAWN = 12  # sources in a chart
CHARTS = 4  # origins that are drawn
Different = Mapping[tuple[str, str], str]


def section(audited: Audited) -> Section | None:
    """Each source; None when nothing says where rows are from."""
    known = origins(audited)
    writers = model_rates(audited) if audited.kind == "pairs" else []
    if not audited.records or not (known or writers):
        return None
    numbers = numbers_of(audited)
    sizes = {origin.name: len(origin.values) for origin in known}
    groups = {origin.name: compared(origin, numbers) for origin in known}
    different = apart([group for found in groups.values() for group in found], writers)
    return Section(
        key=KEY,
        title="Sources",
        lede="Where rows are from, and whether sources differ. A source that writes longer or "
        "wins more often lets a model learn the source and not the quality. A difference is "
        f"named when it is clear beside all others (Holm, {LEVEL:.0%} in all) and large enough "
        "to matter.",
        figures=tuple(_figures(groups, len(writers), different, audited, sizes)),
        tables=(
            *([_models(writers, different)] if writers else ()),
            *_tables(groups, different, numbers, sizes),
        ),
        charts=tuple(_charts(groups, writers, numbers)),
        data={
            "apart": [
                {"by": origin, "source": shown(name), "how": how}
                for (origin, name), how in different.items()
            ],
            "win_rates": {
                one.name: dataclasses.asdict(one.win) for one in writers[:1000] if one.win.n
            },
        },
    )


def _figures(
    groups: Mapping[str, list[Group]],
    writers: int,
    different: Different,
    audited: Audited,
    sizes: Mapping[str, int],
) -> Iterator[Figure]:
    rows = len(audited.records)
    for name, found in groups.items():
        yield figure(
            f"{KEY}.largest.{name}",
            f"Largest {name}",
            wilson(found[0].rows, rows),
            method=f"share of rows, {audited.sampled}",
            note=f"{shown(found[0].name)}; {plural(sizes[name], 'source')} in all.",
        )
    yield Figure(
        f"{KEY}.apart",
        "Sources that stand apart",
        len(different),
        sum(map(len, groups.values())) + writers,
        "count",
        method=f"Welch's t-test, tests of two shares, binomial tests; Holm {LEVEL:.0%}",
        note=f"The tables say how. {audited.sampled.capitalize()}.",
    )


def _models(writers: Sequence[Writer], different: Different) -> Table:
    return table(
        "Models of origin",
        ("model", "completions", "mean words", "chosen", "wins against others", "n", "apart"),
        [
            (
                shown(one.name),
                f"{one.wrote:,}",
                f"{one.words:.1f}",
                with_interval(one.chosen),
                with_interval(one.win),
                f"{one.win.n:,}",
                different.get(("model", one.name), ""),
            )
            for one in writers
        ],
        "Wilson 95 %, each pair one trial; a model against itself wins nothing.",
    )


def _tables(
    groups: Mapping[str, list[Group]],
    different: Different,
    numbers: Numbers,
    sizes: Mapping[str, int],
) -> Iterator[Table]:
    rows = len(numbers.words)
    with_margin = not np.isnan(numbers.margin).all()
    for name, found in groups.items():
        whats = list(found[0].shares)
        yield table(
            f"By {name}",
            ("source", "rows", "share", "mean words", *whats)
            + (("mean margin",) if with_margin else ())
            + ("apart",),
            [
                (
                    shown(group.name),
                    f"{group.rows:,}",
                    f"{group.rows / rows:.1%}",
                    f"{group.words[0]:.1f}",
                    *(_cell(group.shares[what][0]) for what in whats),
                )
                + ((f"{group.margin:.2f}" if not math.isnan(group.margin) else "–",)
                   if with_margin else ())
                + (different.get((group.origin, group.name), ""),)
                for group in found
            ],
            f"{plural(sizes[name], 'source')}. Words are those of the chosen, or only, answer; "
            "intervals are Wilson's, 95 %.",
        )  # fmt: skip


def _cell(estimate: Estimate) -> str:
    return f"{with_interval(estimate)}, n = {estimate.n:,}" if estimate.n else "–"


def _charts(
    groups: Mapping[str, list[Group]], writers: Sequence[Writer], numbers: Numbers
) -> Iterator[Chart]:
    rates = [figure(one.name, shown(one.name), one.win) for one in writers if one.win.n][:DRAWN]
    if rates:
        title = "How often each model is chosen over another"
        svg = plots.around(title, rates, 0.5, ("loses more", "wins more"))
        yield Chart(title, "0.5 is as often chosen as not; the line is the 95 % interval.", svg)
    rows, words = len(numbers.words), float(numbers.words.sum()) or 1.0
    for name, found in list(groups.items())[:CHARTS]:
        few = found[:DRAWN]
        sides = {
            "share of rows": [group.rows / rows for group in few],
            "share of words": [group.words[0] * group.rows / words for group in few],
        }
        title = f"Rows and words by {name}"
        more = f"The first {DRAWN} of {len(found):,}. " if len(found) > DRAWN else ""
        says = f"{more}Where the second bar is longer, answers are longer than elsewhere."
        yield Chart(title, says, plots.shares(title, [shown(one.name) for one in few], sides))
