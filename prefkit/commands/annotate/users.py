"""`prefkit annotate users`: who may sign in."""

from pathlib import Path

import click

from prefkit import console


@click.command("users")
@click.option(
    "--new-password",
    "renewed",
    metavar="NAME",
    multiple=True,
    help="Give this person a new random password; may be repeated.",
)
@click.option(
    "--passwords", type=click.Path(path_type=Path), help="Where new passwords are written."
)
@click.option("--server", metavar="URL", help="A team's Argilla; its key in ARGILLA_API_KEY.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def users(
    renewed: tuple[str, ...], passwords: Path | None, server: str | None, as_json: bool
) -> None:
    """List who may sign in, or give someone who lost theirs a new password.

    \b
    prefkit annotate users
    prefkit annotate users --new-password ada
    """
    from prefkit.annotation.client import Client
    from prefkit.annotation.connection import connect_to
    from prefkit.annotation.environment import data_folder
    from prefkit.annotation.users import renew_passwords
    from prefkit.workspace import Workspace

    space = Workspace.find()
    with Client(connect_to(server, space)) as client:
        if renewed:
            file = passwords or data_folder(space) / "passwords-new.txt"
            renew_passwords(client, renewed, file)
            console.say(f"new passwords of {', '.join(renewed)}: {file}")
        found = sorted(client.users().values(), key=lambda user: user.name)
    if as_json:
        console.show_json([{"name": user.name, "role": user.role} for user in found])
    else:
        console.show_table(["user", "role"], [[user.name, user.role] for user in found])
