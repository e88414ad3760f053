"""Near duplicates beside other tools: the same corpus, each tool in an environment of its own.

    python benchmarks/speed/bench_near_duplicates.py install [TOOL ...]
    python benchmarks/speed/bench_near_duplicates.py run 100000 --tools prefkit,rensa,datasketch
    python benchmarks/speed/bench_near_duplicates.py run 10000 100000 1000000 --tools prefkit
    python benchmarks/speed/bench_near_duplicates.py run 10000000 --short --tools prefkit

`prefkit` is measured twice: with an empty cache of compiled loops, and with the one that the first
run left. Seconds are from the start of the process to its end: imports, compiling, reading and
writing count. Memory is the peak of the process. `near_duplicates/corpus.py` says what the records
are, `near_duplicates/truth.py` what counts as right, `near_duplicates/tools.py` how each is called.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

HERE = Path(__file__).parent
TOOL = HERE / "near_duplicates" / "tools.py"
WORK = Path.home() / ".cache" / "prefkit" / "benchmarks"
PEERS = {
    "rensa": ["rensa==0.5.0", "pyarrow", "numpy"],
    "datasketch": ["datasketch==2.0.0", "pyarrow", "numpy"],
    "text-dedup": ["text-dedup==0.4.0", "pyarrow", "numpy"],
}
Pairs = list[tuple[int, int]]

sys.path.insert(0, str(TOOL.parent))


@dataclasses.dataclass(frozen=True)
class Measured:
    """One run of one tool.

    Attributes:
        tool: Its name.
        seconds: From start to end.
        processor: Seconds of both cores, its children's too.
        peak: Most memory of the largest of its processes, in MB.
        load: Of the machine over the minute before; 0 is quiet.
        pairs: What it found, shape (pairs, 2); None when it failed or took too long.
    """

    tool: str
    seconds: float
    processor: float
    peak: int
    load: float
    pairs: np.ndarray | None


def main() -> None:
    """Install peers, or measure."""
    parser = argparse.ArgumentParser(description="Near duplicates beside other tools.")
    commands = parser.add_subparsers(dest="command", required=True)
    installing = commands.add_parser("install", help="Make an environment for each peer.")
    installing.add_argument("peers", nargs="*", default=list(PEERS), metavar="TOOL")
    running = commands.add_parser("run", help="Measure and print a Markdown table.")
    running.add_argument("sizes", nargs="+", type=int, metavar="RECORDS")
    running.add_argument("--tools", default="prefkit,rensa,datasketch,text-dedup")
    running.add_argument("--short", action="store_true", help="Records of some 14 words.")
    running.add_argument("--limit", type=float, default=1800, help="Seconds a tool may take.")
    running.add_argument("--out", type=Path, help="JSON; sizes measured before stay in it.")
    for command in (installing, running):
        command.add_argument("--work", type=Path, default=WORK, help="Corpora, environments.")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.command == "install":
        for peer in options.peers:
            install(options.work, peer)
        return
    results = [
        of_size(options.work, size, options.tools.split(","), options.short, options.limit)
        for size in options.sizes
    ]
    print("\n\n".join(table(result) for result in results))
    if options.out:
        store(options.out, results)


def install(work: Path, peer: str) -> None:
    """An environment that holds one peer."""
    folder = work / "environments" / peer
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", *PEERS[peer]]
    subprocess.run(pip, check=True)


def of_size(work: Path, size: int, tools: list[str], short: bool, limit: float) -> dict:
    """All tools on one corpus, with what they got right."""
    from corpus import corpus
    from truth import THRESHOLD, Truth, score

    path = corpus(work, size, short=short)
    runs = [run for tool in tools for run in measured(work, tool, path, limit)]
    texts = pq.read_table(path)["text"]
    truth = Truth(texts)
    every = [run.pairs for run in runs if run.pairs is not None]
    known = np.concatenate([np.load(path.with_name("planted.npy")), *every])
    pairs: Pairs = [(one, other) for one, other in np.unique(np.sort(known), axis=0).tolist()]
    true = [pair for pair in pairs if truth.similarity(*pair) >= THRESHOLD]
    rows = []
    for run in runs:
        row = dataclasses.asdict(run) | {"pairs": 0}
        if run.pairs is not None:
            row |= {"pairs": len(run.pairs)} | score(truth, run.pairs, true)
        rows.append(row)
    return {
        "records": size,
        "kind": "short" if short else "long",
        "megabytes": round(texts.nbytes / 1e6, 1),
        "true_pairs": len(true),
        "sha256": path.with_name("sha256").read_text().strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "tools": rows,
    }


def measured(work: Path, tool: str, path: Path, limit: float) -> list[Measured]:
    """Run a tool; ours with an empty cache and then with a full one."""
    if tool != "prefkit":
        python = work / "environments" / tool / "bin" / "python"
        if not python.exists():
            sys.exit(f"{tool} is not installed: python {sys.argv[0]} install {tool}")
        return [measure(tool, str(python), tool, path, limit, {})]
    with tempfile.TemporaryDirectory() as cache:
        environment = {"NUMBA_CACHE_DIR": cache, "PYTHONPATH": str(HERE.parents[1])}
        return [
            measure(name, sys.executable, tool, path, limit, environment)
            for name in ("prefkit, first run", "prefkit")
        ]


def measure(
    name: str, python: str, tool: str, path: Path, limit: float, environment: dict[str, str]
) -> Measured:
    """One process from its start to its end."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.npy"
        log = Path(folder) / "log"
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        with log.open("wb") as output:
            began = time.perf_counter()
            process = subprocess.Popen(
                ["timeout", str(limit), python, str(TOOL), tool, str(path), str(found)],
                env=os.environ | quiet | environment,
                stdout=output,
                stderr=output,
                cwd=folder,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = found.with_suffix(".peak")
        megabytes = int(peak.read_text()) if peak.exists() else 0
        pairs = np.load(found) if megabytes else None
        if pairs is None:
            print(f"{name}: exit {process.returncode}\n{log.read_text()[-2000:]}", file=sys.stderr)
    processor = usage.ru_utime + usage.ru_stime
    print(f"{name}: {seconds:.1f} s, {megabytes} MB", file=sys.stderr)
    return Measured(name, round(seconds, 2), round(processor, 2), megabytes, round(load, 1), pairs)


def table(result: dict) -> str:
    """A Markdown table of one size."""
    lines = [
        f"{result['records']:,} {result['kind']} records, {result['megabytes']} MB, "
        f"{result['true_pairs']:,} true pairs, {result['cores']} cores",
        "",
        "| tool | seconds | times ours | processor s | records/s | peak MB | precision | recall "
        "| J .7-.8 | .8-.9 | .9-1 | load before |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    ours = [row["seconds"] for row in result["tools"] if row["tool"] == "prefkit"]
    for row in result["tools"]:
        shares = ("precision", "recall", "recall_0.7", "recall_0.8", "recall_0.9")
        right = " | ".join(f"{row[name]:.4f}" if name in row else "failed" for name in shares)
        times = f"{row['seconds'] / ours[0]:.1f}" if ours else ""
        lines.append(
            f"| {row['tool']} | {row['seconds']:.2f} | {times} | {row['processor']:.1f} "
            f"| {result['records'] / row['seconds']:,.0f} | {row['peak']:,} | {right} "
            f"| {row['load']} |"
        )
    return "\n".join(lines)


def store(path: Path, results: list[dict]) -> None:
    """Write the results; those of other sizes or kinds stay."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    measured_now = {(result["records"], result["kind"]) for result in results}
    kept = [one for one in known if (one["records"], one["kind"]) not in measured_now]
    body = sorted([*kept, *results], key=lambda one: (one["kind"], one["records"]))
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
