"""Near duplicates beside datasketch, on real sentences with planted copies.

`python bench_near_duplicates.py [records]`. datasketch is compared when it can be imported
(`pip install datasketch` into some folder, and that folder on PYTHONPATH); prefkit does not need
it. Both get the same texts, words and threshold. Truth is Jaccard by Python sets.
"""

import ast
import itertools
import json
import platform
import random
import re
import resource
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from prefkit.cleaning.near_duplicates import near_pairs

THRESHOLD = 0.7
RESULTS = Path(__file__).parent / "results" / "near_duplicates.json"
SENTENCE = re.compile(r"[A-Z][a-z][^.\n{}<>|]{40,160}\.")
Pair = tuple[int, int]


def sentences(wanted: int) -> list[str]:
    """Distinct sentences from the docstrings of the installed packages."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        for text in _docstrings(path):
            found.update(dict.fromkeys(SENTENCE.findall(" ".join(text.split()))))
        if len(found) >= wanted:
            break
    return list(found)


def _docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            yield ast.get_docstring(node) or ""


def corpus(records: int) -> tuple[list[str], list[Pair]]:
    """Texts of 6 to 8 sentences, one in five a copy with some words changed; and the copies."""
    rng = random.Random(0)
    pool = sentences(3 * records)
    texts: list[str] = []
    planted: list[Pair] = []
    for number in range(records):
        if number < 100 or rng.random() > 0.2:
            texts.append(" ".join(rng.sample(pool, rng.randint(6, 8))))
            continue
        original = rng.randrange(number)
        words = texts[original].split()
        for place in rng.sample(range(len(words)), int(len(words) * rng.uniform(0, 0.12))):
            words[place] = rng.choice(pool).split()[0]
        planted.append((original, number))
        texts.append(" ".join(words))
    return texts, planted


def shingles(text: str) -> set[tuple[str, ...]]:
    """3-word shingles as Python sets (every text here has more than 40 words)."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return set(zip(words, words[1:], words[2:], strict=False))


def with_prefkit(texts: list[str]) -> set[Pair]:
    """Our pairs."""
    return {(left, right) for left, right, _ in near_pairs(texts, THRESHOLD)}


def with_datasketch(texts: list[str]) -> set[Pair]:
    """What datasketch finds: 128 permutations, its own choice of bands."""
    from datasketch import MinHash, MinHashLSH

    rows = [[" ".join(gram).encode() for gram in shingles(text)] for text in texts]
    hashes = MinHash.bulk(rows, num_perm=128)
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    found = set()
    for number, one in enumerate(hashes):
        found |= {(other, number) for other in lsh.query(one)}
        lsh.insert(number, one)
    return found


def measured(find: Callable[[list[str]], set[Pair]], texts: list[str], planted: list[Pair]) -> dict:
    """Seconds, recall on planted pairs by similarity, and share of reported pairs that are true."""
    began = time.perf_counter()
    found = find(texts)
    seconds = time.perf_counter() - began
    sets = {number: shingles(texts[number]) for number in set(itertools.chain(*found, *planted))}

    def similarity(pair: Pair) -> float:
        one, other = sets[pair[0]], sets[pair[1]]
        return len(one & other) / len(one | other)

    wanted = [pair for pair in planted if similarity(pair) >= THRESHOLD]
    true = sum(similarity(pair) >= THRESHOLD for pair in found)
    return {
        "seconds": round(seconds, 2),
        "records_per_second": round(len(texts) / seconds),
        "pairs": len(found),
        "recall": round(sum(pair in found for pair in wanted) / len(wanted), 4),
        "precision": round(true / len(found), 4),
    }


def main() -> None:
    """Measure, print and store."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    texts, planted = corpus(records)
    tools = {"prefkit": with_prefkit}
    versions = {"prefkit": metadata.version("prefkit"), "numpy": metadata.version("numpy")}
    try:
        versions["datasketch"] = metadata.version("datasketch")
        tools["datasketch"] = with_datasketch
    except metadata.PackageNotFoundError:
        print("datasketch is not installed: measuring prefkit alone")
    size = sum(map(len, texts)) / 1e6
    print(f"{records} records, {size:.1f} MB, {len(planted)} planted copies, J >= {THRESHOLD}")
    results = {}
    for name, find in tools.items():
        results[name] = measured(find, texts, planted)
        print(f"{name:<12} {results[name]}")
    if len(results) > 1:
        ratio = results["datasketch"]["seconds"] / results["prefkit"]["seconds"]
        print(f"datasketch takes {ratio:.1f} times as long as prefkit")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of all: {peak} MB")
    RESULTS.parent.mkdir(exist_ok=True)
    body = {
        "records": records,
        "megabytes": round(size, 1),
        "threshold": THRESHOLD,
        "tools": results,
        "versions": versions,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
    }
    RESULTS.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
