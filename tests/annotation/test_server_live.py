import json
import os
import signal
import sqlite3
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from prefkit.annotation import server
from prefkit.annotation.client import Client
from prefkit.annotation.connection import check, connect_to
from prefkit.annotation.environment import data_folder, server_python
from prefkit.annotation.users import read_passwords, renew_passwords
from prefkit.errors import PrefkitError
from prefkit.workspace import Workspace

pytestmark = [pytest.mark.argilla, pytest.mark.timeout(600)]


def client(argilla_server, key=None):
    headers = {"X-Argilla-Api-Key": key or argilla_server.api_key}
    return httpx.Client(base_url=argilla_server.url + "/api/v1", headers=headers, timeout=120)


def said(response):
    assert response.is_success, f"{response.status_code}: {response.text}"
    return response.json() if response.content else None


def make_dataset(http, name, records, min_submitted=1):
    """A published dataset with a text field and a label question; returns ids of it and records."""
    space = said(http.get("/me/workspaces"))["items"][0]["id"]
    body = {"name": name, "workspace_id": space}
    body["distribution"] = {"strategy": "overlap", "min_submitted": min_submitted}
    dataset = said(http.post("/datasets", json=body))["id"]
    field = {"name": "text", "title": "Text", "required": True, "settings": {"type": "text"}}
    said(http.post(f"/datasets/{dataset}/fields", json=field))
    options = [{"value": value, "text": value} for value in ("good", "bad")]
    settings = {"type": "label_selection", "options": options}
    question = {"name": "label", "title": "Label", "required": True, "settings": settings}
    said(http.post(f"/datasets/{dataset}/questions", json=question))
    said(http.put(f"/datasets/{dataset}/publish"))
    items = [{"fields": {"text": f"text {n}"}, "external_id": str(n)} for n in range(records)]
    made = said(http.post(f"/datasets/{dataset}/records/bulk", json={"items": items}))["items"]
    return dataset, [record["id"] for record in made]


def add_annotators(http, count, prefix):
    space = said(http.get("/me/workspaces"))["items"][0]["id"]
    keys = []
    for number in range(count):
        user = {"username": f"{prefix}-{number}", "first_name": "An", "role": "annotator"}
        made = said(http.post("/users", json={**user, "password": "long-enough"}))
        said(http.post(f"/workspaces/{space}/users", json={"user_id": made["id"]}))
        keys.append(made["api_key"])
    return keys


def answer(http, record):
    body = {"status": "submitted", "values": {"label": {"value": "good"}}}
    return http.post(f"/records/{record}/responses", json=body)


def responses_of(http, dataset):
    page = http.get(f"/datasets/{dataset}/records", params={"include": "responses", "limit": 1000})
    return {
        (record["id"], response["user_id"])
        for record in said(page)["items"]
        for response in record["responses"]
    }


def test_the_owner_signs_in_with_the_password_in_the_file(live_server):
    running = server.running(live_server.workspace)
    secrets = json.loads(running.secrets.read_text())
    page = httpx.get(running.url + "/sign-in")
    form = {"username": secrets["username"], "password": secrets["password"]}
    token = said(httpx.post(running.url + "/api/v1/token", data=form))["access_token"]
    me = said(httpx.get(running.url + "/api/v1/me", headers={"Authorization": f"Bearer {token}"}))
    assert page.is_success
    assert "Argilla" in page.text
    assert (me["username"], me["role"]) == ("owner", "owner")


def test_check_says_who_the_key_belongs_to(argilla_server):
    info = check(argilla_server)
    assert (info.user, info.role) == ("owner", "owner")
    assert info.version.startswith("2.")


def test_a_wrong_key_is_one_clear_error(argilla_server, monkeypatch, workspace):
    monkeypatch.setenv("ARGILLA_API_KEY", "not-the-key-of-anyone")
    with pytest.raises(PrefkitError, match="refuses the API key") as caught:
        check(connect_to(argilla_server.url, workspace))
    assert "not-the-key" not in str(caught.value)


def test_secrets_are_readable_by_the_user_alone_and_never_logged(live_server):
    folder = data_folder(live_server.workspace)
    owner = json.loads((folder / "owner.json").read_text())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "owner.json").stat().st_mode) == 0o600
    logs = "".join(file.read_text(errors="replace") for file in folder.glob("*.log"))
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    for secret in (owner["password"], owner["api_key"], owner["secret_key"]):
        assert secret not in logs
        assert secret not in commands


def test_a_lost_password_is_replaced_and_stands_in_one_private_file(
    argilla_server, dataset_name, tmp_path
):
    name = f"{dataset_name}-0"
    with client(argilla_server) as http:
        add_annotators(http, 1, dataset_name)
    file = tmp_path / "new.txt"
    with Client(argilla_server) as mine:
        renew_passwords(mine, [name], file)
        with pytest.raises(PrefkitError, match="has no user nobody"):
            renew_passwords(mine, ["nobody"], file)
    fresh = read_passwords(file)[name]
    token = argilla_server.url + "/api/v1/token"
    old = httpx.post(token, data={"username": name, "password": "long-enough"})
    assert old.status_code == 401
    assert said(httpx.post(token, data={"username": name, "password": fresh}))["access_token"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_servers_on_one_folder_are_refused(live_server):
    with pytest.raises(PrefkitError, match="runs here already"):
        server.serve(live_server.workspace, port=0)
    with pytest.raises(PrefkitError, match="runs here already"):
        server.serve_detached(live_server.workspace, port=0)


def test_twenty_people_submit_at_once_and_none_is_told_the_database_is_locked(
    argilla_server, dataset_name
):
    with client(argilla_server) as http:
        dataset, records = make_dataset(http, dataset_name, 15, min_submitted=20)
        keys = add_annotators(http, 20, dataset_name)
        barrier = threading.Barrier(20)

        def work(key):
            with client(argilla_server, key) as mine:
                barrier.wait()
                return [answer(mine, record).status_code for record in records]

        with ThreadPoolExecutor(20) as pool:
            codes = [code for codes in pool.map(work, keys) for code in codes]
        assert codes == [201] * 300
        assert len(responses_of(http, dataset)) == 300
        progress = said(http.get(f"/datasets/{dataset}/progress"))
        assert progress["completed"] == 15


def test_a_killed_server_comes_back_with_every_acknowledged_response(
    live_server, argilla_server, dataset_name
):
    with client(argilla_server) as http:
        dataset, records = make_dataset(http, dataset_name, 40, min_submitted=20)
        keys = add_annotators(http, 20, dataset_name)
    acknowledged = set()
    lock = threading.Lock()

    def work(key):
        with client(argilla_server, key) as mine:
            for record in records:
                try:
                    response = answer(mine, record)
                except httpx.TransportError:
                    return
                if response.status_code == 201:
                    with lock:
                        acknowledged.add((record, response.json()["user_id"]))

    with ThreadPoolExecutor(20) as pool:
        tasks = [pool.submit(work, key) for key in keys]
        while len(acknowledged) < 100:
            time.sleep(0.02)
        os.kill(web_process(live_server.workspace), signal.SIGKILL)
        for task in tasks:
            task.result()
    wait_for(argilla_server)
    with client(argilla_server) as http:
        there = responses_of(http, dataset)
    assert len(acknowledged) >= 100
    assert acknowledged <= there


def test_a_restart_keeps_people_signed_in(live_server):
    running = server.running(live_server.workspace)
    secrets = json.loads(running.secrets.read_text())
    form = {"username": secrets["username"], "password": secrets["password"]}
    token = said(httpx.post(running.url + "/api/v1/token", data=form))["access_token"]
    live_server.restart()
    url = server.running(live_server.workspace).url
    me = httpx.get(url + "/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert said(me)["username"] == "owner"


def test_the_worker_mends_record_status_when_the_overlap_changes(argilla_server, dataset_name):
    with client(argilla_server) as http:
        dataset, records = make_dataset(http, dataset_name, 2, min_submitted=1)
        said(answer(http, records[0]))
        assert statuses(http, dataset) == ["completed", "pending"]
        rule = {"distribution": {"strategy": "overlap", "min_submitted": 2}}
        said(http.patch(f"/datasets/{dataset}", json=rule))
        deadline = time.monotonic() + 30
        while "completed" in statuses(http, dataset):
            assert time.monotonic() < deadline, "the background worker did nothing"
            time.sleep(0.2)


def test_stopping_leaves_nothing_behind(server_environment, tmp_path):
    workspace = Workspace(tmp_path)
    running = server.serve_detached(workspace, port=0)
    children = children_of(running.pid)
    assert len(children) == 3
    assert server.stop(workspace)
    assert not server.stop(workspace)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert not (data_folder(workspace) / "server.json").exists()


def test_an_upgrade_keeps_the_database_as_it_was(server_environment, tmp_path):
    workspace = Workspace(tmp_path)
    server.serve_detached(workspace, port=0)
    server.stop(workspace)
    folder = data_folder(workspace)
    database = folder / "data" / "argilla.db"
    older = {
        "ARGILLA_DATABASE_URL": f"sqlite+aiosqlite:///{database}",
        "ARGILLA_HOME_PATH": str(folder / "data"),
    }
    command = [str(server_python(workspace)), "-m", "argilla_server", "database", "migrate"]
    subprocess.run([*command, "--revision", "2.4"], env=older, check=True, capture_output=True)
    assert revision(database) == "660d6c6b3360"
    server.serve_detached(workspace, port=0)
    server.stop(workspace)
    assert revision(database) != "660d6c6b3360"
    (copy,) = (folder / "backups").iterdir()
    assert revision(copy) == "660d6c6b3360"


def test_a_database_of_a_newer_argilla_is_refused_and_not_touched(server_environment, tmp_path):
    workspace = Workspace(tmp_path)
    server.serve_detached(workspace, port=0)
    server.stop(workspace)
    database = data_folder(workspace) / "data" / "argilla.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffffffe'")
    with pytest.raises(PrefkitError, match="newer version made it"):
        server.serve_detached(workspace, port=0)
    assert revision(database) == "fffffffffffe"
    assert server.running(workspace) is None


def test_a_killed_parent_takes_its_programs_along(server_environment, tmp_path):
    workspace = Workspace(tmp_path)
    running = server.serve_detached(workspace, port=0)
    children = children_of(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in children)
    assert server.running(workspace) is None
    left = Path((data_folder(workspace) / "scratch").read_text())
    assert left.exists()
    again = server.serve_detached(workspace, port=0)
    assert check(connect_to(None, workspace)).user == again.owner
    assert not left.exists()
    server.stop(workspace)


def statuses(http, dataset):
    return [record["status"] for record in said(http.get(f"/datasets/{dataset}/records"))["items"]]


def children_of(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def revision(database):
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def web_process(workspace):
    for pid in children_of(server.running(workspace).pid):
        if b"prefkit_argilla.web" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("no web server among the children")


def wait_for(connection):
    deadline = time.monotonic() + 60
    while True:
        try:
            return check(connection)
        except PrefkitError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
