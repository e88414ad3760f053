"""`prefkit runs`: what was made, from what, and how to walk back."""

from pathlib import Path
from typing import Any

import click

from prefkit import console


@click.group("runs")
def command() -> None:
    """List runs, show one, or trace a record back to its page.

    \b
    prefkit runs list
    prefkit runs trace @pairs
    """


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@command.command("list")
@click.option("--stage", help="Only runs of this stage.")
@_as_json
def list_runs(stage: str | None, as_json: bool) -> None:
    """List the runs of this workspace, newest first.

    \b
    prefkit runs list
    prefkit runs list --stage pairs --json
    """
    from prefkit.manifest import read_manifest
    from prefkit.workspace import Workspace

    space = Workspace.find()
    found = [(folder, read_manifest(folder)) for folder in space.run_folders(stage)]
    if as_json:
        console.show_json([{"run": str(f), **m.model_dump(mode="json")} for f, m in found])
        return
    if not found:
        console.say(f"no runs in {space.runs}")
        return
    rows = [
        [
            folder.name,
            manifest.status,
            f"{manifest.seconds:.0f} s",
            ", ".join(f"{rows} {name}" for name, rows in manifest.outputs.items()) or "-",
            str(sum(manifest.dropped.values())),
        ]
        for folder, manifest in found
    ]
    console.show_table(["run", "status", "took", "holds", "dropped"], rows)


@command.command("show")
@click.argument("run")
@_as_json
def show_run(run: str, as_json: bool) -> None:
    """Show one run: settings, inputs, counts, drops, cost.

    \b
    prefkit runs show @generate
    prefkit runs show runs/pairs-20260101-120000-ab12 --json
    """
    from prefkit.manifest import read_manifest
    from prefkit.workspace import Workspace

    folder = Workspace.find().run_folder(run)
    manifest = read_manifest(folder).model_dump(mode="json")
    if as_json:
        console.show_json({"run": str(folder), **manifest})
        return
    console.show(folder.name)
    for key, value in manifest.items():
        _show_value(key, value)
    _show_files(folder)


def _show_value(key: str, value: Any) -> None:  # a JSON value of the manifest
    if value in (None, "", [], {}):
        return
    if isinstance(value, dict):
        value = ", ".join(f"{name} {number}" for name, number in value.items())
    elif key == "inputs":
        value = ", ".join(entry["path"] for entry in value)
    elif key == "plugins":
        value = ", ".join(f"{e['kind']} {e['name']} ({e['source']})" for e in value)
    elif isinstance(value, list):
        value = " ".join(value)
    console.show(f"  {key}: {value}")


def _show_files(folder: Path) -> None:
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        console.show(f"  {file.relative_to(folder)}  {file.stat().st_size:,} bytes")


@command.command("trace")
@click.argument("run")
@click.argument("record", required=False)
@_as_json
def trace_record(run: str, record: str | None, as_json: bool) -> None:
    """Trace a record of RUN (its first by default) back to the page of a document.

    RECORD is an id or the start of one, of any record in the run or the runs before it.

    \b
    prefkit runs trace @pairs
    prefkit runs trace @train-dpo 0a1b2c3d
    """
    import dataclasses

    from prefkit.trace import describe, lineage_lines, trace
    from prefkit.workspace import Workspace

    space = Workspace.find()
    steps = trace(run, record, space)
    if as_json:
        console.show_json([dataclasses.asdict(step) for step in steps])
        return
    for line in lineage_lines(run, space):
        console.show(line)
    console.show("")
    for step in steps:
        console.show(describe(step))
