"""One tool, in its own environment: `python tools.py NAME CORPUS FOUND`.

Reads the column `text` of a Parquet file and stores the pairs the tool calls near duplicates at
Jaccard 0.7 of 3-word shingles, as an int64 array of shape (pairs, 2). Where a tool only says which
record another yields to, or which group it is in, the pair is the record and that one.
"""

import re
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

THRESHOLD = 0.7
WORD = re.compile(r"[^\W_]+")
BATCH = 10_000
Pairs = list[tuple[int, int]]


def shingles(text: str) -> set[str]:
    """Distinct 3-word shingles of a text of three words or more."""
    words = WORD.findall(text.casefold())
    return {" ".join(gram) for gram in zip(words, words[1:], words[2:], strict=False)}


def prefkit(path: Path) -> np.ndarray:
    """Ours: every pair, verified."""
    from prefkit.cleaning.near_duplicates import near_pairs

    found = near_pairs(pq.ParquetFile(path).read(["text"])["text"], THRESHOLD)
    return np.stack((found.left, found.right), axis=1)


def rensa(path: Path) -> Pairs:
    """Its deduplicator with 128 permutations in 32 bands, fed in batches."""
    from rensa import RMinHash, RMinHashDeduplicator

    seen = RMinHashDeduplicator(THRESHOLD, 128, use_lsh=True, num_bands=32)
    found: Pairs = []
    for begin, texts in _batches(path):
        tokens = [list(shingles(text)) for text in texts]
        for at, one in enumerate(RMinHash.from_token_sets(tokens, 128, 42), begin):
            if not seen.add(str(at), one):
                found += [(int(key), at) for key in seen.get_duplicates(one)[:1]]
    return found


def datasketch(path: Path) -> Pairs:
    """128 permutations, the bands it chooses for the threshold."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    found: Pairs = []
    for begin, texts in _batches(path):
        rows = [[gram.encode() for gram in shingles(text)] for text in texts]
        for at, one in enumerate(MinHash.bulk(rows, num_perm=128), begin):
            found += [(other, at) for other in index.query(one)]
            index.insert(at, one)
    return found


def text_dedup(path: Path) -> Pairs:
    """Its command with 128 permutations, the bands it chooses, on two processes."""
    from text_dedup import minhash

    with tempfile.TemporaryDirectory() as folder:
        source = ["--path", "parquet", "--data_files", str(path), "--split", "train"]
        target = ["--cache_dir", f"{folder}/cache", "--output", f"{folder}/kept"]
        method = ["--ngram", "3", "--num_perm", "128", "--threshold", str(THRESHOLD)]
        arguments = [*source, *target, "--column", "text", *method, "--num_proc", "2"]
        minhash.main(arguments, standalone_mode=False)
    grouped = [(minhash.uf.find(at), at) for at in list(minhash.uf.parent)]
    return [(first, at) for first, at in grouped if first != at]


def _batches(path: Path) -> Iterator[tuple[int, list[str]]]:
    begin = 0
    for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=["text"]):
        texts = batch["text"].to_pylist()
        yield begin, texts
        begin += len(texts)


TOOLS: dict[str, Callable[[Path], Pairs | np.ndarray]] = {
    "prefkit": prefkit,
    "rensa": rensa,
    "datasketch": datasketch,
    "text-dedup": text_dedup,
}


def main() -> None:
    """Run the tool named on the command line."""
    name, corpus, found = sys.argv[1:]
    pairs = TOOLS[name](Path(corpus))
    np.save(found, np.array(pairs, np.int64).reshape(-1, 2))
    own, its = (
        resource.getrusage(whose).ru_maxrss
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    Path(found).with_suffix(".peak").write_text(str(max(own, its) // 1024))


if __name__ == "__main__":
    main()
