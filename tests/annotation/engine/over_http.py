"""Ask Argilla's API, as its page and its client do, and write down what it answers.

Run as a program, because Argilla's settings hold for a whole process: over_http.py ANSWERS
"""

import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import prefkit_argilla.engine
from argilla_server._app import app
from argilla_server.cli.search_engine.reindex import Reindexer
from argilla_server.database import AsyncSessionLocal
from argilla_server.enums import UserRole
from argilla_server.models import User, Workspace
from argilla_server.search_engine import SearchEngine

SCOPES = {
    "metadata": {"entity": "metadata", "metadata_property": "source"},
    "suggestion": {"entity": "suggestion", "question": "label", "property": "value"},
    "status": {"entity": "response", "property": "status"},
    "inserted_at": {"entity": "record", "property": "inserted_at"},
    "external_id": {"entity": "record", "property": "external_id"},
}


async def owner():
    """A new owner and a workspace."""
    async with AsyncSessionLocal() as session:
        user = await User.create(
            session,
            first_name="Owner",
            username=f"owner{uuid4().hex[:8]}",
            role=UserRole.owner,
            password_hash="x",
            api_key=uuid4().hex,
        )
        workspace = await Workspace.create(session, name=uuid4().hex)
    return user, workspace


class Api:
    """The API with one dataset."""

    def __init__(self, client):
        self.client = client
        self.dataset = ""

    async def post(self, path, body, method="POST"):
        answer = await self.client.request(method, f"/api/v1/{path}", json=body)
        assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def make(self, workspace):
        made = await self.post("datasets", {"name": "d", "workspace_id": str(workspace.id)})
        self.dataset = at = f"datasets/{made['id']}"
        for name, kind in (("text", "text"), ("talk", "chat")):
            field = {"name": name, "title": name, "settings": {"type": kind}}
            await self.post(f"{at}/fields", {**field, "required": name == "text"})
        options = [{"value": value, "text": value} for value in ("yes", "no")]
        question = {"name": "label", "title": "label", "required": True}
        settings = {"type": "label_selection", "options": options}
        question = await self.post(f"{at}/questions", {**question, "settings": settings})
        source = {"name": "source", "title": "source", "settings": {"type": "terms"}}
        source = await self.post(
            f"{at}/metadata-properties", {**source, "visible_for_annotators": True}
        )
        vector = {"name": "v", "title": "v", "dimensions": 2}
        await self.post(f"{at}/vectors-settings", vector)
        await self.post(f"{at}/publish", None, "PUT")
        return question, source

    async def fill(self, question):
        suggested = {"question_id": question["id"], "value": "yes", "score": 0.5, "agent": "a"}
        talk = [{"role": "user", "content": "hello there"}]
        items = [
            {
                "fields": {"text": "the quick fox"},
                "external_id": "fox",
                "metadata": {"source": "web"},
                "suggestions": [suggested],
                "vectors": {"v": [1, 0]},
            },
            {
                "fields": {"text": "a lazy dog", "talk": talk},
                "external_id": "dog",
                "metadata": {"source": "book"},
                "vectors": {"v": [0, 1]},
            },
        ]
        made = await self.post(f"{self.dataset}/records/bulk", {"items": items})
        return {item["external_id"]: item["id"] for item in made["items"]}

    async def search(self, query=None, filter=None, sort=None, me="me/"):
        body = {"query": query, "filters": filter and {"and": [filter]}, "sort": sort}
        found = await self.post(f"{me}{self.dataset}/records/search", body)
        names = [item["record"]["external_id"] for item in found["items"]]
        return {"names": names, "total": found["total"]}


def terms(scope, *values):
    return {"type": "terms", "scope": SCOPES[scope], "values": list(values)}


async def ask(client, workspace):
    """All the questions and answers."""
    api = Api(client)
    question, source = await api.make(workspace)
    ids = await api.fill(question)
    answers = {
        "word": await api.search({"text": {"q": "quick"}}),
        "phrase": await api.search({"text": {"q": '"quick fox"'}}, me=""),
        "chat": await api.search({"text": {"q": "hello user"}}),
        "one field": await api.search({"text": {"q": "hello", "field": "text"}}),
        "not": await api.search({"text": {"q": "-fox"}}),
        "metadata": await api.search(filter=terms("metadata", "book")),
        "suggestion": await api.search(filter=terms("suggestion", "yes")),
        "sorted": await api.search(sort=[{"scope": SCOPES["external_id"], "order": "asc"}]),
        "dates": await api.search(
            filter={"type": "range", "scope": SCOPES["inserted_at"], "ge": "2020-01-01"}
        ),
        "similar": await api.search({"vector": {"name": "v", "value": [0.1, 1]}}),
        "similar to a record": await api.search({"vector": {"name": "v", "record_id": ids["fox"]}}),
    }
    values = {"values": {"label": {"value": "yes"}}, "status": "submitted"}
    await api.post(f"records/{ids['fox']}/responses", values)
    answers["submitted by me"] = await api.search(filter=terms("status", "submitted"))
    answers["pending for me"] = await api.search(filter=terms("status", "pending"))
    answers["progress"] = (await client.get(f"/api/v1/{api.dataset}/progress")).json()
    answers["my progress"] = (await client.get(f"/api/v1/me/{api.dataset}/metrics")).json()[
        "responses"
    ]
    metrics = await client.get(f"/api/v1/metadata-properties/{source['id']}/metrics")
    answers["metrics"] = metrics.json()
    bad = {"type": "range", "scope": SCOPES["inserted_at"], "ge": "yesterday"}
    refused = await client.post(
        f"/api/v1/{api.dataset}/records/search", json={"filters": {"and": [bad]}}
    )
    answers["bad date"] = {"status": refused.status_code, "detail": refused.text}
    await api.post(f"records/{ids['dog']}", {"fields": {"text": "a new cat"}}, "PATCH")
    answers["after an update"] = await api.search({"text": {"q": "cat"}})
    await reindex(api)
    answers["after reindexing"] = await api.search({"text": {"q": "cat"}})
    await api.post(f"records/{ids['dog']}", None, "DELETE")
    answers["after a deletion"] = await api.search({"text": {"q": "cat"}})
    return answers


async def reindex(api):
    """What `python -m argilla_server search-engine reindex` does."""
    async with SearchEngine.get_by_name("sql") as engine, AsyncSessionLocal() as session:
        id = UUID(api.dataset.removeprefix("datasets/"))
        dataset = await Reindexer.reindex_dataset(session, engine, id)
        async for _ in Reindexer.reindex_dataset_records(session, engine, dataset):
            pass


async def main():
    """Write the answers to the file that is named."""
    assert prefkit_argilla.engine.SqlSearchEngine
    user, workspace = await owner()
    transport = httpx.ASGITransport(app=app)
    headers = {"X-Argilla-Api-Key": user.api_key}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        answers = await ask(client, workspace)
    Path(sys.argv[1]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
