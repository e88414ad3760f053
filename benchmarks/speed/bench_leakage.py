"""Contamination beside datatrove and lm-evaluation-harness, with planted evaluation items.

    python bench_leakage.py install FOLDER      each peer in an environment of its own
    python bench_leakage.py run [FOLDER] [--rows N] [--peer-rows N]

Training rows are preference pairs of real sentences (docstrings of installed packages); ten
evaluation sets hold a thousand items each, of sentences that no training row was made of. Some
rows get an item planted in one of four ways. Every tool runs as a process of its own, start-up
and compilation counted. The peers say which rows are contaminated; prefkit also says by what.
"""

import argparse
import ast
import functools
import importlib.util
import json
import os
import platform
import random
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "leakage.json"
SETS, ITEMS = 10, 1000
PLANTED = 0.01  # share of the rows with an item in them
WAYS = ("verbatim", "case and punctuation", "inside longer text", "1 of 10 words changed", "short")
PEERS = {"datatrove": ["datatrove", "spacy", "nltk", "xxhash<4"], "lm-eval": ["lm_eval"]}
SENTENCE = re.compile(r"[A-Z][a-z][^.\n{}<>|]{40,160}\.")
Row = dict[str, str]


def install(folder: Path) -> None:
    """Make the environments of the peers."""
    for name, packages in PEERS.items():
        venv.create(folder / name, with_pip=True)
        bare = ["--no-deps"] if name == "lm-eval" else []  # its janitor needs the library alone
        pip = [str(folder / name / "bin" / "python"), "-m", "pip", "install", "-q", *bare]
        subprocess.run([*pip, *packages], check=True)


@functools.lru_cache
def sentences(wanted: int) -> tuple[str, ...]:
    """Sentences from the docstrings of the installed packages, no two with five words in common."""
    found: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        try:
            nodes = list(ast.walk(ast.parse(path.read_bytes())))
        except (SyntaxError, ValueError):
            continue
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = " ".join((ast.get_docstring(node) or "").split())
                for sentence in SENTENCE.findall(text):
                    words = re.findall(r"[^\W_]+", sentence.casefold())
                    grams = {tuple(words[place : place + 5]) for place in range(len(words) - 4)}
                    if len(words) >= 8 and not grams & seen:
                        found.append(sentence)
                        seen |= grams
        if len(found) >= wanted:
            break
    return tuple(found[:wanted])


def write_corpus(folder: Path, rows: int) -> dict[str, tuple[str, str]]:
    """Write `train.jsonl` and the sets; returns what was planted: row id -> (item, way)."""
    rng = random.Random(0)
    pool = list(sentences(60_000))
    rng.shuffle(pool)
    held, free = pool[: 3 * SETS * ITEMS], pool[3 * SETS * ITEMS :]
    items = _write_sets(folder, held, rng)
    planted: dict[str, tuple[str, str]] = {}
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = {"id": f"r{number}"}
            row |= {name: rng.choice(free) for name in ("prompt", "chosen", "rejected")}
            if rng.random() < PLANTED:
                item, way = _plant(row, items, free, rng)
                planted[row["id"]] = (item, way)
            file.write(json.dumps(row | {"metadata": {}}) + "\n")
    return planted


def _write_sets(folder: Path, held: list[str], rng: random.Random) -> dict[str, str]:
    items = {}
    for number in range(SETS):
        with (folder / f"set{number}.jsonl").open("w", encoding="utf-8") as file:
            for place in range(ITEMS):
                question = " ".join(held.pop() for _ in range(rng.randint(1, 2)))
                if place % 10 == 0:
                    question = " ".join(question.split()[:7])
                name = f"set{number}/{place}"
                items[name] = question
                row = {"id": name, "question": question, "answer": held.pop()}
                file.write(json.dumps(row) + "\n")
    return items


def _plant(row: Row, items: dict[str, str], free: list[str], rng: random.Random) -> tuple[str, str]:
    name = rng.choice(list(items)) if len(items) < 100 else f"set{rng.randrange(SETS)}/"
    name = name if name in items else f"{name}{rng.randrange(ITEMS)}"
    text = items[name]
    words = text.split()
    way = "short" if len(words) < 8 else rng.choice(WAYS[:4])
    if way == "case and punctuation":
        text = " -- ".join(words).upper().replace(".", "!").replace(",", ";")
    elif way == "1 of 10 words changed":
        for place in rng.sample(range(len(words)), max(1, round(len(words) / 10))):
            words[place] = rng.choice(free).split()[0]
        text = " ".join(words)
    elif way in ("inside longer text", "short"):
        text = f"{rng.choice(free)} {text} {rng.choice(free)}"
    row[rng.choice(("prompt", "chosen", "rejected"))] = text
    return name, way


def with_prefkit(folder: Path) -> dict[str, set[str]]:
    """Items found, by row: the command line in a process of its own."""
    command = [sys.executable, "-m", "prefkit", "leakage", "train.jsonl", "--out", "run", "-q"]
    for number in range(SETS):
        command += ["--against", f"set{number}.jsonl"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    found: dict[str, set[str]] = {}
    with (folder / "run" / "data" / "hits.jsonl").open(encoding="utf-8") as file:
        for line in file:
            hit = json.loads(line)
            found.setdefault(hit["record_id"], set()).add(hit["item_id"])
    return found


def peer(name: str, folder: Path) -> None:
    """Print the ids of contaminated rows; runs in the peer's environment."""
    check = {"datatrove": _datatrove, "lm-eval": _janitor}[name](folder)
    with (folder / "train.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if any(check(row[field]) for field in ("prompt", "chosen", "rejected")):
                print(row["id"])


def _items(folder: Path) -> Iterator[Row]:
    for number in range(SETS):
        for line in (folder / f"set{number}.jsonl").read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _datatrove(folder: Path) -> Callable[[str], bool]:
    """Its filter with its own n-grams, question included; its indexer needs lighteval to start."""
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import (
        NGramsDecontConfig,
        NGramsDecontFilter,
        NGramsDecontIndexer,
    )

    config = NGramsDecontConfig(find_query_ngrams=True)
    decont = NGramsDecontFilter(str(folder), config)
    decont._index_hashes = {
        value: "all"
        for row in _items(folder)
        for value in NGramsDecontIndexer.compute_hashes(decont, row["answer"], row["question"])
    }
    return lambda text: decont.filter(Document(text=text, id="")) is not True


def _janitor(_folder: Path) -> Callable[[str], bool]:
    """lm-eval's Janitor in Python: 13-grams; loaded by path, for the package itself needs torch."""
    package = next(Path(sys.prefix).glob("lib/python3*/site-packages/lm_eval"))
    spec = importlib.util.spec_from_file_location(
        "janitor", package / "decontamination" / "janitor.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    janitor = module.Janitor(ngram_n=13, minimum_slice_length=0, too_dirty_cutoff=10_000)
    for row in _items(_folder):
        janitor.register_contaminant_python(row["question"])
        janitor.register_contaminant_python(row["answer"])

    def dirty(text: str) -> bool:
        grams = module.word_ngrams_indices(text, janitor.ngram_n)
        return any(janitor.normalize_string(gram) in janitor.dirt_ngrams for gram, _ in grams)

    return dirty


def score(found: dict[str, set[str]] | set[str], planted: dict[str, tuple[str, str]]) -> dict:
    """Precision of rows and, where items are named, of items; recall of rows by way."""
    rows = set(found)
    scores: dict = {"row_precision": round(len(rows & planted.keys()) / max(len(rows), 1), 4)}
    if isinstance(found, dict):
        pairs = [(row, item) for row, items in found.items() for item in items]
        right = sum(planted.get(row, ("",))[0] == item for row, item in pairs)
        scores["item_precision"] = round(right / max(len(pairs), 1), 4)
    for way in WAYS:
        wanted = {row for row, (_, how) in planted.items() if how == way}
        scores[f"recall, {way}"] = round(len(wanted & rows) / max(len(wanted), 1), 4)
    return scores


def measure(name: str, rows: int, peers: Path | None) -> dict:
    """Run one tool on a corpus of some rows."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        planted = write_corpus(folder, rows)
        load = round(os.getloadavg()[0], 1)
        began = time.perf_counter()
        if name == "prefkit":
            found: dict[str, set[str]] | set[str] = with_prefkit(folder)
        else:
            python = peers / name / "bin" / "python"
            command = [str(python), __file__, "peer", name, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = set(done.stdout.split())
        seconds = time.perf_counter() - began
        size = (folder / "train.jsonl").stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    result = {"rows": rows, "megabytes": round(size), "seconds": round(seconds, 2)}
    result |= {"load_before": load, "largest_process_megabytes": peak} | score(found, planted)
    print(f"{name:<10} {json.dumps(result)}", flush=True)
    return result


def run(peers: Path | None, rows: int, peer_rows: int) -> None:
    """Measure, print and store."""
    results = {"prefkit": [measure("prefkit", size, None) for size in (peer_rows, rows)]}
    for name in PEERS if peers else ():
        results[name] = [measure(name, peer_rows, peers)]
        ratio = results[name][0]["seconds"] / results["prefkit"][0]["seconds"]
        print(f"{name} takes {ratio:.1f} times as long as prefkit on {peer_rows} rows")
    body = {
        "sets": SETS,
        "items": SETS * ITEMS,
        "tools": results,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
    }
    RESULTS.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install").add_argument("folder", type=Path)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path, nargs="?")
    running.add_argument("--rows", type=int, default=1_000_000)
    running.add_argument("--peer-rows", type=int, default=20_000)
    one = commands.add_parser("peer")
    one.add_argument("name", choices=PEERS)
    one.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.command == "install":
        install(given.folder)
    elif given.command == "peer":
        peer(given.name, given.folder)
    else:
        run(given.folder, given.rows, given.peer_rows)


if __name__ == "__main__":
    main()
