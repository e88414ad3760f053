"""A workspace, a real server, and people who answer through their own accounts."""

import httpx

from prefkit import runs
from prefkit.annotation.client import Client
from prefkit.annotation.pull import plan_pull, run_pull
from prefkit.annotation.push import plan_push, run_push
from prefkit.annotation.users import read_passwords
from prefkit.config import AnnotateConfig
from prefkit.storage import read_records


class Desk:
    """A workspace of runs, the server, and people who answer through their own accounts."""

    def __init__(self, workspace, connection, dataset, monkeypatch):
        monkeypatch.setenv("ARGILLA_API_KEY", connection.api_key)
        self.workspace = workspace
        self.connection = connection
        self.dataset = dataset
        self.passwords = workspace.root / "passwords.txt"

    def config(self, **more):
        return AnnotateConfig(
            **{
                "server": self.connection.url,
                "dataset": self.dataset,
                "passwords": str(self.passwords),
                "patience": 30.0,
                **more,
            }
        )

    def settings(self):
        return runs.Settings(self.workspace, argv=("test",))

    def push(self, source="@candidates", **more):
        plan = plan_push(source, self.config(**more), self.workspace)
        return run_push(plan, self.settings())

    def pull(self, source=None, **more):
        plan = plan_pull(source or self.dataset, self.config(**more), self.workspace)
        return run_pull(plan, self.settings())

    def client(self):
        return Client(self.connection, 30.0)

    def records(self, name=None):
        with self.client() as client:
            found = next(d for d in client.datasets() if d.name == (name or self.dataset))
            return found, client.records(found.id)

    def sign_in(self, name):
        form = {"username": name, "password": read_passwords(self.passwords)[name]}
        reply = httpx.post(f"{self.connection.url}/api/v1/token", data=form, timeout=60)
        assert reply.status_code == 201, reply.text
        token = reply.json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.connection.url}/api/v1", headers=headers, timeout=60)

    def answer(self, name, record, values, status="submitted"):
        body = {"status": status, "values": {k: {"value": v} for k, v in values.items()} or None}
        with self.sign_in(name) as http:
            reply = http.post(f"/records/{record.id}/responses", json=body)
        assert reply.status_code == 201, reply.text


def read(run, stream, model):
    return list(read_records(run.path / "data" / f"{stream}.jsonl", model))


def order(*ranks):
    return [{"value": f"answer_{c}", "rank": r} for c, r in zip("abcdefgh", ranks, strict=False)]
