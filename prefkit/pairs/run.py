"""`prefkit pairs`: the run."""

import dataclasses
from collections.abc import Sequence

from prefkit.errors import PrefkitError
from prefkit.memory import records_stay
from prefkit.pairs.card import card, totals, warn
from prefkit.pairs.make import Paired, make_pairs
from prefkit.pairs.plan import PairsPlan
from prefkit.records import Record
from prefkit.runs import Run, Settings
from prefkit.storage import write_json, write_jsonl

LOWER = "A lower `--margin` lets closer pairs in."
STRANGE = {
    "unknown-prompt": "`prompt_id` has to be the `id` of an example: give the matching --examples.",
    "unknown-candidate": "Ranks and ratings name candidates by `id`: give the matching "
    "--candidates.",
}


@records_stay()
def run_pairs(plan: PairsPlan, settings: Settings) -> Run:
    """Make pairs and thumbs of the planned judgments into a run folder.

    Every file is written whole or not at all, and the same judgments give the same files, so a
    run that was killed is simply made again.

    Raises:
        PrefkitError: The judgments support not a single pair or thumb.
    """
    with Run.start(plan, settings) as run:
        if run.finished:
            return run
        paired = make_pairs(plan.examples, plan.candidates, plan.opinions, plan.config)
        if not paired.pairs and not paired.unpaired:
            raise _nothing(run, paired)
        warn(plan.examples, paired)
        outputs = {
            stream: write_jsonl(run.path / "data" / f"{stream}.jsonl", records)
            for stream, records in _streams(paired).items()
        }
        write_jsonl(run.path / "dropped.jsonl", paired.dropped)
        write_json(run.path / "raters.json", [dataclasses.asdict(r) for r in paired.raters])
        run.deliver(outputs, paired.dropped_by_rule, totals(paired))
        run.finish(card=card(plan.config, paired))
    return run


def _streams(paired: Paired) -> dict[str, list[Record]]:
    """What is written, by stream; a stream nobody asked for is left out when it is empty."""
    found: dict[str, list[Record]] = {
        f"{name}/{split}": [record for record in records if record.split == split]
        for name, records in (("pairs", paired.pairs), ("unpaired", paired.unpaired))
        for split in ("train", "test")
    }
    rest: tuple[tuple[str, Sequence[Record]], ...] = (
        ("edits", paired.edits),
        ("conflicts", paired.conflicts),
    )
    return found | {name: list(records) for name, records in rest if records}


def _nothing(run: Run, paired: Paired) -> PrefkitError:
    path = run.path / "dropped.jsonl"
    write_jsonl(path, paired.dropped)
    why = ", ".join(f"{count} {rule}" for rule, count in paired.dropped_by_rule.items())
    strange = next((r for r in STRANGE if r in paired.dropped_by_rule), None)
    return PrefkitError(
        f"The judgments of {paired.prompts} prompts support no pair: {why or 'nothing to judge'}.",
        hint=f"Each reason is in {path}. {STRANGE.get(strange, LOWER)}",
    )
