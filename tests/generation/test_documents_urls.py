"""Pages of the web: only when asked for, only so much, only from where it is allowed."""

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from prefkit.errors import PrefkitError
from prefkit.generation.blocks import Unreadable
from prefkit.generation.documents import read_documents
from prefkit.generation.sources.fetching import Fetcher

PAGES = {
    "/a": ("text/markdown; charset=utf-8", b"# Title\n\nWords of a page."),
    "/b.md": ("text/plain", b"Words of another page."),
    "/odd": ("image/png", b"\x89PNG"),
    "/empty": ("text/plain", b""),
    "/big": ("text/plain", b"word " * 100_000),
}
REDIRECTS = {
    "/to-a": "/a",
    "/loop": "/loop",
    "/file": "file:///etc/passwd",
    "/inside": "http://[::1]:1/x",
}


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        with contextlib.suppress(OSError):
            self.answer()

    def answer(self):
        if self.path in REDIRECTS:
            self.send_response(302)
            self.send_header("Location", REDIRECTS[self.path])
            self.end_headers()
        elif self.path in PAGES:
            kind, body = PAGES[self.path]
            self.begin(kind, len(body))
            self.wfile.write(body)
        elif self.path == "/slow":
            self.begin("text/plain", 1000)
            for _ in range(100):
                self.wfile.write(b".")
                time.sleep(0.05)
        elif self.path == "/cut":
            self.begin("text/plain", 1000)
            self.wfile.write(b"only this")
        elif self.path == "/zipped":
            self.begin("text/plain", 3, encoding="gzip")
            self.wfile.write(b"abc")
        elif self.path == "/endless":
            self.begin("text/plain", None)
            while True:
                self.wfile.write(b"word " * 10_000)
        else:
            self.send_error(404)

    def begin(self, kind, length, encoding=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()

    def log_message(self, *args):
        return


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def fetcher(**how):
    return Fetcher(**{"largest": 100_000, "private": True, "seconds": 5.0} | how)


def test_a_page_is_fetched_only_when_asked_for(site):
    with pytest.raises(PrefkitError, match="only when you ask") as caught:
        read_documents(f"{site}/a")
    assert "--allow-url" in caught.value.hint


def test_pages_are_documents_under_their_addresses(site, tmp_path):
    (tmp_path / "local.md").write_text("Words of a file.", encoding="utf-8")
    sources = [f"{site}/to-a", tmp_path, f"{site}/b.md", f"{site}/gone"]
    read = read_documents(sources, fetcher=fetcher())
    assert [p.document.source for p in read.documents] == [
        "local.md",
        f"{site}/to-a",
        f"{site}/b.md",
    ]
    assert [p.document.title for p in read.documents] == ["local", "Title", "b.md"]
    (dropped,) = read.dropped
    assert (dropped.record_id, dropped.rule) == (f"{site}/gone", "not-fetched")
    assert "404" in dropped.detail


@pytest.mark.parametrize(
    ("path", "rule", "words"),
    [
        ("/loop", "not-fetched", "redirects"),
        ("/file", "not-fetched", "not http"),
        ("/empty", "empty", "0 bytes"),
        ("/big", "too-large", "0.1 MB"),
        ("/endless", "too-large", "0.1 MB"),
        ("/cut", "not-fetched", "cut off"),
        ("/zipped", "not-fetched", "compressed"),
    ],
)
def test_limits_refuse_a_page_with_the_reason(site, path, rule, words):
    with pytest.raises(Unreadable, match=words) as caught:
        fetcher().fetch(site + path)
    assert caught.value.rule == rule


def test_a_page_that_drips_is_given_up(site):
    with pytest.raises(Unreadable, match=r"not done in 0\.3 seconds"):
        fetcher(seconds=0.3).fetch(f"{site}/slow")


def test_a_format_that_nobody_reads_is_named(site):
    with pytest.raises(PrefkitError, match=r"unknown-format"):
        read_documents(f"{site}/odd", fetcher=fetcher())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "169.254.169.254",
        "192.168.1.1",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1",
    ],
)
def test_addresses_of_private_networks_are_refused_before_a_connection(monkeypatch, address):
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [entry])
    with pytest.raises(Unreadable, match="private network") as caught:
        fetcher(private=False).fetch("http://harmless.example/page")
    assert "--allow-private-url" in caught.value.detail


def test_a_redirect_into_the_local_network_is_refused_too(site, monkeypatch):
    real, port = socket.getaddrinfo, int(site.rpartition(":")[2])

    def resolve(host, *args, **kwargs):
        return real("127.0.0.1" if host == "site.example" else host, port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(
        "prefkit.generation.sources.fetching._is_public", lambda address: address == "127.0.0.1"
    )
    with pytest.raises(Unreadable, match="private network"):
        fetcher(private=False).fetch(f"http://site.example:{port}/inside")


@pytest.mark.parametrize(
    "url", ["http://user:word@127.0.0.1/", "http:///x", "http://127.0.0.1/a b"]
)
def test_odd_addresses_are_refused_without_a_request(url):
    with pytest.raises(Unreadable) as caught:
        fetcher().fetch(url)
    assert "word" not in caught.value.detail.replace("password", "")


def test_a_server_that_is_not_there_is_a_reason():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(Unreadable, match="refused"):
            fetcher().fetch(f"http://127.0.0.1:{held.getsockname()[1]}/")


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(PrefkitError, match="holds a user or a password") as caught:
        read_documents("https://me:hushhush@site.example/a", fetcher=fetcher())
    assert "hushhush" not in str(caught.value)
