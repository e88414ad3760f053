"""Part of an audit: records that contradict each other."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from prefkit.audit.audited import Audited
from prefkit.audit.clashes import Clash, Clashes, Kind, clashes
from prefkit.audit.sections import Figure, Section, Table
from prefkit.audit.swapped import ALIKE
from prefkit.audit.telling import LISTED, figure, plural, shown, table
from prefkit.cleaning.rows import Row
from prefkit.evaluation.statistics import wilson
from prefkit.records import text_of

KEY: Final = "conflicts"
IDS = 4  # ids of a clash that a table names
TURNS = 4  # answers of a circle that a table names


@dataclasses.dataclass(frozen=True)
class _Words:
    """What is said of one kind of clash."""

    label: str
    note: str
    alarm: str = ""  # after how many prompts there are


WORDS: Final[Mapping[Kind, _Words]] = {
    "opposite": _Words(
        "Prompts with the same two answers in opposite order",
        "Training pulls both ways. `prefkit clean` drops such pairs as `contradicted`.",
        "the same two answers in opposite order: re-review these pairs, or let `prefkit clean` "
        "drop them",
    ),
    "circle": _Words(
        "Prompts with a circle of answers",
        "Each answer beats the next by majority of its pairs, and the last beats the first.",
        "answers that beat each other all round: no order of them fits the pairs",
    ),
    "swapped": _Words(
        "Prompts with a near duplicate whose winner is swapped",
        f"Prompts and answers at least {ALIKE:g} similar (exact Jaccard of word shingles), with "
        "no number, name or turning word in only one of them.",
        "a near duplicate that chooses what they reject",
    ),
    "both-sides": _Words(
        "Prompts with an answer on both sides",
        "Chosen in one pair and rejected in another. No contradiction by itself: the middle one "
        "of three answers is. Thumbs made from such pairs contradict each other.",
    ),
    "both-labels": _Words(
        "Prompts with an answer that has both labels",
        "Training pulls both ways. `prefkit clean` drops such rows as `contradicted`.",
        "the same answer with a thumb up and a thumb down",
    ),
    "references": _Words(
        "Prompts with several references",
        "Differ in more than case, spacing and sentence marks; `prefkit clean` keeps one.",
        "references that do not state the same facts",
    ),
}
OF_KIND: Final[Mapping[str, tuple[Kind, ...]]] = {
    "pairs": ("opposite", "circle", "swapped", "both-sides"),
    "unpaired": ("both-labels",),
    "examples": ("references",),
}


def section(audited: Audited) -> Section | None:
    """What contradicts what; None without records."""
    if not audited.records:
        return None
    found = clashes(audited.records, audited.kind)
    kinds = OF_KIND[audited.kind]
    return Section(
        key=KEY,
        title="Conflicts",
        lede="Records that say opposite things of the same prompt, so that no model can learn "
        "both. Texts are one when they differ only in case, spacing, width or sentence marks. "
        "The ids stand in audit.json, for re-review.",
        figures=(*_shares(found, kinds, audited), _rows(found, audited)),
        tables=tuple(_tables(found, audited.records)),
        data={kind: _listed(found.of_kind(kind), audited.records) for kind in kinds},
    )


def _shares(found: Clashes, kinds: Sequence[Kind], audited: Audited) -> Iterator[Figure]:
    for kind in kinds:
        words = WORDS[kind]
        count = found.prompts_with(kind)
        hard = len({int(found.of[c.rows[0]]) for c in found.of_kind(kind) if c.hard})
        alarm = f"{plural(hard, 'prompt has', 'prompts have')} {words.alarm}."
        yield figure(
            f"{KEY}.{kind.replace('-', '_')}",
            words.label,
            wilson(count, found.prompts),
            method=f"share of prompts, {audited.sampled}",
            note=f"{plural(count, 'prompt')}. {words.note} {_could(found, kind, audited.kind)}",
            alarm=alarm if hard and words.alarm else "",
        )


def _could(found: Clashes, kind: Kind, kind_of_records: str) -> str:
    """In how many prompts there could be any."""
    if kind == "swapped":
        compared = f"{plural(found.near or 0, 'pair')} of near-duplicate prompts were compared"
        return compared + ("." if found.complete else "; there are too many to compare all.")
    several = plural(found.repeated, "prompt has", "prompts have")
    return f"{several} several {kind_of_records if kind_of_records != 'unpaired' else 'rows'}."


def _rows(found: Clashes, audited: Audited) -> Figure:
    rows = {row for clash in found.found if clash.hard for row in clash.rows}
    return figure(
        f"{KEY}.rows",
        "Rows in a contradiction",
        wilson(len(rows), len(audited.records)),
        method=f"share of rows, {audited.sampled}",
        note=f"{plural(len(rows), 'row')} to look at again; each is listed in audit.json.",
    )


def _tables(found: Clashes, rows: Sequence[Row]) -> Iterator[Table]:
    hard = [clash for clash in found.found if clash.hard]
    order = list(WORDS)
    worst = sorted(hard, key=lambda clash: (-len(clash.rows), order.index(clash.kind)))
    if worst:
        yield table(
            "To look at again, the worst first",
            ("what", "rows", "prompt", "answers", "ids"),
            [_row(clash, rows) for clash in worst],
        )


def _row(clash: Clash, rows: Sequence[Row]) -> tuple[str, ...]:
    joint = {"opposite": " ⇄ ", "swapped": " ⇄ ", "circle": " beats "}.get(clash.kind, " | ")
    answers = [shown(rows[row].completions[side].text) for row, side in clash.answers[:TURNS]]
    if clash.kind == "circle":
        left = len(clash.answers) - TURNS
        answers += [f"… {left} more"] if left > 0 else [answers[0]]
    ids = [rows[row].record.id for row in clash.rows]
    more = f" and {len(ids) - IDS:,} more" if len(ids) > IDS else ""
    return (
        clash.kind,
        f"{len(clash.rows):,}",
        shown(text_of(rows[clash.rows[0]].prompt)),
        joint.join(answers),
        ", ".join(ids[:IDS]) + more,
    )


def _listed(found: Sequence[Clash], rows: Sequence[Row]) -> dict[str, Any]:  # JSON values
    """Ids of what clashes; the first `LISTED` of them."""
    return {
        "count": len(found),
        "listed": [
            {
                "ids": [rows[row].record.id for row in clash.rows[:LISTED]],
                "rows": len(clash.rows),
                "contradiction": clash.hard,
            }
            for clash in found[:LISTED]
        ],
    }
