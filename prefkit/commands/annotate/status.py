"""`prefkit annotate status`: how far people are."""

from pathlib import Path

import click

from prefkit import console


@click.command("status")
@click.argument("dataset", required=False)
@click.option("--server", metavar="URL", help="A team's Argilla; its key in ARGILLA_API_KEY.")
@click.option("--argilla-workspace", metavar="NAME", help="Workspace in Argilla.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "-c", "--config", "config_file", type=click.Path(path_type=Path), help="prefkit.toml to use."
)
def status(
    dataset: str | None,
    server: str | None,
    argilla_workspace: str | None,
    as_json: bool,
    config_file: Path | None,
) -> None:
    """Show who has answered how much, what is complete, the pace and what is left.

    DATASET is a name in Argilla; all that were pushed when left out.

    \b
    prefkit annotate status
    prefkit annotate status ranking --json
    """
    import dataclasses

    from prefkit import config
    from prefkit.annotation.status import progress, summary, table
    from prefkit.workspace import Workspace

    space = Workspace.find(config_file=config_file)
    flags = {"server": server, "argilla_workspace": argilla_workspace}
    settings = config.resolve(config.AnnotateConfig, file=space.config_file, flags=flags)
    found = progress(dataset, settings, space)
    if as_json:
        console.show_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        console.show_table(*table(one), title=summary(one))
        console.show("")
