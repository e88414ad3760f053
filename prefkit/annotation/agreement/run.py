"""`prefkit annotate agreement`: plan and run."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prefkit.annotation.agreement import page, words
from prefkit.annotation.agreement.checks import Key, read_key
from prefkit.annotation.agreement.measure import measure
from prefkit.annotation.agreement.results import FILE, Agreement
from prefkit.annotation.attention import KEY_FILE
from prefkit.config import AgreementConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input, run_of
from prefkit.reading import lacks, load_records
from prefkit.records import Candidate, Judgment, text_of
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, validated, write_json, write_text
from prefkit.workspace import Workspace, stream_files

STAGE = "annotate-agreement"
UNIT = "agreement"
PAGE = "report.html"


@dataclasses.dataclass(frozen=True)
class AgreementPlan(Plan):
    """A plan that holds what it read.

    Attributes:
        judgments: Of every status.
        lengths: Characters of each candidate that was found.
        key: Expected answers of attention checks.
    """

    config: AgreementConfig
    judgments: tuple[Judgment, ...] = ()
    lengths: Mapping[str, int] = dataclasses.field(default_factory=dict)
    key: Key = dataclasses.field(default_factory=dict)


def plan_agreement(
    sources: str | Sequence[str], config: AgreementConfig, workspace: Workspace
) -> AgreementPlan:
    """Read judgments, and candidates and attention checks where the lineage has them.

    Args:
        sources: One or several sources of judgments: runs, @stage, `-` or files.
        config: The `[agreement]` table.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: There are no judgments, or a record or the key is malformed.
    """
    sources = (sources,) if isinstance(sources, str) else tuple(sources)
    judgments: list[Judgment] = []
    inputs: list[Input] = []
    for source in dict.fromkeys(sources):
        loaded = load_records(source, "judgments", Judgment, workspace)
        judgments += loaded.records
        inputs += loaded.inputs
    judgments = _first_prompts(judgments, config.limit)
    upstream = list(dict.fromkeys(_runs_of(sources, workspace)))
    for path in (path for run in upstream for path in stream_files(run, "checks")):
        judgments += read_records(path, Judgment)
        inputs.append(Input.of(path, workspace))
    lengths, more = _lengths(config, upstream, workspace)
    inputs += more
    key, more = _key(config, upstream, workspace)
    inputs += more
    return AgreementPlan(
        stage=STAGE,
        config=config,
        inputs=tuple({entry.path: entry for entry in inputs}.values()),
        counts={
            "judgments": len(judgments),
            "prompts": len({judgment.prompt_id for judgment in judgments}),
            "annotators": len({judgment.annotator for judgment in judgments}),
            "attention checks": len(key),
        },
        judgments=tuple(judgments),
        lengths=lengths,
        key=key,
    )


def run_agreement(plan: AgreementPlan, settings: Settings) -> Run:
    """Write `agreement.json`, `report.html`, the card and the conflicts.

    Raises:
        PrefkitError: No judgment was submitted.
    """
    if not any(judgment.status == "submitted" for judgment in plan.judgments):
        raise PrefkitError(
            f"None of {len(plan.judgments)} judgments is submitted: there is nothing to compare.",
            hint="Drafts and discarded records do not count; pull again when people submitted.",
        )
    with Run.start(plan, settings) as run:
        if run.finished:
            return run
        found = measure(plan.judgments, plan.config, plan.lengths, plan.key)
        for unit in run.pending([UNIT]):
            run.record(unit, {"conflicts": found.conflicts})
        write_json(run.path / FILE, found.agreement.model_dump(mode="json"))
        write_text(run.path / PAGE, page.render(found.agreement, run.path.name))
        run.finish([UNIT], card=words.card(found.agreement))
    return run


def read_agreement(folder: Path) -> Agreement:
    """The report of an agreement run.

    Raises:
        PrefkitError: The run holds none, or it is damaged.
    """
    import json

    path = folder / FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: not a readable report ({error}).") from error
    return validated(value, Agreement, str(path))


def _first_prompts(judgments: Sequence[Judgment], limit: int | None) -> list[Judgment]:
    prompts = list(dict.fromkeys(judgment.prompt_id for judgment in judgments))[:limit]
    kept = set(prompts)
    return [judgment for judgment in judgments if judgment.prompt_id in kept]


def _runs_of(sources: Sequence[str], workspace: Workspace) -> Iterator[Path]:
    """The runs that sources are or lie in."""
    for source in sources:
        if source == "-" or Path(source).is_file():
            run = None if source == "-" else run_of(Path(source))
            if run is not None:
                yield run
        else:
            yield workspace.run_folder(source)


def _lengths(
    config: AgreementConfig, upstream: Sequence[Path], workspace: Workspace
) -> tuple[dict[str, int], list[Input]]:
    """Characters of each candidate, from `config.candidates` or upstream."""
    named = [config.candidates] if config.candidates else [str(run) for run in upstream]
    lengths: dict[str, int] = {}
    inputs: list[Input] = []
    for source in named:
        if config.candidates or not lacks(source, "candidates", workspace):
            loaded = load_records(source, "candidates", Candidate, workspace)
            lengths |= {c.id: len(text_of(c.completion)) for c in loaded.records}
            inputs += loaded.inputs
    return lengths, inputs


def _key(
    config: AgreementConfig, upstream: Sequence[Path], workspace: Workspace
) -> tuple[Key, list[Input]]:
    """Expected answers, from `config.attention_key` or the push runs upstream."""
    if config.attention_key:
        paths = [Path(config.attention_key)]
    else:
        runs = (run for start in upstream for run in workspace.lineage(start))
        paths = [run / KEY_FILE for run in runs if (run / KEY_FILE).is_file()]
    key = {name: said for path in paths for name, said in read_key(path).items()}
    return key, [Input.of(path, workspace) for path in paths]
