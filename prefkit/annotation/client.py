"""Argilla's HTTP API as typed calls that wait out a restart and end in one clear error.

The SDK of Argilla 2.8 keeps no times of responses and retries nothing, so this talks HTTP itself.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from prefkit.annotation import wire
from prefkit.annotation.connection import Connection, http
from prefkit.annotation.wire import Dataset, Json, ServerRecord, User
from prefkit.errors import PrefkitError

log = logging.getLogger(__name__)

BATCH = 500  # records a bulk call may hold in Argilla 2.8
PAGE = 1000  # records a list call may return
PATIENCE = 90.0  # seconds that a server may be away before we give up
TIMEOUT = 120.0  # seconds for one call: indexing 500 long records takes a while
SLEEP = (0.2, 5.0)  # first and longest pause between tries
AWAY = (429, 502, 503, 504)  # the server, or what stands before it, asks to come again
REREADS = 5  # times a list is read again when it changed under our hands


class Refused(PrefkitError):
    """The server understood and said no.

    Attributes:
        status: HTTP status code.
        detail: The server's words.
    """

    def __init__(self, status: int, detail: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.detail = detail


class Client:
    """Calls to one server. Use as a context manager."""

    def __init__(self, connection: Connection, patience: float = PATIENCE) -> None:
        self._library = http()
        self.where = connection.where
        self.url = connection.url
        self._patience = patience
        self._http = self._library.Client(
            base_url=connection.url,
            headers={"X-Argilla-Api-Key": connection.api_key, "Content-Type": "application/json"},
            timeout=self._library.Timeout(TIMEOUT, connect=10.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:  # JSON values
        """One API call, tried again while the server is away.

        Raises:
            Refused: The server says no; for a change that was tried again, perhaps because the
                first try had succeeded.
            PrefkitError: It stays away longer than our patience.
        """
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        deadline, pause, tries = time.monotonic() + self._patience, SLEEP[0], 0
        while True:
            tries += 1
            try:
                reply = self._http.request(method, f"/api/v1{path}", content=content, params=query)
            except self._library.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            else:
                # A server that is being stopped may answer 500; one with a fault will again.
                if reply.status_code not in AWAY and (reply.status_code != 500 or tries > 3):
                    return self._read(reply, method, path)
                trouble = f"answered {reply.status_code}"
            if time.monotonic() + pause > deadline:
                raise PrefkitError(
                    f"{self.where} does not answer ({trouble}); given up after "
                    f"{self._patience:.0f} s and {tries} tries.",
                    hint="Start it again, then repeat the command with `--resume last`: nothing "
                    "that arrived is sent twice.",
                )
            log.warning("%s %s: %s; trying again", method, path, trouble)
            time.sleep(pause)
            pause = min(pause * 2, SLEEP[1])

    def _read(self, reply: Any, method: str, path: str) -> Any:  # an httpx.Response to JSON
        if reply.is_success:
            return reply.json() if reply.content else None
        detail = _detail(reply)
        if reply.status_code == 401:
            raise Refused(401, detail, f"{self.where} refuses the API key.")
        if reply.status_code == 403:
            raise Refused(
                403,
                detail,
                f"{self.where}: this key's user may not {method} {path.split('?')[0]}.",
                hint="Use the key of an owner, or of an admin of the workspace.",
            )
        raise Refused(
            reply.status_code,
            detail,
            f"{self.where} refuses {method} {path}: {detail} ({reply.status_code}).",
        )

    def workspaces(self) -> dict[str, str]:
        """Ids of the Argilla workspaces this key may use, by name."""
        return {w["name"]: w["id"] for w in self.call("GET", "/me/workspaces")["items"]}

    def create_workspace(self, name: str) -> str:
        """Make a workspace; its id. One that is there already is taken."""
        try:
            return self.call("POST", "/workspaces", {"name": name})["id"]
        except Refused as error:
            if error.status == 409 and name in (there := self.workspaces()):
                return there[name]
            raise

    def users(self) -> dict[str, User]:
        """All users by name; needs an owner's key."""
        return {u.name: u for u in map(wire.user, self.call("GET", "/users")["items"])}

    def all_users_if_allowed(self) -> dict[str, User]:
        """All users by name; none when only an owner may know."""
        try:
            return self.users()
        except Refused as error:
            if error.status == 403:
                return {}
            raise

    def members(self, workspace_id: str) -> dict[str, User]:
        """Users of one workspace by name."""
        found = self.call("GET", f"/workspaces/{workspace_id}/users")["items"]
        return {user.name: user for user in map(wire.user, found)}

    def create_user(self, name: str, password: str) -> User:
        """Make an annotator."""
        body = {"username": name, "first_name": name, "role": "annotator", "password": password}
        try:
            return wire.user(self.call("POST", "/users", body))
        except Refused as error:
            if error.status == 409 and name in (there := self.users()):
                return there[name]
            raise

    def set_password(self, user_id: str, password: str) -> None:
        """Give a user another password; needs an owner's key."""
        self.call("PATCH", f"/users/{user_id}", {"password": password})

    def add_member(self, workspace_id: str, user_id: str) -> None:
        """Let a user into a workspace; no matter if they are in already."""
        try:
            self.call("POST", f"/workspaces/{workspace_id}/users", {"user_id": user_id})
        except Refused as error:
            if error.status != 409:
                raise

    def datasets(self, workspace_id: str | None = None) -> list[Dataset]:
        """Datasets of one workspace, or of all this key may see."""
        query = {"workspace_id": workspace_id} if workspace_id else {}
        return [wire.dataset(d) for d in self.call("GET", "/me/datasets", **query)["items"]]

    def create_dataset(self, workspace_id: str, body: Json) -> Dataset:
        """Make a dataset, not yet published. One of this name that is there already is taken."""
        try:
            return wire.dataset(
                self.call("POST", "/datasets", body | {"workspace_id": workspace_id})
            )
        except Refused as error:
            found = [d for d in self.datasets(workspace_id) if d.name == body["name"]]
            if error.status == 409 and found:
                return found[0]
            raise

    def parts(self, dataset_id: str, what: str) -> dict[str, Json]:
        """Fields, questions or metadata-properties of a dataset by name."""
        own = "/me" if what == "metadata-properties" else ""
        found = self.call("GET", f"{own}/datasets/{dataset_id}/{what}")["items"]
        return {part["name"]: part for part in found}

    def add_part(self, dataset_id: str, what: str, body: Json) -> None:
        """Give a dataset a field, question or metadata property, unless it has it."""
        try:
            self.call("POST", f"/datasets/{dataset_id}/{what}", body)
        except Refused as error:
            if error.status != 409:
                raise

    def publish(self, dataset: Dataset) -> Dataset:
        """Let people see a dataset; no matter if they do already."""
        try:
            return wire.dataset(self.call("PUT", f"/datasets/{dataset.id}/publish"))
        except Refused:
            found = wire.dataset(self.call("GET", f"/datasets/{dataset.id}"))
            if found.ready:
                return found
            raise

    def progress(self, dataset_id: str) -> list[Json]:
        """Counts of responses by user, record status and response status."""
        return self.call("GET", f"/datasets/{dataset_id}/users/progress")["users"]

    def put_records(self, dataset_id: str, records: Sequence[Json]) -> None:
        """Create or replace up to `BATCH` records by external id: safe to try again.

        What a proxy before the server finds too large is sent in halves.
        """
        try:
            self.call("PUT", f"/datasets/{dataset_id}/records/bulk", {"items": list(records)})
        except Refused as error:
            if error.status != 413 or len(records) < 2:
                raise
            middle = len(records) // 2
            self.put_records(dataset_id, records[:middle])
            self.put_records(dataset_id, records[middle:])

    def records(self, dataset_id: str, *, responses: bool = True) -> list[ServerRecord]:
        """All records, read again when the list changed while it was read.

        Raises:
            PrefkitError: It changes faster than it can be read.
        """
        for _ in range(REREADS):
            found, total = self._list(dataset_id, responses)
            if len(found) == total:
                return list(found.values())
            log.warning("%s: the list of records changed while it was read", dataset_id)
        raise PrefkitError(
            f"{self.where}: records are added or deleted faster than they can be read.",
            hint="Try again when nobody pushes to or deletes from this dataset.",
        )

    def _list(self, dataset_id: str, responses: bool) -> tuple[dict[str, ServerRecord], int]:
        found: dict[str, ServerRecord] = {}
        total = -1
        for page, count in self._pages(dataset_id, responses):
            if total not in (-1, count):
                return {}, count
            total = count
            found |= {record.id: record for record in map(wire.record, page)}
        return found, total

    def _pages(self, dataset_id: str, responses: bool) -> Iterator[tuple[list[Json], int]]:
        offset, total = 0, 1
        include = {"include": "responses"} if responses else {}
        while offset < total:
            path = f"/datasets/{dataset_id}/records"
            page = self.call("GET", path, offset=offset, limit=PAGE, **include)
            total = page["total"]
            yield page["items"], total
            offset += PAGE


def _detail(reply: Any) -> str:  # an httpx.Response
    try:
        detail = reply.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return reply.text[:300] or "no reason given"
    if isinstance(detail, dict):
        said = detail.get("params", detail)
        detail = said.get("detail", said) if isinstance(said, dict) else said
    return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)[:600]
