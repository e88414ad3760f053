"""The coverage of a corpus on the page of a run: figures, a map of chunks, what is left out."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Final

from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.evaluation.drawing import WIDTH, svg, text
from prefkit.generation.coverage import COVERED, DROPPED, NOTHING, STATES, UNTRIED, ChunkCover
from prefkit.generation.reported import Reported

SHOWN: Final = 60  # documents or headings that are named
_SIDE, _PITCH, _LABEL = 11.0, 13.0, 210.0
_TONES: Final = {COVERED: "good", DROPPED: "bad", NOTHING: "unclear", UNTRIED: "missing"}
_METHOD: Final = "counted over all chunks, none sampled"


def section(reported: Reported) -> Section:
    """How much of the documents the examples reach."""
    coverage = reported.coverage
    figures = [
        Figure(
            f"coverage.{name.replace(' ', '_')}",
            f"share of {name}" + ("" if name == "words quoted" else " with examples"),
            share.value,
            share.whole,
            "share",
            method=_METHOD,
        )
        for name, share in coverage.shares().items()
    ]
    if coverage.unquoted:
        note = "questions that the documents do not answer; they count for no chunk"
        figures.append(
            Figure(
                "coverage.unquoted", "examples without a quote", coverage.unquoted, 0, "count",
                method=_METHOD, note=note,
            )
        )  # fmt: skip
    return Section(
        "coverage",
        "Coverage",
        "Which chunks have examples, which have only drafts that were dropped, and which have "
        "nothing. Training can only teach what is covered.",
        tuple(figures),
        (_documents(reported), *_left_out(reported)),
        (_map(reported),),
    )


def document_rows(reported: Reported) -> list[tuple[str, ...]]:
    """A row a document: chunks, those covered, examples, drafts dropped; least covered first."""
    rows = []
    for source, group in reported.coverage.documents():
        covered = sum(cover.examples > 0 for cover in group)
        counts = (
            len(group),
            covered,
            sum(cover.examples for cover in group),
            sum(cover.dropped for cover in group),
        )
        rows.append((covered / len(group), (source, *map(str, counts))))
    return [row for _, row in sorted(rows)]


def _documents(reported: Reported) -> Table:
    rows = document_rows(reported)
    more = f"The {SHOWN} least covered of {len(rows)}; " if len(rows) > SHOWN else ""
    return Table(
        "By document",
        ("document", "chunks", "with examples", "quoting examples", "drafts dropped"),
        tuple(rows[:SHOWN]),
        f"{more}all are in `coverage.json`.",
    )


def _left_out(reported: Reported) -> list[Table]:
    """Headings under which nothing has an example, the longest first."""
    bare = [
        (sum(cover.words for cover in group), path, Counter(cover.state for cover in group))
        for path, group in reported.coverage.headings().items()
        if not any(cover.examples for cover in group)
    ]
    bare.sort(key=lambda entry: (-entry[0], entry[1]))
    if not bare:
        return []
    rows = tuple(
        (source, " > ".join(path), str(words), *(str(states[state]) for state in STATES[1:]))
        for words, (source, *path), states in bare[:SHOWN]
    )
    note = f"The {SHOWN} longest of {len(bare)}." if len(bare) > SHOWN else ""
    headers = ("document", "heading", "words", *STATES[1:])
    return [Table("Headings without an example", headers, rows, note)]


def _map(reported: Reported) -> Chart:
    """A square a chunk, a row a document, in reading order."""
    documents = list(reported.coverage.documents())[:SHOWN]
    across = int((WIDTH - _LABEL) // _PITCH)
    parts, y = _legend(), 40.0
    for source, group in documents:
        parts.append(text(0, y + 9, _short(source), "label"))
        for place, cover in enumerate(group):
            x = _LABEL + place % across * _PITCH
            parts.append(_square(x, y + place // across * _PITCH, cover))
        y += _PITCH * -(-len(group) // across) + 4
    every = list(reported.coverage.documents())
    cut = f" The first {SHOWN} of {len(every)} documents." if len(every) > SHOWN else ""
    return Chart(
        "Map of chunks",
        f"A square is a chunk, a row a document in reading order; darker has more examples.{cut}",
        svg("Chunks with examples", y + 6, parts),
    )


def _legend() -> list[str]:
    parts, x = [], 0.0
    for state in STATES:
        parts.append(_rect(x, 8, _TONES[state], 1.0, state))
        parts.append(text(x + 17, 18, state, "label"))
        x += 40 + 7 * len(state)
    return parts


def _square(x: float, y: float, cover: ChunkCover) -> str:
    strength = min(1.0, 0.4 + 0.2 * cover.examples) if cover.examples else 1.0
    where = " > ".join(cover.passage.chunk.headings) or cover.passage.source
    says = f"{where}: {cover.examples} examples, {cover.dropped} dropped"
    return _rect(x, y, _TONES[cover.state], strength, says)


def _rect(x: float, y: float, tone: str, strength: float, says: str) -> str:
    return (
        f'<rect class="bar {tone}" x="{x:.1f}" y="{y:.1f}" width="{_SIDE}" height="{_SIDE}" rx="2" '
        f'fill-opacity="{strength:g}"><title>{escape(says)}</title></rect>'
    )


def _short(source: str, most: int = 28) -> str:
    return source if len(source) <= most else f"…{source[1 - most :]}"


def states_of(chunks: Sequence[ChunkCover]) -> dict[str, int]:
    """Chunks by state."""
    counted = Counter(cover.state for cover in chunks)
    return {state: counted[state] for state in STATES}
