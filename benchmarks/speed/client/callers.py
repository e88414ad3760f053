"""Clients against the server, each in a process of its own: `python callers.py NAME PORT N COUNT`.

Prints one JSON object: seconds, processor seconds and peak memory of asking COUNT different
questions with at most N in flight. The first request is sent before the clock starts, so neither
imports nor the first connection count.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

QUESTION = "Question {}: " + "when may the boats leave the harbour if its light is green? " * 3


def bare(port: int, flying: int, count: int) -> Callable[[], int]:
    """What the server can do: ready bytes on open connections, nothing parsed."""
    questions = [
        json.dumps({"model": "bench", "messages": [{"role": "user", "content": text}]}).encode()
        for text in (QUESTION.format(number) for number in range(count))
    ]

    async def run() -> int:
        ready = iter(questions)
        done = 0

        async def one() -> None:
            nonlocal done
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for body in ready:
                writer.write(
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                done += 1
            writer.close()

        await asyncio.gather(*(one() for _ in range(flying)))
        return done

    return lambda: asyncio.run(run())


def plain(port: int, flying: int, count: int, retries: int = 2) -> Callable[[], int]:
    """The openai client and a semaphore, as its users write it; nothing is stored."""
    import openai

    async def run() -> int:
        gate = asyncio.Semaphore(flying)
        client = openai.AsyncOpenAI(
            api_key="none", base_url=f"http://127.0.0.1:{port}/v1", max_retries=retries
        )

        async def one(number: int) -> int:
            async with gate:
                try:
                    reply = await client.chat.completions.create(
                        model="bench",
                        messages=[{"role": "user", "content": QUESTION.format(number)}],
                        temperature=0.0,
                        max_tokens=256,
                        seed=0,
                    )
                except openai.RateLimitError:
                    return 0
                return int(bool(reply.choices[0].message.content))

        found = await asyncio.gather(*(one(number) for number in range(count)))
        await client.close()
        return sum(found)

    return lambda: asyncio.run(run())


def stubborn(port: int, flying: int, count: int) -> Callable[[], int]:
    """The same, with so many retries that nothing is lost."""
    return plain(port, flying, count, retries=100)


def ours(port: int, flying: int, count: int) -> Callable[[], int]:
    """prefkit's, every reply stored before it is handed out."""
    from prefkit.chat.endpoint import EndpointModel
    from prefkit.chat.protocol import Request
    from prefkit.records import user

    def requests() -> Iterator[Request]:
        for number in range(count):
            yield Request(user(QUESTION.format(number)))

    def run() -> int:
        with tempfile.TemporaryDirectory() as folder:
            model = EndpointModel(
                "bench",
                base_url=f"http://127.0.0.1:{port}/v1",
                concurrency=flying,
                cache=Path(folder) / "requests.sqlite",
                tries=100,
            )
            done = 0
            for _, reply in model.stream(requests()):
                done += bool(reply.text)
                if done % 20_000 == 0:
                    print(f"{done}: {peak()} MB at most", file=sys.stderr, flush=True)
            model.close()
        return done

    return run


def curator(port: int, flying: int, count: int) -> Callable[[], int]:
    """bespokelabs-curator, in its own environment; it keeps its replies on disk too."""
    import os

    import litellm.litellm_core_utils

    folder = tempfile.mkdtemp()
    tokenizers = Path(litellm.litellm_core_utils.__path__[0]) / "tokenizers"
    os.environ |= {
        "TIKTOKEN_CACHE_DIR": str(tokenizers),  # litellm's copy: else it is fetched from the web
        "OPENAI_API_KEY": "none",
        "CURATOR_DISABLE_RICH_DISPLAY": "1",
        "TELEMETRY_ENABLED": "false",
        "HF_HUB_OFFLINE": "1",
        "CURATOR_CACHE_DIR": folder,
    }
    from bespokelabs import curator as peer

    class Asker(peer.LLM):
        """Puts a question as it is."""

        def prompt(self, row):  # noqa: ANN001, ANN202
            return row["text"]

        def parse(self, row, reply):  # noqa: ANN001, ANN202
            return {"reply": reply}

    model = Asker(
        model_name="bench",
        backend="openai",
        backend_params={
            "base_url": f"http://127.0.0.1:{port}/v1",
            "max_concurrent_requests": flying,
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 10_000_000_000,
            "max_retries": 100,
            "require_all_responses": False,
        },
    )
    rows = [{"text": QUESTION.format(number)} for number in range(count)]

    def run() -> int:
        found = model(rows, working_dir=folder)
        return len(getattr(found, "dataset", found))

    return run


def peak() -> int:
    """Most memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(name: str, port: int, flying: int, count: int) -> None:
    """Measure one client."""
    make = globals()[name]
    if name != "curator":  # its run cannot be repeated in one process
        make(port, min(flying, 4), 4)()
    run = make(port, flying, count)
    before = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    began = time.perf_counter()
    done = run()
    seconds = time.perf_counter() - began
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - before
    body = {"done": done, "seconds": seconds, "processor_seconds": spent, "peak_mb": peak()}
    print(json.dumps(body))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
