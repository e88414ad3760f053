"""`prefkit clean` from end to end at rising sizes: time, memory, disk, and what it found.

    python benchmarks/speed/bench_clean.py 10000 100000 1000000
    python benchmarks/speed/bench_clean.py 10000000 --memory 16

Records are short questions and answers (some 150 bytes of text) of random words with all rules on;
one in twenty repeats an earlier one in another dress, one in twenty has a word more in prompt and
answer. Seconds are from the start of the process to its end. Memory is sampled over the process
and its workers: `private` cannot be given back, `resident` counts the mapped files too. With
`--memory`, the run is held to that many GiB by a control group (version 1, as root), mapped files
and the page cache included: it is killed if it needs more.
"""

import argparse
import ast
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import numpy as np

WORK = Path.home() / ".cache" / "prefkit" / "benchmarks"
RESULTS = Path(__file__).parent / "results" / "clean.json"
GROUP = Path("/sys/fs/cgroup/memory/prefkit-bench")
BLOCK = 100_000
WORD = re.compile(r"\b[a-z]{3,12}\b")


def main() -> None:
    """Measure each size and print a Markdown table."""
    parser = argparse.ArgumentParser(description="prefkit clean at rising sizes.")
    parser.add_argument("sizes", nargs="+", type=int, metavar="RECORDS")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--memory", type=float, metavar="GIB", help="Hold the run to this much.")
    parser.add_argument("--work", type=Path, default=WORK, help="Corpora and runs.")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON; other sizes stay in it.")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in options.sizes:
        planted = corpus(size, options.work / f"clean-{size}.jsonl")
        rows.append(measure(size, planted, options))
        save(rows[-1], options.out)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print("\n".join(table(rows)))


def corpus(size: int, path: Path) -> dict[str, int]:
    """Write the records unless they are there; how many copies of each kind were planted."""
    notes = path.with_suffix(".json")
    if not notes.is_file():
        words = vocabulary()
        planted = {"exact": 0, "near": 0}
        early: list[tuple[str, str]] = []
        with path.open("w", encoding="utf-8") as file:
            for begin in range(0, size, BLOCK):
                rng = np.random.default_rng(begin)
                block = [_fresh(rng, words) for _ in range(min(BLOCK, size - begin))]
                early = early or block[:]
                for place, kind in enumerate(rng.random(len(block))):
                    prompt, answer = block[place]
                    if kind < 0.1 and place:
                        pool = early if kind < 0.05 else block[:place]
                        prompt, answer = pool[int(rng.integers(len(pool)))]
                        near = place % 2
                        planted["near" if near else "exact"] += 1
                        prompt, answer = _again(prompt, answer, words, rng, near)
                    file.write(json.dumps({"prompt": prompt, "reference": answer}) + "\n")
        notes.write_text(json.dumps(planted))
    return json.loads(notes.read_text())


def vocabulary() -> list[str]:
    """Lower-case words from the docstrings of the installed packages, sorted."""
    found: set[str] = set()
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py"))[:3000]:
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        found.update(WORD.findall(ast.get_docstring(tree) or ""))
    return sorted(found)


def _fresh(rng: np.random.Generator, words: list[str]) -> tuple[str, str]:
    chosen = rng.integers(len(words), size=26)
    asked, said = int(rng.integers(7, 11)), int(rng.integers(9, 16))
    prompt = " ".join(words[at] for at in chosen[:asked])
    answer = " ".join(words[at] for at in chosen[asked : asked + said])
    return f"How does {prompt}?", f"It {answer}."


def _again(
    prompt: str, answer: str, words: list[str], rng: np.random.Generator, near: int
) -> tuple[str, str]:
    """The record in another dress, or with a word more on both sides."""
    if not near:
        return prompt.lower(), f" {answer} "
    more = words[int(rng.integers(len(words)))]
    return f"{prompt[:-1]} {more}?", f"{answer[:-1]} {more}."


def measure(size: int, planted: dict[str, int], options: argparse.Namespace) -> dict[str, object]:
    """Run `prefkit clean` on one corpus."""
    out = options.work / f"clean-{size}-run"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "prefkit", "clean", str(options.work / f"clean-{size}.jsonl")]
    command += ["--out", str(out), "--workers", str(options.workers), "--json"]
    held = hold(options.memory)
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=held)
    watch = Watch(process.pid, out)
    stdout, _ = process.communicate()
    seconds = time.perf_counter() - began
    watch.stop()
    if process.returncode:
        raise SystemExit(f"prefkit clean ended with {process.returncode}")
    manifest = json.loads(stdout)
    dropped = manifest["dropped"]
    same = sum(dropped.get(rule, 0) for rule in ("exact-duplicate", "repeated-prompt"))
    return {
        "records": size,
        "seconds": round(seconds, 1),
        "records_a_second": round(size / seconds),
        "private_mb": watch.private,
        "resident_mb": watch.resident,
        "disk_mb": watch.disk,
        "limit_gib": options.memory,
        "workers": options.workers,
        "planted": planted,
        "exact_found": same,
        "near_found": dropped.get("near-duplicate", 0),
        "kept": sum(manifest["outputs"].values()),
        "load": os.getloadavg()[0],
    }


def hold(gib: float | None):  # noqa: ANN201  # a function for Popen, or None
    """What puts the process that is about to start into a control group of limited memory."""
    if gib is None:
        return None
    GROUP.mkdir(exist_ok=True)
    (GROUP / "memory.limit_in_bytes").write_text(str(int(gib * 2**30)))
    return lambda: (GROUP / "cgroup.procs").write_text(str(os.getpid()))


class Watch(threading.Thread):
    """Samples memory and disk of a process and its children until told to stop."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self.pid, self.folder = pid, folder
        self.private = self.resident = self.disk = 0
        self._done = threading.Event()
        self.start()

    def stop(self) -> None:
        """End sampling."""
        self._done.set()
        self.join()

    def run(self) -> None:
        """Sample five times a second."""
        while not self._done.wait(0.2):
            sizes = [_memory(pid) for pid in _family(self.pid)]
            self.private = max(self.private, sum(size[0] for size in sizes) >> 10)
            self.resident = max(self.resident, sum(size[1] for size in sizes) >> 10)
            self.disk = max(self.disk, _size(self.folder) >> 20)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        found += [one for child in children for one in _family(child)]
    return found


def _memory(pid: int) -> tuple[int, int]:
    """`(private, proportional resident)` kB of a process; nothing when it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", text, re.M))
    return int(fields.get("Pss_Anon", 0)), int(fields.get("Pss", 0))


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # gone since
            continue
    return total


def save(row: dict[str, object], path: Path) -> None:
    """Keep a size's figures beside those of the others."""
    known = json.loads(path.read_text()) if path.is_file() else []
    known = [one for one in known if one["records"] != row["records"]]
    ordered = sorted([*known, row], key=lambda one: one["records"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ordered, indent=1) + "\n")


def table(rows: list[dict[str, object]]) -> list[str]:
    """The figures as Markdown."""
    head = "| records | seconds | records/s | private MB | resident MB | disk MB | exact | near |"
    lines = [head, "|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        planted = row["planted"]
        lines.append(
            f"| {row['records']:,} | {row['seconds']} | {row['records_a_second']:,} "
            f"| {row['private_mb']:,} | {row['resident_mb']:,} | {row['disk_mb']:,} "
            f"| {row['exact_found']:,} of {planted['exact']:,} "
            f"| {row['near_found']:,} of {planted['near']:,} |"
        )
    return lines


if __name__ == "__main__":
    main()
