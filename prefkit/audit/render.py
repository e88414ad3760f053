"""`audit.html`: one file, no network, no script; every text of the data is escaped."""

import itertools
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from prefkit.audit.audited import Audited
from prefkit.audit.report import alarms_of, headline
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.evaluation.page import document

_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_UNITS: Final = {unit: f" {unit}" for unit in ("words", "characters", "bits", "rows")}
_NUMBERS: Final = re.compile(r"[-+−]?[\d.,]*(?: ?%)?(?: \([-+\d., ]+to[-+\d., ]+\))?|–")
_WHOLE: Final = ("count", "words", "characters", "rows")


def render(audited: Audited, sections: Sequence[Section], about: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        audited: What was audited.
        sections: Its parts.
        about: Line over the title: run and date.
    """
    body = "".join(
        (
            _head(audited, sections, about),
            _alarms(sections),
            _contents(sections),
            *map(_section, sections),
            "<footer>Intervals are of 95 %. An alarm is raised by the whole interval, not by the "
            "value. What each figure means, and why its alarm stands where it does: "
            "<code>prefkit/audit/README.md</code>. All numbers: <code>audit.json</code>.</footer>",
        )
    )
    return (
        document(f"Audit: {audited.source or about.get('run', '')}", body)
        .encode("utf-8", "replace")
        .decode()
    )


def _head(audited: Audited, sections: Sequence[Section], about: Mapping[str, str]) -> str:
    alarms = alarms_of(sections)
    tone = "need-more-data" if alarms else "ship"
    files = [audited.workspace.show(file) for file in audited.files]
    more = f" and {len(files) - 4} more" if len(files) > 4 else ""
    counts = sorted(audited.splits.items())
    splits = ", ".join(f"{count:,} {name or 'without a split'}" for name, count in counts)
    facts = {
        "Rows": f"{audited.rows:,} {audited.kind}" + (f": {splits}" if any(audited.splits) else ""),
        "Files": ", ".join(files[:4]) + more,
        "Looked at": _looked_at(audited),
        "Reference": _reference(audited),
        "No records": f"{audited.bad_rows:,} rows, counted nowhere else"
        if audited.bad_rows
        else "",
        "Not audited": ", ".join(f"{kind} (`--kind {kind}`)" for kind in audited.others),
    }
    shown = "".join(
        f"<dt>{escape(name)}</dt><dd>{_prose(value)}</dd>" for name, value in facts.items() if value
    )
    return (
        f'<p class="kicker">prefkit audit · {_text(" · ".join(about.values()))}</p>'
        f'<section class="verdict {tone}"><h1>{_text(headline(audited, alarms))}</h1>'
        f'<dl class="facts">{shown}</dl></section>'
    )


def _looked_at(audited: Audited) -> str:
    texts = min(len(audited.sample), audited.rows)
    if texts == audited.rows:
        return "all rows"
    held = "all rows" if audited.whole else f"a sample of {len(audited.records):,} rows"
    return (
        f"counts, lengths and surface: all rows; single records: {held}; whole texts: a sample "
        f"of {texts:,} rows, seed {audited.config.seed}"
    )


def _reference(audited: Audited) -> str:
    reference = audited.reference
    if reference is None:
        return ""
    return f"{reference.source}: {reference.rows:,} {reference.kind}"


def _alarms(sections: Sequence[Section]) -> str:
    alarms = alarms_of(sections)
    if not alarms:
        return '<p class="lede">Nothing measured here asks for a closer look.</p>'
    titles = {section.key: section.title for section in sections}
    items = "".join(
        f'<li>{_prose(alarm.says)} <a href="#{_anchor(alarm.section)}">'
        f"{_text(titles[alarm.section])}</a></li>"
        for alarm in alarms
    )
    return f'<h2 class="first">To look at</h2><ul class="alarms">{items}</ul>'


def _contents(sections: Sequence[Section]) -> str:
    items = "".join(
        f'<a href="#{_anchor(section.key)}">{_text(section.title)}{_count(section)}</a>'
        for section in sections
    )
    return f'<nav class="contents">{items}</nav>'


def _count(section: Section) -> str:
    return f" <b>{len(section.alarms)}</b>" if section.alarms else ""


def sections_body(sections: Sequence[Section]) -> str:
    """Contents and sections as HTML, for a page of another stage."""
    return _contents(sections) + "".join(map(_section, sections))


def _section(section: Section) -> str:
    return (
        f'<h2 id="{_anchor(section.key)}">{_text(section.title)}</h2>'
        f'<p class="lede">{_prose(section.lede)}</p>'
        f"{''.join(map(_chart, section.charts))}{_figures(section.figures)}"
        f"{''.join(map(_table, section.tables))}"
    )


def _chart(chart: Chart) -> str:
    return (
        f'<figure class="forest"><figcaption><b>{_text(chart.title)}</b>'
        f"<span>{_prose(chart.says)}</span></figcaption>{chart.svg}</figure>"
    )


def _figures(figures: Sequence[Figure]) -> str:
    """One table; figures whose labels begin alike stand under one head."""
    if not figures:
        return ""
    rows = []
    for group, members in itertools.groupby(figures, key=_group):
        of_group = list(members)
        grouped = bool(group) and len(of_group) > 1
        if grouped:
            rows.append(f'<tr class="group"><td colspan="5">{_text(group)}</td></tr>')
        rows += [_figure(f, len(group) + 2 if grouped else 0) for f in of_group]
    return (
        '<div class="scroll"><table class="figures"><thead><tr><th>figure</th>'
        '<th class="num">value</th><th class="num">95 % interval</th><th class="num">n</th>'
        f"<th>how, and what it says</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _group(figure: Figure) -> str:
    head, colon, _ = figure.label.partition(": ")
    return head if colon else ""


def _figure(figure: Figure, cut: int) -> str:
    mark = ' class="alarmed"' if figure.alarm else ""
    value, between, unit = "–", "", ""
    if figure.value is not None:
        fine = abs(figure.value) < 0.1
        value, unit = _number(figure.value, figure.unit, fine), _UNITS.get(figure.unit, "")
        if figure.low is not None and figure.high is not None:
            ends = (_number(end, figure.unit, fine) for end in (figure.low, figure.high))
            between = " to ".join(ends)
    method = figure.method if figure.value is not None or not figure.note else ""
    says = "".join(f"<span>{_prose(t)}</span>" for t in (figure.note, figure.alarm) if t)
    return (
        f"<tr{mark}><td>{_prose(figure.label[cut:])}</td>"
        f'<td class="num"><b>{value}</b>{unit}</td><td class="num">{between}</td>'
        f'<td class="num">{f"{figure.n:,}" if figure.n else ""}</td>'
        f'<td class="method">{_prose(method)}{says}</td></tr>'
    )


def _number(value: float, unit: str, fine: bool) -> str:
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit in _WHOLE:
        return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.1f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if fine else f"{value:.2f}"


def _table(table: Table) -> str:
    numeric = [
        bool(table.rows) and all(_numeric(row[i]) for row in table.rows if i < len(row))
        for i in range(len(table.headers))
    ]
    kinds = [' class="num"' if is_number else "" for is_number in numeric]
    head = "".join(f"<th{k}>{_text(h)}</th>" for k, h in zip(kinds, table.headers, strict=True))
    rows = "".join(
        f"<tr>{''.join(f'<td{k}>{_prose(c)}</td>' for k, c in zip(kinds, row, strict=False))}</tr>"
        for row in table.rows
    )
    note = f'<p class="lede small">{_prose(table.note)}</p>' if table.note else ""
    return (
        f'<h3>{_text(table.title)}</h3><div class="scroll"><table class="data"><thead><tr>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>{note}"
    )


def _numeric(cell: str) -> bool:
    """Whether a cell is a number, a share, an interval, a dash or nothing."""
    return _NUMBERS.fullmatch(cell) is not None


def _anchor(key: str) -> str:
    return escape(re.sub(r"\W+", "-", key))


def _text(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text))


def _prose(text: str) -> str:
    """Escaped text with `code` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))
