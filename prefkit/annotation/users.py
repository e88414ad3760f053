"""Annotators: made with random passwords that stand in one file and nowhere else."""

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefkit.annotation.client import Client
from prefkit.annotation.wire import User
from prefkit.errors import PrefkitError
from prefkit.storage import write_bytes

PASSWORD_BYTES = 12  # 96 random bits, 16 characters


@dataclasses.dataclass(frozen=True)
class People:
    """Who is to annotate.

    Attributes:
        known: On the server already, by name.
        new: Names to make.
        members: Names in the Argilla workspace already.
    """

    known: Mapping[str, User]
    new: tuple[str, ...]
    members: frozenset[str]


def look_up(client: Client, role: str, workspace_id: str | None, names: Sequence[str]) -> People:
    """Who of `names` is there; changes nothing.

    Raises:
        PrefkitError: Someone is unknown and this key may not make users.
    """
    members = client.members(workspace_id) if workspace_id else {}
    everyone = client.users() if role == "owner" else members
    known = {name: everyone[name] for name in names if name in everyone}
    new = tuple(name for name in names if name not in everyone)
    if new and role != "owner":
        raise PrefkitError(
            f"{client.where}: {', '.join(new)} cannot be made or let in with the key of an {role}.",
            hint="Use an owner's key, or have the owner make these users and add them to the "
            "workspace.",
        )
    return People(known, new, frozenset(members))


def let_in(client: Client, people: People, workspace_id: str, file: Path) -> None:
    """Make the new users and add all to the workspace; passwords are on disk before they count.

    A user who is there already keeps their password.

    Raises:
        PrefkitError: The password file cannot be written.
    """
    passwords = read_passwords(file)
    missing = [name for name in people.new if name not in passwords]
    if missing:
        passwords |= {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in missing}
        _write(file, passwords, client.url)
    users = dict(people.known)
    for name in people.new:
        users[name] = client.create_user(name, passwords[name])
    for name, user in users.items():
        if name not in people.members and user.role != "owner":  # owners are everywhere
            client.add_member(workspace_id, user.id)


def renew_passwords(client: Client, names: Sequence[str], file: Path) -> None:
    """Give users new random passwords, written to `file` before they count.

    Raises:
        PrefkitError: A user is unknown, the key is not an owner's, or the file cannot be written.
    """
    users = client.users()
    unknown = [name for name in names if name not in users]
    if unknown:
        raise PrefkitError(
            f"{client.where} has no user {', '.join(unknown)}.",
            hint=f"It has {', '.join(sorted(users))}.",
        )
    fresh = {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in names}
    _write(file, read_passwords(file) | fresh, client.url)
    for name, password in fresh.items():
        client.set_password(users[name].id, password)


def read_passwords(file: Path) -> dict[str, str]:
    """Passwords by user name of a file that `let_in` wrote; empty when there is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise PrefkitError(f"{file}: cannot be read: {error}.") from error
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _write(file: Path, passwords: Mapping[str, str], url: str) -> None:
    lines = [f"# Passwords for {url}. Hand each person their own line, then delete this file."]
    lines += [f"{name}\t{password}" for name, password in passwords.items()]
    try:
        write_bytes(file, ("\n".join(lines) + "\n").encode(), mode=0o600)
    except OSError as error:
        raise PrefkitError(
            f"{file}: passwords cannot be written: {error.strerror}. Nothing was changed."
        ) from error
