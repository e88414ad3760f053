"""`report.html` of a generate run: parts in order, each a function that gives a Section or None."""

from collections.abc import Callable
from html import escape

from prefkit.audit.sections import Section
from prefkit.generation import coverage_page, diversity_page
from prefkit.generation.reported import Reported
from prefkit.storage import write_text

__all__ = ["PARTS", "Reported", "write_report"]

Part = Callable[[Reported], Section | None]
PARTS: tuple[Part, ...] = (coverage_page.section, diversity_page.section)  # in this order


def write_report(reported: Reported) -> None:
    """Write the page: one file, no network, no script; every text of the data is escaped."""
    from prefkit.audit.render import sections_body
    from prefkit.evaluation.page import document

    sections = [found for part in PARTS if (found := part(reported)) is not None]
    name = reported.run.path.name
    body = (
        f'<p class="kicker">prefkit generate · {escape(name)}</p>'
        f'<section class="verdict measured"><h1>{_headline(reported)}</h1></section>'
        f"{sections_body(sections)}"
    )
    page = document(f"Generate: {name}", body)
    write_text(reported.run.path / "report.html", page.encode("utf-8", "replace").decode())


def _headline(reported: Reported) -> str:
    stream = "questions" if reported.plan.config.questions_only else "examples"
    made = sum(1 for _ in reported.rows(stream))
    return f"{made:,} {stream} from {reported.plan.counts.get('documents', 0):,} documents"
