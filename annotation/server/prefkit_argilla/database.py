"""The database made ready: migrated, saved before an upgrade, with an owner."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import alembic.config
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from argilla_server.contexts import accounts
from argilla_server.database import (
    ALEMBIC_CONFIG_FILE,
    AsyncSessionLocal,
    async_engine,
    sync_engine,
)
from argilla_server.enums import UserRole
from argilla_server.models import User, Workspace
from argilla_server.settings import settings
from sqlalchemy import make_url, select
from sqlalchemy.ext.asyncio import AsyncSession

from prefkit_argilla import locking

log = logging.getLogger("argilla")


class NotOurs(Exception):
    """The database was made by a newer Argilla, which this one must not touch."""


def migrate(backups: Path) -> None:
    """Bring the database to this Argilla's revision; a SQLite file is copied to `backups` first.

    Raises:
        NotOurs: Its revision is one that this Argilla does not know.
    """
    script = ScriptDirectory.from_config(Config(ALEMBIC_CONFIG_FILE))
    with sync_engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    if current is not None:
        _known(script, current)
        if settings.database_is_sqlite:
            _back_up(backups / f"argilla-{current}.db")
    alembic.config.main(argv=["-c", ALEMBIC_CONFIG_FILE, "upgrade", "head"])


def _known(script: ScriptDirectory, revision: str) -> None:
    try:
        script.get_revision(revision)
    except CommandError as error:
        raise NotOurs(
            f"The database is at revision {revision}, which this Argilla does not know: a newer "
            "version made it."
        ) from error


def _back_up(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = make_url(settings.database_url).database
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as live, sqlite3.connect(target) as to:
        live.backup(to)
    log.info("The database before the upgrade is kept as %s", target)


def ensure_owner(username: str, password: str, api_key: str, workspace: str) -> None:
    """Make the owner and a first workspace when they are not there; renew the owner's secrets.

    The file that holds the secrets decides: a lost password is mended by a restart.
    """

    async def ensure() -> None:
        with locking.writing():
            async with AsyncSessionLocal() as session:
                await _ensure_owner(session, username, password, api_key)
                if await Workspace.get_by(session, name=workspace) is None:
                    await accounts.create_workspace(session, {"name": workspace})
        await async_engine.dispose()  # its connections belong to this event loop

    asyncio.run(ensure())


async def _ensure_owner(session: AsyncSession, username: str, password: str, api_key: str) -> None:
    owner = await session.scalar(select(User).where(User.username == username))
    if owner is None:
        await User.create(
            session,
            first_name=username,
            username=username,
            role=UserRole.owner,
            password_hash=accounts.hash_password(password),
            api_key=api_key,
        )
    elif owner.api_key != api_key or not accounts.verify_password(password, owner.password_hash):
        await owner.update(session, password_hash=accounts.hash_password(password), api_key=api_key)
