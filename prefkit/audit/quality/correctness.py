"""Correctness: what can be checked of it without knowing the subject."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from prefkit.audit.audited import Audited
from prefkit.audit.measured import ONE_SPELLING
from prefkit.audit.quality.part import Part, asked, good_rows
from prefkit.audit.quality.relevance import passage_of
from prefkit.audit.sections import Figure, Table
from prefkit.audit.telling import figure, percent, plural, shown, table, with_interval
from prefkit.cleaning.rules import FAILED, RULES
from prefkit.evaluation.statistics import Estimate, bootstrap_sums, wilson
from prefkit.generation.grounding import long_enough, unsupported
from prefkit.records import Example, PreferencePair

LEAST_GROUNDED = 0.95
OFTEN = 0.02  # share of rows that a rule of cleaning may refuse before someone should look
NEVER = ("secret", "personal-data", "damaged-text", "same-answers")  # one is too many
LEAST_AGREED = 0.75  # of votes for the chosen side; 0.5 is no agreement


def found(audited: Audited) -> Part:
    """Grounding, agreement of votes, and what the rules of cleaning would refuse."""
    rules, caught = _rules(audited)
    figures = (_records(audited), _grounded(audited), _quotes(audited), _agreement(audited), *rules)
    tables = [caught] if caught.rows else []
    return Part(figures, (*tables, *_bad_rows(audited)))


def _records(audited: Audited) -> Figure:
    """Rows that are what they should be."""
    every = audited.rows + audited.bad_rows
    return figure(
        "quality.correctness.records",
        "correctness: rows that are records",
        wilson(audited.rows, every),
        method=f"share of rows that can be read as {audited.kind}",
        alarm=f"{plural(audited.bad_rows, 'row')} of {every:,} cannot be read as {audited.kind}; "
        "training would stop there, or lose them."
        if audited.bad_rows
        else "",
    )


def _grounded(audited: Audited) -> Figure:
    """Numbers, units and names of answers stand in what they quote."""
    checked = bad = 0
    for row, text in good_rows(audited):
        passage = passage_of(row, audited)
        if passage:
            checked += 1
            bad += unsupported(text, f"{passage}\n{asked(row)}") is not None
    estimate = wilson(checked - bad, checked) if checked else Estimate(math.nan, 0)
    return figure(
        "quality.correctness.grounded",
        "correctness: numbers, units and names stand in the passage",
        estimate,
        method="share of answers",
        note="" if checked else "Not measured: no record quotes a passage that is at hand.",
        alarm=f"{plural(bad, 'answer')} of {checked:,} state what their passage does not."
        if estimate.below(LEAST_GROUNDED)
        else "",
    )


def _quotes(audited: Audited) -> Figure:
    """Spans that support an answer lie in a chunk that is there."""
    checked = bad = 0
    for row in audited.sample:
        for quote in row.record.quotes if isinstance(row.record, Example) else ():
            chunk = audited.chunks.get(quote.chunk_id)
            checked += 1
            bad += chunk is None or not long_enough(chunk.text[quote.start : quote.end])
    estimate = wilson(checked - bad, checked) if checked else Estimate(math.nan, 0)
    return figure(
        "quality.correctness.quotes",
        "correctness: quotes stand in their document",
        estimate,
        method="share of quotes",
        note="" if checked else "Not measured: no record has quotes.",
        alarm=f"{plural(bad, 'quote')} of {checked:,} cannot be found or are too short to support "
        "anything."
        if bad
        else "",
    )


def _agreement(audited: Audited) -> Figure:
    """Votes that say what the pair says."""
    votes = [
        (row.record.votes_for, row.record.votes_for + row.record.votes_against)
        for row in audited.records
        if isinstance(row.record, PreferencePair)
        and row.record.votes_for + row.record.votes_against
    ]
    if votes:
        columns = np.array(votes, np.float64).T
        estimate = bootstrap_sums(_ratio, columns, seed=audited.config.seed)
    else:
        estimate = Estimate(math.nan, 0)
    return figure(
        "quality.correctness.agreement",
        "correctness: votes agree with the chosen side",
        estimate,
        method=f"share of votes over pairs, {audited.sampled}" if votes else "",
        note="Ties count for neither side." if votes else "Not measured: no record has votes.",
        alarm=f"Only {percent(estimate.value)} of the votes are for the side that was chosen."
        if estimate.below(LEAST_AGREED)
        else "",
    )


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return top / bottom


def _rules(audited: Audited) -> tuple[list[Figure], Table]:
    """What each rule of cleaning would refuse, and what it would spell anew."""
    seen = [flags for flags in audited.measured.table["flags"].to_pylist() if flags is not None]
    counts: Counter[str] = Counter()
    details: dict[str, str] = {}
    for flags in seen:
        named = dict(reversed([flag.partition(": ")[::2] for flag in flags]))
        for name, detail in _findings(named):
            counts[name] += 1
            details[name] = min(details.get(name, detail), detail)
    rows, figures = [], []
    for name, count in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0])):
        share = wilson(count, len(seen))
        what = RULES[name].what if name in RULES else _OTHERS.get(name, "A rule of yours.")
        figures.append(_rule(name, share, what))
        rows.append([name, f"{count:,}", with_interval(share), shown(details[name])])
    every = wilson(sum(bool(f) for f in seen), len(seen))
    figures = [_rule("any", every, "Any of them."), *figures] if seen else []
    note = f"Of {len(seen):,} rows; `prefkit clean` drops or mends them, and names each."
    headers = ["rule", "rows", "share", "for example"]
    return figures, table("What the rules of cleaning would refuse", headers, rows, note)


_OTHERS = {
    ONE_SPELLING: "Text that cleaning spells anew and keeps: damage, invisible characters, …",
    FAILED: "A rule of yours failed on these rows.",
}


def _findings(named: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, detail in named.items():
        if name == ONE_SPELLING:
            yield name, f"{detail}: spelled anew, not dropped"
        else:
            yield name, detail


def _rule(name: str, share: Estimate, what: str) -> Figure:
    alarm = ""
    if name in NEVER and share.value:
        alarm = f"The rule `{name}` finds something in {percent(share.value)} of the rows: {what}"
    elif name in RULES and share.above(OFTEN):
        alarm = f"The rule `{name}` would refuse {percent(share.value)} of the rows: {what}"
    return figure(
        f"quality.correctness.rule.{name}",
        f"correctness: rule {name}",
        share,
        method="share of rows that `prefkit clean` would flag",
        note="" if alarm else what,
        alarm=alarm,
    )


def _bad_rows(audited: Audited) -> list[Table]:
    rows = [[shown(text)] for text in audited.bad_rows_shown]
    return [table("Rows that are no records", ["what is wrong"], rows)] if rows else []
