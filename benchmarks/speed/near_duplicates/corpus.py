"""Records with planted duplicates, made from the docstrings of the installed packages.

Long records are 5 to 9 real sentences (40 words and more); 74 % are new, 10 % exact copies, 12 %
copies with 0 to 16 % of the words changed, 4 % share every second sentence with another: no
duplicates, but hard to tell. Short records are 12 to 16 words of these sentences, each drawn by
itself, so that unlike records stay unlike however many there are; 80 % are new, 20 % copies with at
most one word changed. The same environment gives the same corpus.
"""

import ast
import hashlib
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SENTENCE = re.compile(r"[A-Z][a-z][^.\n{}<>|]{40,160}\.")
WORD = re.compile(r"[^\W_]+")
SLICE = 100_000  # records written at a time
POOL = 200_000  # sentences at most
REACH = 200_000  # copies are of one of the last so many records


def sentences(folder: Path) -> list[str]:
    """Distinct sentences of at least nine words, kept in a file of the folder."""
    kept = folder / "sentences.txt"
    if not kept.exists():
        found: dict[str, None] = {}
        for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
            for text in _docstrings(path):
                said = SENTENCE.findall(" ".join(text.split()))
                found.update(dict.fromkeys(one for one in said if len(one.split()) > 8))
            if len(found) >= POOL:
                break
        kept.write_text("\n".join(found), encoding="utf-8", errors="replace")
    return kept.read_text(encoding="utf-8").split("\n")


def corpus(folder: Path, size: int, *, short: bool = False) -> Path:
    """A Parquet file of `size` records (`text`); `planted.npy` beside it names the copies."""
    place = folder / f"{'short' if short else 'long'}-{size}"
    path = place / "corpus.parquet"
    if path.exists():
        return path
    place.mkdir(parents=True, exist_ok=True)
    pool = sentences(folder)
    planted: list[tuple[int, int]] = []
    rng = random.Random(0)
    records = _short(rng, pool, size, planted) if short else _long(rng, pool, size, planted)
    digest = hashlib.sha256()
    unfinished = path.with_suffix(".part")
    schema = pa.schema([("text", pa.large_string())])
    with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        for begin in range(0, size, SLICE):
            texts = [next(records) for _ in range(min(SLICE, size - begin))]
            digest.update("\n".join(texts).encode())
            writer.write_table(pa.table({"text": texts}, schema=schema))
    np.save(place / "planted.npy", np.array(planted, np.int64).reshape(-1, 2))
    (place / "sha256").write_text(digest.hexdigest() + "\n")
    unfinished.rename(path)
    return path


def _docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            yield ast.get_docstring(node) or ""


def _long(
    rng: random.Random, pool: list[str], size: int, planted: list[tuple[int, int]]
) -> Iterator[str]:
    recent: list[str] = []
    for number in range(size):
        text, original = _long_record(rng, pool, recent, number)
        if original is not None:
            planted.append((original, number))
        _remember(recent, number, text)
        yield text


def _long_record(
    rng: random.Random, pool: list[str], recent: list[str], number: int
) -> tuple[str, int | None]:
    kind = rng.random()
    if number < 100 or kind < 0.74:
        while True:
            text = " ".join(rng.choices(pool, k=rng.randint(5, 9)))
            if len(WORD.findall(text)) >= 44:
                return text, None
    original = rng.randrange(max(0, number - REACH), number)
    text = recent[original % REACH]
    if kind < 0.84:
        return text, original
    if kind < 0.96:
        words = text.split()
        for at in rng.sample(range(len(words)), int(len(words) * rng.uniform(0, 0.16))):
            words[at] = rng.choice(pool).split()[1]
        return " ".join(words), original
    parts = text.split(". ")
    parts[::2] = rng.choices(pool, k=len(parts[::2]))
    return " ".join(part if part.endswith(".") else part + "." for part in parts), original


def _short(
    rng: random.Random, pool: list[str], size: int, planted: list[tuple[int, int]]
) -> Iterator[str]:
    words = " ".join(pool).split()
    recent: list[str] = []
    for number in range(size):
        if number < 100 or rng.random() < 0.8:
            text = " ".join(rng.choices(words, k=rng.randint(12, 16)))
        else:
            original = rng.randrange(max(0, number - REACH), number)
            changed = recent[original % REACH].split()
            if rng.random() < 0.5:
                changed[int(rng.random() * len(changed))] = words[int(rng.random() * len(words))]
            text = " ".join(changed)
            planted.append((original, number))
        _remember(recent, number, text)
        yield text


def _remember(recent: list[str], number: int, text: str) -> None:
    if number < REACH:
        recent.append(text)
    else:
        recent[number % REACH] = text
