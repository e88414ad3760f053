"""The report in words and tables, for the console and the run's card."""

from collections.abc import Iterable, Sequence

from prefkit.annotation.agreement.results import Agreement, AnnotatorReport, Figure

ABOUT_ALPHA = (
    "Krippendorff's alpha is 1 for perfect agreement and 0 for what chance gives. He asks for "
    "at least .800, and takes .667 to .800 for tentative conclusions only (Krippendorff 2004, "
    "Content Analysis, 2nd ed., p. 241)."
)
SHOWN = ("agreement", "reliability", "first_shown", "longer", "ties", "attention", "repeats")
QUESTION_HEADERS = ["question", "figure", "value", "95 % interval", "chance", "n"]
ANNOTATOR_HEADERS = ["annotator", "submitted", "discarded", "draft", "median s"]


def question_rows(agreement: Agreement) -> list[list[str]]:
    """One row a figure of a question."""
    return [
        [question.name, found.label, *_figure_cells(found)]
        for question in agreement.questions
        for found in question.figures
    ]


def _figure_cells(found: Figure) -> list[str]:
    chance = "-" if found.expected is None else number(found.expected, found.percent)
    return [number(found.value, found.percent), interval(found), chance, f"{found.n} {found.unit}"]


def annotator_headers(agreement: Agreement) -> list[str]:
    """The columns of `annotator_rows`."""
    return ANNOTATOR_HEADERS + [_label(agreement, key) for key in _keys(agreement)]


def annotator_rows(agreement: Agreement) -> list[list[str]]:
    """One row an annotator, with the figures that anyone has."""
    keys = _keys(agreement)
    return [
        [
            person.name,
            *(str(count) for count in (person.submitted, person.discarded, person.draft)),
            "-" if person.seconds is None else f"{person.seconds:.0f}",
            *(_cell(person, key) for key in keys),
        ]
        for person in agreement.annotators
    ]


def _keys(agreement: Agreement) -> list[str]:
    present = {found.key for person in agreement.annotators for found in person.figures}
    return [key for key in SHOWN if key in present]


def _label(agreement: Agreement, key: str) -> str:
    figures = (found for person in agreement.annotators for found in person.figures)
    return next(found.label for found in figures if found.key == key).lower()


def _cell(person: AnnotatorReport, key: str) -> str:
    found = next((found for found in person.figures if found.key == key), None)
    if found is None or found.value is None:
        return "-"
    around = (
        f" ({interval(found)}; n = {found.n})" if found.low is not None else f" (n = {found.n})"
    )
    return number(found.value, percent=True) + around


def number(value: float | None, percent: bool = False) -> str:
    """`78 %` or `0.743`; a dash when there is none."""
    if value is None:
        return "-"
    return f"{value:.0%}" if percent else f"{value:.3f}"


def interval(found: Figure) -> str:
    """`low to high`; a dash when there is none."""
    if found.low is None or found.high is None:
        return "-"
    return f"{number(found.low, found.percent)} to {number(found.high, found.percent)}"


def sentences(agreement: Agreement) -> list[str]:
    """What was compared, what each alpha means, what to look at."""
    lines = [
        f"{agreement.judgments} judgments of {agreement.prompts} prompts by "
        f"{len(agreement.annotators)} annotators; {agreement.shared_prompts} prompts have two or "
        "more."
    ]
    if agreement.adjudicated:
        lines.append(f"{agreement.adjudicated} adjudications stand apart: they are nobody's vote.")
    lines += [f"{question.name}: {question.meaning}." for question in agreement.questions]
    lines += agreement.notes
    return lines


def flag_lines(agreement: Agreement) -> list[str]:
    """What to look at, or that there is nothing."""
    if not agreement.flags:
        return [f"Nothing stands out in {agreement.tests} tests of annotators (Holm, 5 %)."]
    return [
        f"{flag.text} (p = {flag.p_holm:.2g}, Holm over {agreement.tests} tests)"
        for flag in agreement.flags
    ]


def conflict_line(agreement: Agreement) -> str:
    """How many conflicts, and from where on."""
    plural = "" if agreement.conflicts == 1 else "s"
    return (
        f"{agreement.conflicts} conflict{plural}: annotators contradict each other in at least "
        f"{agreement.threshold:.0%} of what they both said."
    )


def methods(agreement: Agreement) -> list[str]:
    """How each figure and its interval came about."""
    owners = (*agreement.questions, *agreement.annotators)
    figures = (found for owner in owners for found in owner.figures)
    return sorted({f"{found.label}: {found.method}" for found in figures if found.method})


def card(agreement: Agreement) -> str:
    """The part of the run's README that says what was found."""
    return "\n".join(
        [
            *sentences(agreement),
            "\n## Questions\n",
            *_markdown(QUESTION_HEADERS, question_rows(agreement)),
            f"\n{ABOUT_ALPHA}",
            "\n## Annotators\n",
            *_markdown(annotator_headers(agreement), annotator_rows(agreement)),
            "\n## What to look at\n",
            *(f"- {_plain(line)}" for line in flag_lines(agreement)),
            f"\n{conflict_line(agreement)} In `data/conflicts.jsonl`, the greatest first.",
            "\n## How it was measured\n",
            *(f"- {line}" for line in methods(agreement)),
        ]
    )


def _markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [headers, ["---"] * len(headers), *rows]
    return ["| " + " | ".join(map(_plain, row)) + " |" for row in body]


def _plain(text: str) -> str:
    """Text of others that cannot end a table's cell, open a tag or break the line."""
    flat = " ".join(text.split())
    return flat.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
