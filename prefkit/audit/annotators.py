"""Part of an audit: who judged, how alike they answer, and what else their answers follow."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prefkit.annotation.agreement import words
from prefkit.annotation.agreement.measure import measure
from prefkit.annotation.agreement.results import Agreement
from prefkit.annotation.agreement.results import Figure as AgreementFigure
from prefkit.audit import plots
from prefkit.audit.audited import Audited
from prefkit.audit.measured import hash64
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.audit.telling import figure, plural, table, with_interval
from prefkit.cleaning.rows import Row
from prefkit.config import AgreementConfig
from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.pairs.raters import Rater
from prefkit.records import Judgment, PreferencePair, Vote, text_of

KEY: Final = "annotators"
RATERS = "raters.json"  # of a run of `prefkit pairs`
LEAST_ALPHA = 0.667  # for tentative conclusions (Krippendorff 2004, p. 241)
MOST = 100_000  # judgments that are compared; of more, those of some prompts
DRAWN = 20  # annotators in a chart
ABOUT = {
    "reliability": ("How often each annotator is right", ("more often wrong", "more often right")),
    "longer": ("How often each annotator prefers the longer answer", ("shorter", "longer")),
}
FROM_VOTES = (
    "No judgments are at hand, so the votes that pairs keep were compared, each pair as one "
    "prompt. Pairs are made where most voters agree, so agreement looks higher here than it was."
)


def section(audited: Audited) -> Section | None:
    """Each annotator; None when no judgment and no vote is at hand."""
    judgments, lengths = audited.judgments, {}
    if judgments:
        lengths = {name: len(text_of(c.completion)) for name, c in audited.candidates.items()}
    voted = not judgments
    if voted:
        judgments, lengths = judgments_of(audited.records)
    if not judgments:
        return None
    total = sum(len(votes_of(row)) for row in audited.records) if voted else len(judgments)
    kept = _some(judgments, audited.config.seed)
    found = measure(kept, AgreementConfig(seed=audited.config.seed), lengths).agreement
    raters = raters_of(audited)
    part = "" if len(kept) == total else f" Of {total:,}, those of some prompts."
    return Section(
        key=KEY,
        title="Annotators",
        lede=f"{plural(len(kept), 'judgment')} by {plural(len(found.annotators), 'annotator')}, "
        f"people, judges and rules alike.{part} {FROM_VOTES if voted else ''} A habit that stands "
        "out is something to look at, never a verdict on a person.",
        figures=tuple(_figures(found, raters)),
        tables=(_people(found, raters), *_notes(found)),
        charts=tuple(_charts(found)),
        data={
            "agreement": found.model_dump(mode="json"),
            "raters": {f"{rater.name} ({rater.kind})": rater.weight for rater in raters},
            "from_votes": voted,
        },
    )


def judgments_of(rows: Sequence[Row]) -> tuple[tuple[Judgment, ...], dict[str, int]]:
    """The votes of pairs as judgments of two answers each; and the answers' lengths.

    Args:
        rows: Pairs; of those with more than MOST votes together, the first are taken.
    """
    judgments, lengths = [], {}
    for row in rows:
        record, votes = row.record, votes_of(row)
        if not votes or len(judgments) + len(votes) > MOST:
            continue
        # By a hash, so that to agree with the pair does not look like always the same answer.
        one, other = "ab" if hash64(record.id) % 2 else "ba"
        sides = f"{record.id}/{one}", f"{record.id}/{other}"
        lengths |= {name: len(c.text) for name, c in zip(sides, row.completions, strict=True)}
        judgments += [_judgment(record.id, vote, sides) for vote in votes]
    return tuple(judgments), lengths


def votes_of(row: Row) -> tuple[Vote, ...]:
    """The votes that a pair keeps; none of other records."""
    return row.record.votes if isinstance(row.record, PreferencePair) else ()


def raters_of(audited: Audited) -> list[Rater]:
    """What the nearest run of `prefkit pairs` found of the raters; empty without one.

    Raises:
        PrefkitError: Its file is damaged.
    """
    path = next((run / RATERS for run in audited.runs if (run / RATERS).is_file()), None)
    if path is None:
        return []
    try:
        return [Rater(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise PrefkitError(
            f"{path}: not a readable list of raters ({error}).",
            hint="Make the pairs again with `prefkit pairs`.",
        ) from error


def _judgment(pair: str, vote: Vote, sides: tuple[str, str]) -> Judgment:
    better, worse = sides if vote.outcome == "for" else sides[::-1]
    return Judgment(
        id=f"{pair}/{vote.judgment_id}/{vote.kind}/{vote.annotator}",
        prompt_id=pair,
        ranks={better: 1, worse: 1 if vote.outcome == "tie" else 2},
        annotator=vote.annotator,
        source="human" if vote.kind == "edit" else vote.kind,
    )


def _some(judgments: Sequence[Judgment], seed: int) -> list[Judgment]:
    """All of them; of more than MOST, those of the prompts that a seeded hash puts first."""
    if len(judgments) <= MOST:
        return list(judgments)
    counts = Counter(judgment.prompt_id for judgment in judgments)
    kept: set[str] = set()
    total = 0
    for name in sorted(counts, key=lambda name: hash64(str(seed), name)):
        total += counts[name]
        if total > MOST and kept:
            break
        kept.add(name)
    return [judgment for judgment in judgments if judgment.prompt_id in kept]


def _figures(found: Agreement, raters: Sequence[Rater]) -> Iterator[Figure]:
    for question in found.questions:
        for one in question.figures if question.name == found.main else ():
            yield Figure(
                f"{KEY}.{one.key}",
                f"{one.label}, {question.name}",
                one.value,
                one.n,
                "share" if one.percent else "score",
                one.low,
                one.high,
                one.method,
                question.meaning if one.key == "alpha" else "",
                _too_low(one) if one.key == "alpha" else "",
            )
    texts = [flag.text for flag in found.flags]
    yield Figure(
        f"{KEY}.flags",
        "Habits that stand out",
        len(texts),
        found.tests,
        "count",
        method="exact tests against the others of the same prompts, Holm 5 %; n is the tests",
        alarm=f"{'; '.join(texts[:5])}{' …' * (len(texts) > 5)}" if texts else "",
    )
    useless = [rater.name for rater in raters if rater.weight <= 0 and rater.checked]
    if raters:
        yield Figure(
            f"{KEY}.weightless",
            "Raters whose word weighs nothing",
            len(useless),
            len(raters),
            "count",
            method="accuracy at or below chance, as `prefkit pairs` estimates it; n is the raters",
            alarm=f"No better than chance: {', '.join(useless[:5])}." if useless else "",
        )


def _too_low(alpha: AgreementFigure) -> str:
    """An alarm when the whole interval is under what Krippendorff asks for."""
    if alpha.high is None or alpha.high >= LEAST_ALPHA:
        return ""
    return (
        f"Annotators agree too little to rely on: alpha is {alpha.value:.2f}, and "
        f"{LEAST_ALPHA} is asked for."
    )


def _people(found: Agreement, raters: Sequence[Rater]) -> Table:
    """Rows of the agreement report, with accuracy and weight where `pairs` gave one."""
    by_name = {
        rater.name if rater.kind == "human" else f"{rater.name} ({rater.kind})": rater
        for rater in raters
    }
    headers = (*words.annotator_headers(found), "skipped or unscored")
    more = ("accuracy in pairs", "weight in pairs") if raters else ()
    rows = [
        (*row, str(person.other), *(_weighed(by_name.get(person.name)) if raters else ()))
        for person, row in zip(found.annotators, words.annotator_rows(found), strict=True)
    ]
    rows.sort(key=lambda row: (-int(row[1]), row[0]))
    note = "; ".join(words.methods(found))
    return table("Annotators", (*headers, *more), rows, f"How it was measured: {note}.")


def _weighed(rater: Rater | None) -> tuple[str, str]:
    if rater is None:
        return "–", "–"
    if rater.accuracy is None:
        return "not checked", f"{rater.weight:.2f}"
    estimate = wilson(rater.accuracy * rater.checked, rater.checked)
    by = f", by {rater.checked_by}" if rater.checked_by else ""
    return f"{with_interval(estimate)}, n = {rater.checked:,}{by}", f"{rater.weight:.2f}"


def _notes(found: Agreement) -> Iterator[Table]:
    if found.notes:
        yield Table("What to know first", ("note",), tuple((note,) for note in found.notes))


def _charts(found: Agreement) -> Iterator[Chart]:
    for key, (title, sides) in ABOUT.items():
        shown = list(_of_each(found, key))
        if shown:
            svg = plots.around(title, shown[:DRAWN], 0.5, sides)
            yield Chart(title, "0.5 is chance; the line is the 95 % interval.", svg)


def _of_each(found: Agreement, key: str) -> Iterator[Figure]:
    """One figure of every annotator, the most certain first."""
    whose: Mapping[str, AgreementFigure] = {
        person.name: one for person in found.annotators for one in person.figures if one.key == key
    }
    for name, one in sorted(whose.items(), key=lambda entry: (-entry[1].n, entry[0])):
        if one.value is not None:
            yield figure(f"{KEY}.{key}", name, Estimate(one.value, one.n, one.low, one.high))
