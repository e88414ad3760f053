"""Part of an audit: which groups of people are named, and whether that goes with winning."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from prefkit.audit import plots
from prefkit.audit.audited import Audited
from prefkit.audit.balance import Association, Named, associations, named, ratio
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.audit.telling import figure, plural, shown, table, with_interval
from prefkit.audit.term_lists import TermList, load_terms
from prefkit.evaluation import charts
from prefkit.evaluation.statistics import Estimate, wilson

KEY: Final = "demographics"
LEVEL = 0.05
MOST_TERMS = 5  # terms of a group that a table names
DRAWN = 16  # groups in a chart
Balanced = tuple[TermList, list[Named], list[Association]]
CRUDE = (
    "Word lists are crude: they count words whatever they mean, know no names of people, and miss "
    "what they do not list. They show where to look and prove nothing by themselves; nothing is "
    "removed for it."
)


def section(audited: Audited) -> Section | None:
    """Balance of terms; None when no text holds any.

    Raises:
        PrefkitError: A list of terms of the workspace is wrong.
    """
    lists = load_terms(audited.workspace)
    counted = zip(lists, named(audited.records, lists), strict=True)
    found = [(terms, groups) for terms, groups in counted if any(g.terms for g in groups)]
    if not found:
        return None
    balanced = list(_associated(found, audited))
    return Section(
        key=KEY,
        title="Demographics",
        lede=f"How often texts name groups of people, and whether naming them goes with being "
        f"preferred. {CRUDE}",
        figures=tuple(_figures(balanced, audited)),
        tables=tuple(_table(one, audited) for one in balanced),
        charts=tuple(_charts(balanced, audited)),
        data={
            "lists": {terms.name: terms.source for terms, _, _ in balanced},
            "groups": [_data(terms, g, a) for terms, gs, many in balanced
                       for g, a in zip(gs, many, strict=True)],
        },
    )  # fmt: skip


def _associated(
    found: Sequence[tuple[TermList, list[Named]]], audited: Audited
) -> Iterator[Balanced]:
    """Each list with its associations, adjusted for the groups of all lists."""
    every = [group for _, groups in found for group in groups]
    if audited.kind == "examples":
        many = iter([Association(Estimate(float("nan"), 0), 1.0, 0) for _ in every])
    else:
        many = iter(associations(every, audited.records, audited.kind))
    for terms, groups in found:
        yield terms, groups, [next(many) for _ in groups]


def _figures(balanced: Sequence[Balanced], audited: Audited) -> Iterator[Figure]:
    rows = len(audited.records)
    for terms, groups, _ in balanced:
        any_of = sum((group.anywhere for group in groups), start=groups[0].anywhere)
        yield figure(
            f"{KEY}.{terms.name}.named",
            f"{terms.title}: rows that name any group",
            wilson(int(any_of.sum()), rows),
            method=f"share of rows, {audited.sampled}",
        )
        most, *others = _by_rows(groups)
        if others and others[0].terms:
            yield figure(
                f"{KEY}.{terms.name}.ratio",
                f"{terms.title}: {others[0].group} for each row of {most.group}",
                ratio(others[0].anywhere, most.anywhere),
                "ratio",
                method=f"rows that name each, {audited.sampled}",
                note=f"The two most named groups: {int(most.anywhere.sum()):,} and "
                f"{int(others[0].anywhere.sum()):,} rows.",
            )
    if audited.kind != "examples":
        yield _clear(balanced)


def _clear(balanced: Sequence[Balanced]) -> Figure:
    tests = [one for _, _, many in balanced for one in many if one.told]
    clear = [
        f"{group.group} ({100 * one.change.value:+.1f} points)"
        for _, groups, many in balanced
        for group, one in zip(groups, many, strict=True)
        if one.told and one.p_holm < LEVEL
    ]
    return Figure(
        f"{KEY}.associated",
        "Groups whose naming goes with winning or losing",
        len(clear),
        len(tests),
        "count",
        method="exact McNemar or Fisher tests, Holm 5 % over all groups; n is the tests",
        note=f"Reported only: {', '.join(clear)}." if clear else "",
    )


def _by_rows(groups: Sequence[Named]) -> list[Named]:
    return sorted(groups, key=lambda group: (-int(group.anywhere.sum()), group.group))


def _table(one: Balanced, audited: Audited) -> Table:
    terms, groups, many = one
    told = dict(zip((group.group for group in groups), many, strict=True))
    most = _by_rows(groups)[0]
    sides = _sides(audited.kind)
    rows = [
        (
            group.group,
            *(f"{int(group.on[side].sum()):,}" for side in sides.values()),
            "1" if group is most else _times(ratio(group.anywhere, most.anywhere)),
            *(_association(told[group.group]) if audited.kind != "examples" else ()),
            ", ".join(f"{shown(term)} {n:,}" for term, n in group.terms.most_common(MOST_TERMS)),
        )
        for group in _by_rows(groups)
    ]
    more = ("winners less losers", "p (Holm)") if audited.kind != "examples" else ()
    headers = ("group", *sides, f"for each row of {most.group}", *more, "most used")
    note = f"Rows that hold a term, by where it stands. List: {terms.source}. {terms.note}"
    return table(terms.title, headers, rows, note)


def _sides(kind: str) -> dict[str, str]:
    if kind == "examples":
        return {"prompts": "prompt", "references": "good"}
    if kind == "unpaired":
        return {"prompts": "prompt", "liked": "good", "not liked": "bad"}
    return {"prompts": "prompt", "chosen": "good", "rejected": "bad"}


def _times(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _association(one: Association) -> tuple[str, str]:
    if not one.told:
        return "–", "–"
    return f"{with_interval(one.change)}, {plural(one.told, 'row')} differ", f"{one.p_holm:.2g}"


def _charts(balanced: Sequence[Balanced], audited: Audited) -> Iterator[Chart]:
    known = [group for _, groups, _ in balanced for group in groups if group.terms]
    few = _by_rows(known)[:DRAWN]
    rows = len(audited.records) or 1
    sides = {
        name: [float(group.on[side].sum()) / rows for group in few]
        for name, side in list(_sides(audited.kind).items())[:2]
    }
    title = "Rows that name a group"
    says = "Shares of all rows; the groups that are named most."
    yield Chart(title, says, plots.shares(title, [group.group for group in few], sides))
    changes = [
        charts.Change(
            group.group,
            100 * one.change.value,
            _points(one.change.low),
            _points(one.change.high),
            "",
            one.told,
        )
        for _, groups, many in balanced
        for group, one in zip(groups, many, strict=True)
        if one.told
    ]
    changes = sorted(changes, key=lambda change: (-change.n, change.label))[:DRAWN]
    if changes:
        title = "Naming a group and winning"
        says = (
            "Share of winners that name it less that of losers, with 95 % intervals; n is the rows "
            "where the sides differ."
        )
        yield Chart(title, says, charts.forest(title, "pts", changes))


def _points(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _data(terms: TermList, group: Named, one: Association) -> dict[str, Any]:  # JSON values
    return {
        "list": terms.name,
        "group": group.group,
        "rows": {side: int(rows.sum()) for side, rows in group.on.items()},
        "terms": dict(group.terms.most_common()),
        "change": one.change.value if one.told else None,
        "low": one.change.low if one.told else None,
        "high": one.change.high if one.told else None,
        "p_holm": one.p_holm if one.told else None,
    }
