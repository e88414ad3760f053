"""Our own patience, against a scripted server on loopback."""

import http.server
import json
import threading
import time

import pytest

from prefkit.annotation import client as module
from prefkit.annotation.client import Client, Refused
from prefkit.annotation.connection import Connection
from prefkit.errors import PrefkitError


class Scripted(http.server.ThreadingHTTPServer):
    """Answers with the next of `replies`: (status, JSON value)."""

    def __init__(self, replies):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = list(replies)
        self.asked = []
        self.sizes = []

    def connection(self):
        return Connection(f"http://127.0.0.1:{self.server_port}", "the-secret-key", "the server")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, value = self.server.replies.pop(0)
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.sizes.append(len(sent["items"]))
        self.do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(module, "SLEEP", (0.01, 0.02))
    servers = []

    def start(*replies):
        server = Scripted(replies)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_is_away_for_a_while_is_waited_for(scripted):
    server = scripted((503, {}), (502, {}), (500, {}), (200, {"items": []}))
    with Client(server.connection(), patience=10) as client:
        assert client.workspaces() == {}
    assert len(server.asked) == 4


def test_a_server_that_stays_away_is_given_up_in_time_and_named():
    began = time.monotonic()
    connection = Connection("http://127.0.0.1:9", "the-secret-key", "the server")
    with (
        Client(connection, patience=0.5) as client,
        pytest.raises(PrefkitError, match=r"the server does not answer .*given up"),
    ):
        client.workspaces()
    assert time.monotonic() - began < 5


def test_a_fault_that_lasts_is_not_asked_for_ever(scripted):
    server = scripted(*[(500, {"detail": "broken"})] * 9)
    with Client(server.connection(), patience=10) as client, pytest.raises(Refused, match="broken"):
        client.workspaces()
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "refuses the API key"), (403, "may not GET"), (422, "because of this")],
)
def test_a_no_is_said_in_the_servers_words_and_without_the_key(scripted, status, said):
    detail = {"code": "x", "params": {"detail": "because of this"}}
    server = scripted((status, {"detail": detail}))
    with Client(server.connection()) as client, pytest.raises(Refused, match=said) as refused:
        client.workspaces()
    assert "the-secret-key" not in str(refused.value)
    assert "the-secret-key" not in repr(server.connection())


def record(number):
    return {"id": str(number), "external_id": f"e{number}", "status": "pending"}


def test_a_list_that_changes_while_it_is_read_is_read_again(scripted, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    first = [(200, {"items": [record(1), record(2)], "total": 3}), (200, {"items": [], "total": 2})]
    again = [(200, {"items": [record(2), record(3)], "total": 2})]
    server = scripted(*first, *again)
    with Client(server.connection()) as client:
        assert [r.external_id for r in client.records("d")] == ["e2", "e3"]


def test_what_a_proxy_finds_too_large_is_sent_in_halves(scripted):
    server = scripted((413, {}), (200, {}), (413, {}), (200, {}), (200, {}))
    with Client(server.connection()) as client:
        client.put_records("d", [{"external_id": str(n)} for n in range(8)])
    assert server.sizes == [8, 4, 4, 2, 2]
    refusing = scripted((413, {}))
    with Client(refusing.connection()) as client, pytest.raises(Refused, match="413"):
        client.put_records("d", [{"external_id": "1"}])
