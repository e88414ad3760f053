"""What Argilla's API sends, as records of our own."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Json = dict[str, Any]  # one JSON object of Argilla's API
Status = Literal["submitted", "discarded", "draft"]


@dataclasses.dataclass(frozen=True)
class User:
    """Someone who may sign in."""

    id: str
    name: str
    role: str


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A dataset as the server has it.

    Attributes:
        id: The server's.
        name: Unique in its workspace.
        ready: Published, so that people see it; else still being made.
        guideline: Markdown text.
        overlap: Submitted responses that complete a record.
        metadata: What we, or others, noted there.
        updated_at: When anything of it was changed last, ISO 8601 in UTC.
    """

    id: str
    name: str
    ready: bool
    guideline: str
    overlap: int
    metadata: Json
    updated_at: str


@dataclasses.dataclass(frozen=True)
class Response:
    """What one user said to one record.

    Attributes:
        user_id: Who.
        status: submitted, discarded or draft.
        values: Answer by question name; may be partial in a draft.
        updated_at: ISO 8601 in UTC.
    """

    user_id: str
    status: Status
    values: Json
    updated_at: str


@dataclasses.dataclass(frozen=True)
class ServerRecord:
    """A record with its responses."""

    id: str
    external_id: str
    completed: bool
    metadata: Json
    responses: tuple[Response, ...]


def user(item: Mapping[str, Any]) -> User:
    """A user as the API sends one."""
    return User(item["id"], item["username"], item["role"])


def dataset(item: Mapping[str, Any]) -> Dataset:
    """A dataset as the API sends one."""
    return Dataset(
        id=item["id"],
        name=item["name"],
        ready=item["status"] == "ready",
        guideline=item["guidelines"] or "",
        overlap=int(item["distribution"]["min_submitted"]),
        metadata=item.get("metadata") or {},
        updated_at=utc(item["updated_at"]),
    )


def record(item: Mapping[str, Any]) -> ServerRecord:
    """A record as the API sends one, with its responses if they were asked for."""
    return ServerRecord(
        id=item["id"],
        external_id=item.get("external_id") or "",
        completed=item.get("status") == "completed",
        metadata=item.get("metadata") or {},
        responses=tuple(
            Response(
                user_id=response["user_id"],
                status=response["status"],
                values={k: v["value"] for k, v in (response.get("values") or {}).items()},
                updated_at=utc(response["updated_at"]),
            )
            for response in item.get("responses") or ()
        ),
    )


def utc(moment: str) -> str:
    """A time of Argilla's, which is UTC without saying so, as ISO 8601 with its offset."""
    return moment if moment.endswith(("Z", "+00:00")) else f"{moment}+00:00"
