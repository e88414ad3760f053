import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
from desk import order, read
from made_runs import ranking_source

from prefkit.annotation import server, target
from prefkit.annotation.client import Client
from prefkit.annotation.layouts import load_layout
from prefkit.annotation.push import plan_push, run_push
from prefkit.errors import PrefkitError
from prefkit.records import Judgment

pytestmark = [pytest.mark.argilla, pytest.mark.timeout(600)]


class Listener:
    """Counts what is posted to it."""

    def __init__(self):
        self.posted = posted = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def test_a_wrong_key_and_a_silent_server_are_one_clear_error_each(desk, monkeypatch):
    ranking_source(desk.workspace, [3])
    monkeypatch.setenv("ARGILLA_API_KEY", "wrong")
    with pytest.raises(PrefkitError, match="refuses the API key"):
        desk.push()
    with pytest.raises(PrefkitError, match="does not answer"):
        desk.push(server="http://127.0.0.1:9", patience=1.0)


def test_what_an_admin_deletes_is_reported_and_never_lost_silently(desk, people):
    ranking_source(desk.workspace, [3] * 3)
    desk.push(annotators=people)
    dataset, records = desk.records()
    for record in records:
        desk.answer(people[0], record, {"ranking": order(1, 2, 3)})
        desk.answer(people[1], record, {"ranking": order(3, 2, 1)})
    first = desk.pull()
    with desk.client() as client:
        client.call("DELETE", f"/datasets/{dataset.id}/records", ids=records[0].id)
        client.call("DELETE", f"/users/{client.users()[people[1]].id}")
    second = desk.pull()
    assert first.manifest.totals["submitted"] == 6
    assert second.manifest.totals["submitted"] == 2
    assert second.manifest.dropped == {"gone-from-server": 4, "deleted-on-server": 1}
    assert len(read(first, "judgments", Judgment)) == 6


def test_a_push_survives_a_restart_of_the_server_in_its_midst(desk, live_server, monkeypatch):
    monkeypatch.setattr("prefkit.annotation.push.BATCH", 20)
    ranking_source(desk.workspace, [3] * 200)
    plan = plan_push("@candidates", desk.config(server=None, patience=120.0), desk.workspace)
    monkeypatch.setattr(
        "prefkit.annotation.push.connect_to", lambda server, workspace: live_server.connection
    )
    sent = Client.put_records
    calls = []

    def put(self, dataset_id, records):
        calls.append(1)
        if len(calls) == 4:
            process = subprocess.Popen(
                [sys.executable, "-c", RESTART, str(live_server.workspace.root)]
            )
            time.sleep(1.0)
            assert process.wait(timeout=180) == 0
        sent(self, dataset_id, records)

    url = live_server.connection.url
    monkeypatch.setattr(Client, "put_records", put)
    run = run_push(plan, desk.settings())
    assert live_server.connection.url == url
    assert run.manifest.totals["new"] == 200
    desk.connection = live_server.connection
    assert len({record.external_id for record in desk.records()[1]}) == 200


RESTART = """
import sys
from pathlib import Path
from urllib.parse import urlsplit
from prefkit.annotation import server
from prefkit.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
port = urlsplit(server.running(workspace).url).port
server.stop(workspace)
server.serve_detached(workspace, port=port)
"""


def test_a_push_killed_in_its_midst_goes_on_and_ends_with_the_same_records(desk):
    ranking_source(desk.workspace, [3] * 300)
    flags = ["--server", desk.connection.url, "--dataset", desk.dataset, "--json"]
    command = [sys.executable, "-c", SLOW, "annotate", "push", "@candidates", *flags]
    process = subprocess.Popen(command, cwd=desk.workspace.root, env=os.environ.copy())
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        journals = list(desk.workspace.runs.glob("annotate-push-*/journal.jsonl"))
        if journals and journals[0].read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    resumed = subprocess.run(
        [*command, "--resume", "last"],
        cwd=desk.workspace.root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert resumed.returncode == 0, resumed.stderr
    found = json.loads(resumed.stdout)
    assert found["outputs"] == {"tasks": 300}
    records = desk.records()[1]
    assert len(records) == len({record.external_id for record in records}) == 300


SLOW = """
from prefkit.annotation import push
from prefkit.cli import main
push.BATCH = 10
main()
"""


def test_a_dataset_left_half_made_is_completed(desk):
    ranking_source(desk.workspace, [3])
    loaded = load_layout("ranking", desk.workspace)
    with desk.client() as client:
        place = client.workspaces()["default"]
        half = target.Target(desk.dataset, 3)
        made = client.create_dataset(place, target._body(half, loaded, 1))
        client.add_part(made.id, "fields", {"name": "prompt", "title": "Q", "settings": TEXT})
    assert desk.push().manifest.totals["new"] == 1
    dataset, records = desk.records()
    assert dataset.ready
    assert dataset.id == made.id
    assert len(records) == 1


TEXT = {"type": "text", "use_markdown": False}


def test_a_dataset_that_others_made_is_left_alone(desk):
    ranking_source(desk.workspace, [3])
    with desk.client() as client:
        place = client.workspaces()["default"]
        client.call("POST", "/datasets", {"name": desk.dataset, "workspace_id": place})
    with pytest.raises(PrefkitError, match="prefkit did not make it"):
        desk.push()


def test_an_admin_cannot_make_users_and_an_annotator_cannot_push(desk, people, monkeypatch):
    ranking_source(desk.workspace, [3])
    desk.push(annotators=people)
    keys = {}
    with desk.client() as client:
        place = client.workspaces()["default"]
        body = {"username": f"{people[0]}-boss", "first_name": "B", "password": "long-enough"}
        boss = client.call("POST", "/users", body | {"role": "admin"})
        client.add_member(place, boss["id"])
        keys["admin"] = boss["api_key"]
        every = client.call("GET", "/users")["items"]
        keys["annotator"] = next(u["api_key"] for u in every if u["username"] == people[0])
    monkeypatch.setenv("ARGILLA_API_KEY", keys["admin"])
    assert desk.push(annotators=people).manifest.totals["there"] == 1
    with pytest.raises(PrefkitError, match="nobody-knows cannot be made"):
        desk.push(annotators=("nobody-knows",))
    assert desk.pull().manifest.totals["submitted"] == 0
    monkeypatch.setenv("ARGILLA_API_KEY", keys["annotator"])
    with pytest.raises(PrefkitError, match="is an annotator and may not push"):
        desk.push()


def test_a_pull_waits_for_a_server_that_restarts_and_misses_nothing(
    desk, people, live_server, monkeypatch
):
    ranking_source(desk.workspace, [3] * 6)
    desk.push(annotators=people)
    for record in desk.records()[1]:
        desk.answer(people[0], record, {"ranking": order(1, 2, 3)})
    port = urlsplit(desk.connection.url).port
    listing = Client._list
    restarted = []

    def interrupted(self, dataset_id, responses):
        if not restarted:
            command = [sys.executable, "-c", RESTART, str(live_server.workspace.root)]
            restarted.append(subprocess.Popen(command))
            while server.running(live_server.workspace):
                time.sleep(0.05)
        return listing(self, dataset_id, responses)

    monkeypatch.setattr(Client, "_list", interrupted)
    run = desk.pull(patience=120.0)
    assert restarted[0].wait(timeout=180) == 0
    assert urlsplit(live_server.connection.url).port == port
    assert len(read(run, "judgments", Judgment)) == 6


def test_a_guideline_edited_in_the_page_is_told_and_recorded_for_later_answers(desk, people):
    ranking_source(desk.workspace, [3] * 2)
    desk.push(annotators=people)
    dataset, (first, second) = desk.records()
    desk.answer(people[0], first, {"ranking": order(1, 2, 3)})
    with desk.client() as client:
        client.call("PATCH", f"/datasets/{dataset.id}", {"guidelines": "Now rank by length."})
    desk.answer(people[0], second, {"ranking": order(1, 2, 3)})
    found = {
        j.metadata["record"]: j.guideline_sha256 for j in read(desk.pull(), "judgments", Judgment)
    }
    pushed = load_layout("ranking", desk.workspace).guideline_sha256
    assert found[first.external_id] == pushed != found[second.external_id]


def test_a_half_made_user_keeps_the_password_that_is_on_disk(desk, people, monkeypatch):
    ranking_source(desk.workspace, [3])
    create = Client.create_user

    def dies(self, name, password):
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "create_user", dies)
    with pytest.raises(KeyboardInterrupt):
        desk.push(annotators=people)
    written = desk.passwords.read_text(encoding="utf-8")
    monkeypatch.setattr(Client, "create_user", create)
    desk.push(annotators=people)
    assert desk.passwords.read_text(encoding="utf-8") == written
    for name in people:
        desk.sign_in(name).close()


def test_a_webhook_still_hears_of_pushed_records(desk):
    heard = Listener()
    ranking_source(desk.workspace, [3] * 4)
    with desk.client() as client:
        body = {"url": heard.url, "events": ["record.created"], "description": "test"}
        hook = client.call("POST", "/webhooks", body)
        try:
            desk.push()
            deadline = time.monotonic() + 60
            while len(heard.posted) < 4 and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            client.call("DELETE", f"/webhooks/{hook['id']}")
            heard.close()
    assert len(heard.posted) == 4
