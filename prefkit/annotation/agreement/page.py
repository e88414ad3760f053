"""`report.html`: the agreement report as one page; every name and answer is escaped."""

from collections.abc import Sequence
from html import escape

from prefkit.annotation.agreement import words
from prefkit.annotation.agreement.results import Agreement
from prefkit.evaluation.page import document


def render(agreement: Agreement, run: str) -> str:
    """The whole page."""
    first, *rest = words.sentences(agreement)
    body = (
        f"<h1>How alike annotators answer</h1><p class='kicker'>{escape(run)}</p>"
        f"<p>{escape(first)}</p>{_items(rest)}"
        f"<h2>What to look at</h2>{_items(words.flag_lines(agreement))}"
        f"<p>{escape(words.conflict_line(agreement))}</p>"
        "<h2>Questions</h2>"
        + _table(words.QUESTION_HEADERS, words.question_rows(agreement))
        + f"<p class='lede'>{escape(words.ABOUT_ALPHA)}</p>"
        + "<h2>Annotators</h2>"
        + _table(words.annotator_headers(agreement), words.annotator_rows(agreement))
        + _matrix(agreement)
        + f"<h2>How it was measured</h2>{_items(words.methods(agreement))}"
    )
    return document(f"Agreement: {run}", body)


def _items(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "</div>"
    )


def _matrix(agreement: Agreement) -> str:
    """Who agrees with whom: the darker, the more."""
    if not agreement.matrix:
        return ""
    names = [person.name for person in agreement.annotators]
    head = "<th></th>" + "".join(f"<th class='num'>{escape(name)}</th>" for name in names)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>" + "".join(map(_cell, shares, counts)) + "</tr>"
        for name, shares, counts in zip(names, agreement.matrix, agreement.matrix_n, strict=True)
    )
    return (
        "<h3>Who agrees with whom</h3><p class='lede'>Percent agreement on "
        f"{escape(agreement.main)}, with the number of answers both gave; the stronger the tint, "
        "the more.</p>"
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        "</div>"
    )


def _cell(share: float | None, n: int) -> str:
    if share is None:
        return "<td class='num'>–</td>"
    tint = f"color-mix(in srgb, var(--good) {round(60 * share)}%, transparent)"
    return f"<td class='num' style='background: {tint}'>{share:.0%} <small>n = {n}</small></td>"
