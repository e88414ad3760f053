"""`prefkit init`: make a workspace."""

from pathlib import Path

import click

from prefkit import console


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--show-config", is_flag=True, help="Print every key of prefkit.toml and stop.")
def command(folder: Path, show_config: bool) -> None:
    """Make a workspace: prefkit.toml, documents/, and room for your judges and suites.

    \b
    prefkit init my-domain
    prefkit init --show-config
    """
    from prefkit.scaffold import config_text, make_workspace

    if show_config:
        console.show(config_text().rstrip())
        return
    for path in make_workspace(folder):
        console.show(str(path))
    console.say(f"next: put documents into {folder / 'documents'}, then `prefkit generate`")
