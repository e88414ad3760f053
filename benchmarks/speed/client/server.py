"""An OpenAI-compatible chat server that answers after a fixed time, in a process of its own.

`python server.py LATENCY_MS [ADMITS]` prints its port and serves until its input closes. Beyond
ADMITS requests in flight it answers 429. `GET /stats` says what it did, and begins anew.
"""

import asyncio
import json
import sys

REPLY = json.dumps(
    {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "At noon the tide turns. " * 20},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 120, "total_tokens": 180},
    }
).encode()
REFUSAL = json.dumps(
    {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}
).encode()


class Stats:
    """What the server did since it was last asked."""

    def __init__(self) -> None:
        self.answered = self.refused = self.flying = self.most = 0

    def taken(self) -> bytes:
        """The counts as JSON; they begin anew."""
        body = json.dumps(
            {"answered": self.answered, "refused": self.refused, "most_at_once": self.most}
        ).encode()
        self.answered = self.refused = self.most = 0
        return body


class Chat(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, stats: Stats, latency: float, admits: int) -> None:
        self.stats, self.latency, self.admits = stats, latency, admits
        self.seen = b""

    def connection_made(self, transport) -> None:  # noqa: ANN001
        """Keep the connection."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take whole requests out of what came."""
        self.seen += data
        while (end := self.seen.find(b"\r\n\r\n")) >= 0:
            head = self.seen[:end]
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(self.seen) < end + 4 + length:
                return
            self.seen = self.seen[end + 4 + length :]
            self.asked(head)

    def asked(self, head: bytes) -> None:
        """Answer a request later, refuse it, or say what was done."""
        stats = self.stats
        if head.startswith(b"GET"):
            self.send(b"200 OK", stats.taken())
        elif stats.flying >= self.admits:
            stats.refused += 1
            self.send(b"429 Too Many Requests", REFUSAL)
        else:
            stats.flying += 1
            stats.most = max(stats.most, stats.flying)
            asyncio.get_running_loop().call_later(self.latency, self.answer)

    def answer(self) -> None:
        """A reply is due."""
        self.stats.flying -= 1
        self.stats.answered += 1
        self.send(b"200 OK", REPLY)

    def send(self, status: bytes, body: bytes) -> None:
        """Write a whole HTTP reply."""
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(body), body)
        )


async def serve(latency: float, admits: int) -> None:
    """Serve on a free port of loopback."""
    loop, stats = asyncio.get_running_loop(), Stats()
    server = await loop.create_server(
        lambda: Chat(stats, latency, admits), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it is gone
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000, int(sys.argv[2]) if sys.argv[2:] else 10**9))
