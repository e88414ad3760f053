"""Bulk calls that tell nobody when nobody listens.

For every record of a bulk call argilla-server 2.8 asks the database five questions to build a
webhook event, and then finds that there is no webhook. That was nine tenths of the time of pushing
500 records. Here the webhooks are looked up once a call; when there are any, all goes on as before.
"""

from typing import Any

from argilla_server.bulk import records_bulk
from argilla_server.contexts import webhooks
from argilla_server.models import Record
from argilla_server.webhooks.v1.enums import RecordEvent
from sqlalchemy.ext.asyncio import AsyncSession

LISTENED = "prefkit_webhooks_enabled"
_notify = records_bulk.notify_record_event_v1


def configure() -> None:
    """Take the place of the function that bulk calls notify with."""
    records_bulk.notify_record_event_v1 = notify_record_event


async def notify_record_event(db: AsyncSession, event: RecordEvent, record: Record) -> list[Any]:
    """Argilla's own notification (rq jobs), built only when some webhook is enabled."""
    if LISTENED not in db.info:  # a session lives as long as one call
        db.info[LISTENED] = bool(await webhooks.list_enabled_webhooks(db))
    return await _notify(db, event, record) if db.info[LISTENED] else []
