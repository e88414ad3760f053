"""`prefkit doctor`: what this machine can do."""

import dataclasses

import click

from prefkit import console


@click.command("doctor")
@click.option("--base-url", help="OpenAI-compatible endpoint to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(base_url: str | None, as_json: bool) -> int:
    """Say what this machine can do, and how to get what is missing.

    Exits with 1 when something a stage needs is missing.

    \b
    prefkit doctor
    prefkit doctor --base-url http://127.0.0.1:8000/v1 --json
    """
    from prefkit.doctor import examine
    from prefkit.errors import EXIT_DONE, EXIT_FIXABLE
    from prefkit.workspace import Workspace

    checks = examine(Workspace.find(), base_url)
    if as_json:
        console.show_json([dataclasses.asdict(check) for check in checks])
    else:
        for check in checks:
            console.show(f"{check.status:<8} {check.name:<16} {check.found}")
            if check.advice:
                console.show(f"{'':<25} {check.advice}")
    return EXIT_FIXABLE if any(check.status == "missing" for check in checks) else EXIT_DONE
