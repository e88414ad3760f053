"""All parts of an audit, and what `audit.json` and the run's card say of them."""

import dataclasses
import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefkit.audit.audited import Audited
from prefkit.audit.sections import Figure, Section
from prefkit.audit.telling import plural
from prefkit.runs import Run

PARTS = (  # modules of this package, in the order of the page
    "quality",
    "biases",
    "lengths",
    "conflicts",
    "sources",
    "annotators",
    "demographics",
    "counterfactual",
    "drift",
    "embedding",
    "steps",
)
ASKING = ("counterfactual",)  # ask a model, and keep its answers in the run


@dataclasses.dataclass(frozen=True)
class Alarm:
    """Something that a person should look at.

    Attributes:
        section: Key of the section.
        figure: Key of the figure.
        says: Why, in a sentence.
    """

    section: str
    figure: str
    says: str


def sections_of(audited: Audited, run: Run | None = None) -> Iterator[Section]:
    """Yield every part that has something to say.

    Args:
        audited: What is audited.
        run: Keeps what a judge said of counterfactual pairs, which are left out without it.
    """
    for name in PARTS:
        part = importlib.import_module(f"prefkit.audit.{name}")
        if name not in ASKING:
            found = part.section(audited)
        elif run is not None and audited.config.counterfactual:
            found = part.section(audited, run)
        else:
            continue
        if found is not None:
            yield found


def alarms_of(sections: Sequence[Section]) -> list[Alarm]:
    """What someone should look at, in the order of the page."""
    return [
        Alarm(section.key, figure.key, figure.alarm)
        for section in sections
        for figure in section.figures
        if figure.alarm
    ]


def as_json(audited: Audited, sections: Sequence[Section]) -> dict[str, Any]:  # JSON values
    """What `audit.json` holds."""
    reference = audited.reference
    alarms = alarms_of(sections)
    return plain(
        {
            "headline": headline(audited, alarms),
            **_about(audited),
            "reference": _about(reference) if reference is not None else None,
            "alarms": [dataclasses.asdict(alarm) for alarm in alarms],
            "sections": {section.key: _section(section) for section in sections},
        }
    )


def _about(audited: Audited) -> dict[str, Any]:  # JSON values
    return {
        "source": audited.source,
        "kind": audited.kind,
        "rows": audited.rows,
        "splits": dict(audited.splits),
        "sampled": audited.sampled,
        "texts": len(audited.sample),
        "bad_rows": audited.bad_rows,
        "not_audited": list(audited.others),
        "files": [audited.workspace.show(file) for file in audited.files],
    }


def _section(section: Section) -> dict[str, Any]:  # JSON values
    return {
        "title": section.title,
        "figures": {figure.key: _figure(figure) for figure in section.figures},
        "tables": [dataclasses.asdict(table) for table in section.tables],
        "data": dict(section.data),
    }


def _figure(figure: Figure) -> dict[str, Any]:  # JSON values
    return {k: v for k, v in dataclasses.asdict(figure).items() if k != "key"}


def plain(value: Any) -> Any:  # JSON values; what JSON cannot say becomes null or text
    """A value that any reader of JSON takes: no NaN, no infinity, no half characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    number = float(value)  # numpy's too
    return number if math.isfinite(number) else None


def headline(audited: Audited, alarms: Sequence[Alarm]) -> str:
    """The result in one sentence."""
    one = {"examples": "example", "pairs": "pair", "unpaired": "unpaired record"}[audited.kind]
    rows = plural(audited.rows, one)
    bad = f", {plural(audited.bad_rows, 'bad row')}" if audited.bad_rows else ""
    return f"{rows}{bad}: {plural(len(alarms), 'alarm') if alarms else 'no alarm'}."


def card(audited: Audited, sections: Sequence[Section]) -> str:
    """The text of the run's README."""
    alarms = alarms_of(sections)
    lines = [f"**{headline(audited, alarms)}**", ""]
    lines += [f"- {plain(alarm.says)} (`{plain(alarm.figure)}`)" for alarm in alarms]
    lines += [
        "",
        "`audit.html` shows every figure with its interval; `audit.json` holds them by name.",
        "What each means: `prefkit/audit/README.md`.",
    ]
    return "\n".join(lines)
