"""prefkit's client against a local server of fixed latency, beside the openai client and a peer.

`python bench_client.py install FOLDER` makes the peer's environment; `python bench_client.py run
[FOLDER] [REQUESTS] [MEMORY]` measures: requests a second at 16 to 512 in flight against what the
server can do, processor time a request, requests wasted on a server that admits 40 at once, and
memory at MEMORY requests (200,000). Client and server are processes of their own. The rounds are
taken in turn, so that a busy machine disturbs all alike, and the best of each counts.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "client.json"
PEER = "bespokelabs-curator==0.1.31"
FLYING = (16, 20, 32, 64, 128, 256, 512)
LATENCY_MS = 50
ADMITS = 40
ASKED_WHERE_40_ARE_ADMITTED = 6000
ROUNDS = 2


@contextlib.contextmanager
def server(*options: int) -> Iterator[int]:
    """A server's port."""
    command = [sys.executable, str(HERE / "client" / "server.py"), *map(str, options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def stats(port: int) -> dict:
    """What the server did since it was last asked."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as reply:
        return json.load(reply)


def call(python: str, name: str, port: int, flying: int, count: int) -> dict:
    """One client's figures."""
    command = [python, str(HERE / "client" / "callers.py"), name, *map(str, (port, flying, count))]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        return {"failed": found.returncode}
    figures = json.loads(found.stdout.splitlines()[-1])
    seconds = figures["seconds"]
    return {
        "requests_a_second": round(figures["done"] / seconds, 1),
        "processor_ms_a_request": round(1000 * figures["processor_seconds"] / count, 3),
        "seconds": round(seconds, 2),
        "lost": count - figures["done"],
        "peak_mb": figures["peak_mb"],
    }


def throughput(clients: dict[str, str], requests: int) -> list[dict]:
    """Each client at each number in flight; the best of some rounds, taken in turn."""
    rows = []
    with server(LATENCY_MS) as port:
        for flying in FLYING:
            best: dict[str, dict] = {}
            for _ in range(ROUNDS):
                for name, python in clients.items():
                    found = call(python, name, port, flying, requests)
                    before = best.get(name, {}).get("requests_a_second", -1)
                    if found.get("requests_a_second", 0) > before:
                        best[name] = found
            row = {"in_flight": flying, "load": round(os.getloadavg()[0], 1), **best}
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    return rows


def wasted(count: int) -> dict:
    """A server that admits few: how many requests are refused, and how long all take."""
    found = {}
    for name, label in (("stubborn", "openai client, fixed 256"), ("ours", "prefkit, at most 256")):
        with server(LATENCY_MS, ADMITS) as port:
            stats(port)
            figures = call(sys.executable, name, port, 256, count)
            seen = stats(port)
        share = seen["refused"] / max(1, seen["answered"] + seen["refused"])
        found[label] = figures | {"refused": seen["refused"], "refused_share": round(share, 4)}
        print(label, json.dumps(found[label]), file=sys.stderr, flush=True)
    return {"admits": ADMITS, "requests": count, **found}


def memory(count: int) -> list[dict]:
    """Peak memory after ever more requests."""
    rows = []
    with server(1) as port:
        for size in (count // 20, count):
            rows.append({"requests": size} | call(sys.executable, "ours", port, 64, size))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def install(folder: Path) -> None:
    """The peer, where it disturbs nobody."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", PEER], check=True)


def run(folder: Path | None, requests: int, count: int) -> None:
    """Measure everything and write it down."""
    clients = dict.fromkeys(("bare", "plain", "ours"), sys.executable)
    if folder is not None:
        clients["curator"] = str(folder / "bin" / "python")
    began = time.strftime("%Y-%m-%d")
    body = {
        "date": began,
        "platform": f"{platform.platform()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "openai": metadata.version("openai"),
        "peer": PEER if folder else None,
        "latency_ms": LATENCY_MS,
        "requests": requests,
        "throughput": throughput(clients, requests),
        "where_few_are_admitted": wasted(min(ASKED_WHERE_40_ARE_ADMITTED, 3 * requests)),
        "memory": memory(count) if count else [],
    }
    RESULTS.write_text(json.dumps(body, indent=1) + "\n")
    RESULTS.with_suffix(".md").write_text(page(body))


def page(body: dict) -> str:
    """The figures as a page."""
    names = [name for name in ("bare", "plain", "ours", "curator") if name in body["throughput"][0]]
    lines = [
        f"{body['requests']:,} requests a cell, {body['latency_ms']} ms of latency, best of "
        f"{ROUNDS}; {body['platform']}, Python {body['python']}, openai {body['openai']}, "
        f"{body['date']}. `bare` is the server's ceiling: ready bytes, nothing parsed. `plain` is "
        "the openai client with a semaphore, storing nothing. `ours` stores every reply.",
        "",
        "| in flight | load | " + " | ".join(f"{n}: requests/s (CPU ms)" for n in names) + " |",
        "|---|---|" + "---:|" * len(names),
    ]
    for row in body["throughput"]:
        cells = []
        for name in names:
            found = row.get(name)
            cells.append(
                f"{found['requests_a_second']} ({found['processor_ms_a_request']})"
                if found and "requests_a_second" in found
                else "failed"
            )
        lines.append(f"| {row['in_flight']} | {row['load']} | " + " | ".join(cells) + " |")
    few = body["where_few_are_admitted"]
    lines += [
        "",
        f"{few['requests']:,} requests to a server that admits {few['admits']} at once:",
        "",
        "| client | 429s | share | seconds | lost |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {found['refused']:,} | {found['refused_share']:.2%} | {found.get('seconds')} "
        f"| {found.get('lost')} |"
        for name, found in few.items()
        if isinstance(found, dict)
    ]
    lines += ["", "| requests | peak MB | requests/s |", "|---:|---:|---:|"]
    lines += [
        f"| {row['requests']:,} | {row.get('peak_mb')} | {row.get('requests_a_second')} |"
        for row in body["memory"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked[:1] == ["install"]:
        install(Path(asked[1]))
    else:
        place = Path(asked[1]) if asked[1:] and asked[1] != "-" else None
        sizes = [int(text) for text in asked[2:4]]
        run(place, *(sizes + [3000, 200_000][len(sizes) :]))
