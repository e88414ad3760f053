"""Pages of the web, fetched within limits and only when the user asks for them.

The address that a name resolves to is checked before it is connected to, and again after each
redirect, so that a page cannot lead into the local network.
"""

import contextlib
import dataclasses
import http.client
import ipaddress
import posixpath
import socket
import ssl
import threading
import time
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import prefkit
from prefkit.generation.blocks import Unreadable

_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/x-rst": ".rst",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
_VAGUE = ("", "text/plain", "application/octet-stream", "binary/octet-stream")
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_BLOCK = 65_536


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A page: its bytes, the ending that says its format, and a title for want of another."""

    data: bytes
    suffix: str
    title: str


@dataclasses.dataclass(frozen=True)
class Fetcher:
    """Gets pages over HTTP and HTTPS.

    Attributes:
        largest: Most bytes of a page.
        private: Whether addresses of this machine and the local network are allowed.
        seconds: Most time for a page, redirects included.
    """

    largest: int
    private: bool = False
    seconds: float = 30.0

    def fetch(self, url: str) -> Fetched:
        """A page.

        Raises:
            Unreadable: It cannot be had, or a limit refuses it (`not-fetched`, `too-large`).
        """
        until = time.monotonic() + self.seconds
        here = url
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                found = self._get(_checked(here), until)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Unreadable("not-fetched", _reason(error)) from error
            if isinstance(found, Fetched):
                return found
            following = urljoin(here, found)
            if here.lower().startswith("https:") and not following.lower().startswith("https:"):
                raise Unreadable("not-fetched", "redirects from https to an unprotected address")
            here = following
        raise Unreadable("not-fetched", f"more than {_MOST_REDIRECTS} redirects")

    def _get(self, url: SplitResult, until: float) -> Fetched | str:
        """The page, or where it redirects to."""
        left = max(until - time.monotonic(), 0.01)
        connection, sock = _connection(url, self._address(url), left)
        alarm = threading.Timer(left, _cut, (sock,))  # a server may send a byte now and then
        alarm.daemon = True
        alarm.start()
        try:
            path = url.path or "/"
            connection.request(
                "GET", f"{path}?{url.query}" if url.query else path, headers=_headers()
            )
            with connection.getresponse() as answer:
                place = answer.getheader("Location")
                if answer.status in _REDIRECTS and place:
                    return place
                if answer.status != 200:
                    raise Unreadable("not-fetched", f"the server answers {answer.status}")
                if answer.getheader("Content-Encoding", "identity").lower() != "identity":
                    raise Unreadable("not-fetched", "compressed, which was not asked for")
                data = self._body(answer)
                suffix = _suffix(answer, url)
        finally:
            alarm.cancel()
            connection.close()
            sock.close()
            if time.monotonic() >= until:
                raise Unreadable("not-fetched", f"not done in {self.seconds:g} seconds")
        return Fetched(data, suffix, posixpath.basename(unquote(url.path)))

    def _address(self, url: SplitResult) -> tuple[str, int]:
        port = url.port or (443 if url.scheme == "https" else 80)
        found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        inner = [a for a in addresses if not _is_public(a)]
        if inner and not self.private:
            raise Unreadable(
                "not-fetched",
                f"{url.hostname} is {inner[0]}, an address of a private network; "
                "`--allow-private-url` allows such",
            )
        return addresses[0], port

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        parts, size = [], 0
        while block := answer.read(_BLOCK):
            size += len(block)
            if size > self.largest:
                raise Unreadable("too-large", f"more than {self.largest / 1e6:g} MB")
            parts.append(block)
        if answer.length:
            raise Unreadable("not-fetched", f"cut off {answer.length} bytes before its end")
        if not size:
            raise Unreadable("empty", "0 bytes")
        return b"".join(parts)


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return mapped.is_global and not mapped.is_multicast


def _checked(url: str) -> SplitResult:
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise Unreadable("not-fetched", "leads to something that is not http or https")
    if found.username or found.password:
        raise Unreadable(
            "not-fetched", "an address with a user or password; they would be recorded"
        )
    if any(ord(character) < 33 or ord(character) == 127 for character in url):
        raise Unreadable("not-fetched", "an address with spaces or control characters")
    return found


def _headers() -> dict[str, str]:
    return {
        "User-Agent": f"prefkit/{prefkit.__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def _connection(
    url: SplitResult, address: tuple[str, int], seconds: float
) -> tuple[http.client.HTTPConnection, socket.socket]:
    """A connection to an address that was checked, under the name that the page has."""
    host = url.hostname or ""
    secure = url.scheme == "https"
    make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = make(host, address[1], timeout=seconds)
    sock = socket.create_connection(address, timeout=seconds)
    if secure:
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    connection.sock = sock
    return connection, sock


def _suffix(answer: http.client.HTTPResponse, url: SplitResult) -> str:
    """The format by the header; by the address where the header is vague."""
    said = answer.getheader("Content-Type", "").partition(";")[0].strip().lower()
    ending = posixpath.splitext(unquote(url.path))[1].lower()
    if said in _VAGUE and ending:
        return ending
    return _SUFFIXES.get(said, f".{said.rpartition('/')[2] or 'unknown'}")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{said}"
