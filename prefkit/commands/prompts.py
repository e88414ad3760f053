"""`prefkit prompts`: the prompt files of `generate` and `candidates`, to read and to edit."""

from pathlib import Path

import click

from prefkit import console


@click.group("prompts")
def command() -> None:
    """List the prompt files that generate and candidates use, or copy them to edit.

    \b
    prefkit prompts list
    prefkit prompts copy prompts
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_prompts(as_json: bool) -> None:
    """List our prompt files with what each is for and the placeholders it needs.

    \b
    prefkit prompts list
    prefkit prompts list --json
    """
    from prefkit.generation.prompting import MAY_USE, PLACEHOLDERS, PURPOSES, load_prompts

    rows = [
        {
            "name": name,
            "for": PURPOSES[name],
            "needs": sorted(PLACEHOLDERS[name]),
            "may_use": sorted(MAY_USE.get(name, ())),
            "sha256": prompt.sha256,
        }
        for name, prompt in load_prompts().items()
    ]
    if as_json:
        console.show_json(rows)
        return
    console.show_table(
        ["file", "for", "needs"],
        [
            [
                f"{row['name']}.txt",
                str(row["for"]),
                " ".join(f"${name}" for name in row["needs"]) or "-",
            ]
            for row in rows
        ],
    )


@command.command("copy")
@click.argument("folder", type=click.Path(path_type=Path))
def copy(folder: Path) -> None:
    """Copy our prompt files into FOLDER; files that are there already stay as they are.

    Delete what you do not edit: a file in the folder replaces ours of the same name.

    \b
    prefkit prompts copy prompts
    prefkit prompts copy german-prompts
    """
    from prefkit.generation.prompting import copy_prompts

    for path in copy_prompts(folder):
        console.show(str(path))
    console.say(f"next: edit them, then `prefkit generate … --prompts {folder}`")
