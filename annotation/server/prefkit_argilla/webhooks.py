"""Webhook events that are built only when somebody listens.

For every record and response argilla-server 2.8 asks the database five questions to build a webhook
event, and then finds that there is no webhook. That was nine tenths of the time of pushing 500
records, and half of the time of a submit. Here the webhooks are looked up first, once a session;
when there are any, all goes on as before.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from argilla_server.bulk import records_bulk
from argilla_server.contexts import datasets, distribution, records, webhooks
from sqlalchemy.ext.asyncio import AsyncSession

LISTENED = "prefkit_webhooks_enabled"
Notify = Callable[..., Awaitable[list[Any]]]  # (session, event, what happened) to its rq jobs


def configure() -> None:
    """Take the place of the functions that Argilla notifies with."""
    for module in (records_bulk, datasets, distribution, records):
        for name in ("notify_record_event_v1", "notify_response_event_v1"):
            if hasattr(module, name):
                setattr(module, name, _if_heard(getattr(module, name)))


def _if_heard(notify: Notify) -> Notify:
    @functools.wraps(notify)
    async def notify_if_heard(db: AsyncSession, event: object, what: object) -> list[Any]:
        if LISTENED not in db.info:  # a session lives as long as one call
            db.info[LISTENED] = bool(await webhooks.list_enabled_webhooks(db))
        return await notify(db, event, what) if db.info[LISTENED] else []

    return notify_if_heard
