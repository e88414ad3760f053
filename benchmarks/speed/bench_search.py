"""How fast the SQL search engine of the embedded Argilla server is, on SQLite and PostgreSQL.

In the server's environment (`annotation/server/requirements.txt`):

    PYTHONPATH=annotation/server python benchmarks/speed/bench_search.py [records ...]

Records are as wide as ours are: a prompt, a chat, two completions (some 250 words), four metadata
properties, two suggestions, and responses of three annotators to half of them; and a vector of 384.
Every case runs 30 times with other words, users and pages. `cpu` is the processor time of this
process for the same rounds: on a busy machine it tells more than the clock (of PostgreSQL it holds
only our side). PostgreSQL comes from Debian's package and is started for the run; without it SQLite
is measured alone. Sizes that are not asked for keep their figures from the last run.
"""

import asyncio
import itertools
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 30
HTTP_ROUNDS = 10
DIMENSIONS = 384
TARGET = 100  # ms

sys.path[:0] = [str(ROOT / "tests" / "annotation" / "engine"), str(ROOT / "annotation" / "server")]


def main() -> None:
    """Measure every size on every database, print a table and store it."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    from postgresql_server import binaries, new_database, started

    stored = RESULTS / "search.json"
    results = json.loads(stored.read_text(encoding="utf-8"))["runs"] if stored.exists() else {}
    with tempfile.TemporaryDirectory(prefix="prefkit-bench-") as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.db"
            results[f"sqlite {size}"] = child(f"sqlite:///{path}", size)
            path.unlink()
        found = binaries()
        if found is None:
            print("PostgreSQL is not installed: measuring SQLite alone")
        else:
            with started(found, "shared_buffers=512MB") as server:
                for size in sizes:
                    url = new_database(server, f"bench_{size}")
                    results[f"postgresql {size}"] = child(url, size)
    body = table(results)
    print(body)
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("search.md").write_text(body + "\n", encoding="utf-8")
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    text = json.dumps({"target_p95_ms": TARGET, **machine, "runs": results}, indent=2)
    stored.write_text(text + "\n", encoding="utf-8")


def child(url: str, size: int) -> dict:
    """One database in a process of its own: Argilla's settings hold for a whole process."""
    with tempfile.TemporaryDirectory(prefix="prefkit-home-") as home:
        environment = {
            **os.environ,
            "ARGILLA_DATABASE_URL": url,
            "ARGILLA_HOME_PATH": home,
            "ARGILLA_SEARCH_ENGINE": "sql",
            "HF_HUB_OFFLINE": "1",
        }
        migrate = [sys.executable, "-m", "argilla_server", "database", "migrate"]
        subprocess.run(migrate, env=environment, check=True, capture_output=True, timeout=120)
        report = Path(home) / "report.json"
        own = [sys.executable, __file__, "--child", url, str(size), str(report)]
        subprocess.run(own, env=environment, check=True, timeout=1800)
        return json.loads(report.read_text(encoding="utf-8"))


# In the child


class Words:
    """Text in which words are as unevenly frequent as in a language."""

    def __init__(self) -> None:
        rng = random.Random(7)
        syllables = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "an")]
        made = {"".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(40_000)}
        self.known = sorted(made)
        rng.shuffle(self.known)
        self.weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(40_000)))
        del self.weights[len(self.known) :]

        said = rng.choices(self.known, cum_weights=self.weights, k=250_000)
        self.pieces = [" ".join(said[at : at + 5]) for at in range(0, len(said), 5)]

    def text(self, rng: random.Random, words: int) -> str:
        """So many words."""
        return " ".join(rng.choices(self.pieces, k=words // 5))

    def common(self, rng: random.Random) -> str:
        """A word that stands in almost every record."""
        return self.known[rng.randrange(20)]

    def usual(self, rng: random.Random) -> str:
        """A word of some hundreds or thousands of records in 100,000."""
        return self.known[rng.randrange(500, 1500)]

    def rare(self, rng: random.Random) -> str:
        """A word of a few records."""
        return self.known[rng.randrange(20_000, len(self.known))]


class Filled:
    """A dataset of some size in a database."""

    def __init__(self, url: str, size: int) -> None:
        from world import World

        self.world = World(url)
        self.words = Words()
        self.made = self.world.dataset(
            fields={"prompt": "text", "context": "chat", "a": "text", "b": "text"},
            questions={
                "better": "label_selection",
                "quality": "rating",
                "flaws": "multi_label_selection",
            },
            metadata={
                "source": "terms",
                "difficulty": "float",
                "length": "integer",
                "split": "terms",
            },
            vectors={"v": DIMENSIONS},
        )
        self.users = [self.world.user() for _ in range(3)]
        self.size = size
        self.rng = random.Random(3)
        began = time.perf_counter()
        for start in range(0, size, 1000):
            self._insert(range(start, min(size, start + 1000)))
        self.insert_seconds = time.perf_counter() - began

    def _insert(self, numbers: range) -> None:
        import numpy as np
        from argilla_server.models import Record, Response, Suggestion, Vector
        from sqlalchemy import insert
        from world import EPOCH

        rng, made = self.rng, self.made
        noise = np.random.default_rng(numbers.start).normal(size=(len(numbers), DIMENSIONS))
        vectors = noise.round(4).tolist()
        ids = [UUID(int=rng.getrandbits(128), version=4) for _ in numbers]
        times = [EPOCH + timedelta(seconds=number) for number in numbers]
        records = [
            self._record(rng, number, id, at)
            for number, id, at in zip(numbers, ids, times, strict=True)
        ]
        stamps = [{"inserted_at": at, "updated_at": at} for at in times]
        suggestions = [
            {
                "record_id": id,
                "question_id": made.questions[name].id,
                "value": value,
                "score": round(rng.random(), 3),
                "agent": rng.choice(["judge", "rules"]),
                "type": "model",
                **stamp,
            }
            for id, stamp in zip(ids, stamps, strict=True)
            for name, value in (("better", rng.choice("AB")), ("quality", rng.randint(1, 5)))
        ]
        responses = [
            {
                "record_id": id,
                "user_id": user.id,
                "status": rng.choice(["submitted"] * 8 + ["discarded", "draft"]),
                "values": {
                    "better": {"value": rng.choice("AB")},
                    "quality": {"value": rng.randint(1, 5)},
                    "flaws": {"value": rng.sample(["long", "wrong", "rude", "vague"], 2)},
                },
                **stamp,
            }
            for id, stamp in zip(ids, stamps, strict=True)
            if rng.random() < 0.5
            for user in self.users
        ]
        packed = [
            {"record_id": id, "vector_settings_id": made.vectors["v"].id, "value": value, **stamp}
            for id, stamp, value in zip(ids, stamps, vectors, strict=True)
        ]
        with self.world.session() as session, session.begin():
            for model, rows in (
                (Record, records),
                (Suggestion, suggestions),
                (Response, responses),
                (Vector, packed),
            ):
                if rows:
                    session.execute(insert(model), rows)

    def _record(self, rng: random.Random, number: int, id: UUID, at: datetime) -> dict:
        text = self.words.text
        chat = [{"role": role, "content": text(rng, 30)} for role in ("user", "assistant", "user")]
        return {
            "id": id,
            "fields": {
                "prompt": text(rng, 30),
                "context": chat,
                "a": text(rng, 65),
                "b": text(rng, 65),
            },
            "metadata_": {
                "source": f"source-{rng.randrange(40)}",
                "difficulty": round(rng.random(), 4),
                "length": rng.randrange(2000),
                "split": rng.choice(["train"] * 9 + ["test"]),
            },
            "external_id": f"r{number}",
            "dataset_id": self.made.dataset.id,
            "status": rng.choice(["completed", "pending"]),
            "inserted_at": at,
            "updated_at": at,
        }


Case = Callable[[random.Random], Awaitable[object]]


def cases(filled: Filled) -> Iterator[tuple[str, Case]]:
    """What an annotator and an owner do, by name."""
    from world import (
        asc,
        between,
        both,
        desc,
        of_metadata,
        of_record,
        of_response,
        of_status,
        of_suggestion,
        terms,
    )

    made, words, engine = filled.made, filled.words, filled.world.engine
    dataset, users = made.dataset, filled.users

    def search(**arguments: object) -> Awaitable[object]:
        return engine.search(dataset, limit=50, **arguments)

    def deep(rng: random.Random) -> int:
        return rng.randrange(filled.size // 2, filled.size)

    yield "no query", lambda rng: search()
    yield "word, very common", lambda rng: search(query=words.common(rng))
    yield "word, usual", lambda rng: search(query=words.usual(rng))
    yield "word, rare", lambda rng: search(query=words.rare(rng))
    yield (
        "three usual words by OR",
        lambda rng: search(query=" | ".join(words.usual(rng) for _ in range(3))),
    )
    yield (
        "common word without another",
        lambda rng: search(query=f"{words.common(rng)} -{words.usual(rng)}"),
    )
    yield (
        "phrase of two common words",
        lambda rng: search(query=f'"{words.common(rng)} {words.common(rng)}"'),
    )
    yield "loose phrase", lambda rng: search(query=f'"{words.usual(rng)} {words.usual(rng)}"~5')
    yield "prefix of three letters", lambda rng: search(query=words.usual(rng)[:3] + "*")
    yield "misspelt word", lambda rng: search(query=words.usual(rng) + "x~1")
    yield (
        "word, usual, shuffled",
        lambda rng: search(query=words.usual(rng), user_id=rng.choice(users).id),
    )
    yield (
        "pending for me, shuffled, page 1",
        lambda rng: search(
            filter=terms(of_status(u := rng.choice(users)), "pending"), user_id=u.id
        ),
    )
    yield (
        "pending for me, record pending, shuffled",
        lambda rng: search(
            filter=both(
                terms(of_record("status"), "pending"),
                terms(of_status(u := rng.choice(users)), "pending"),
            ),
            user_id=u.id,
        ),
    )
    yield "shuffled, page 1", lambda rng: search(user_id=rng.choice(users).id)
    yield "shuffled, deep page", lambda rng: search(user_id=rng.choice(users).id, offset=deep(rng))
    yield (
        "filter: submitted by me",
        lambda rng: search(filter=terms(of_status(rng.choice(users)), "submitted")),
    )
    yield (
        "filter: response, any user",
        lambda rng: search(filter=terms(of_response("flaws"), "rude")),
    )
    yield (
        "filter: response, range, one user",
        lambda rng: search(filter=between(of_response("quality", rng.choice(users)), 4, 5)),
    )
    yield (
        "filter: suggestion",
        lambda rng: search(filter=terms(of_suggestion("better"), rng.choice("AB"))),
    )
    yield (
        "filter: suggestion score",
        lambda rng: search(filter=between(of_suggestion("better", "score"), 0.4, 0.6)),
    )
    yield (
        "filter: metadata term",
        lambda rng: search(filter=terms(of_metadata("source"), f"source-{rng.randrange(40)}")),
    )
    yield (
        "filter: metadata range",
        lambda rng: search(filter=between(of_metadata("length"), 100, 1500)),
    )
    yield "sort: metadata", lambda rng: search(sort=[asc(of_metadata("difficulty"))])
    yield (
        "sort: metadata, deep page",
        lambda rng: search(sort=[desc(of_metadata("length"))], offset=deep(rng)),
    )
    yield "sort: suggestion score", lambda rng: search(sort=[asc(of_suggestion("better", "score"))])
    yield (
        "sort: response, my own",
        lambda rng: search(sort=[desc(of_response("quality", rng.choice(users)))]),
    )
    yield "sort: response, mean of all", lambda rng: search(sort=[desc(of_response("quality"))])
    yield "sort: newest", lambda rng: search(sort=[desc(of_record("inserted_at"))])
    yield (
        "filter and sort",
        lambda rng: search(
            filter=terms(of_metadata("split"), "train"), sort=[asc(of_metadata("difficulty"))]
        ),
    )
    yield "progress", lambda rng: engine.get_dataset_progress(dataset)
    yield (
        "progress of a user",
        lambda rng: engine.get_dataset_user_progress(dataset, rng.choice(users)),
    )
    yield "metadata terms", lambda rng: engine.compute_metrics_for(made.metadata["source"])
    yield "metadata extremes", lambda rng: engine.compute_metrics_for(made.metadata["difficulty"])
    settings = made.vectors["v"]

    def similar(rng: random.Random, **arguments: object) -> Awaitable[object]:
        value = [rng.gauss(0, 1) for _ in range(DIMENSIONS)]
        return engine.similarity_search(dataset, settings, value=value, max_results=50, **arguments)

    yield "similar", similar
    yield "similar, filtered", lambda rng: similar(rng, filter=terms(of_metadata("split"), "train"))


async def timed(case: Case, rounds: int) -> list[tuple[float, float]]:
    """Milliseconds (clock, processor) of each round, after one to warm up; fewer when slow."""
    await case(random.Random(99))
    taken = []
    for number in range(rounds):
        began, worked = time.perf_counter(), time.process_time()
        await case(random.Random(number))
        clock, processor = time.perf_counter() - began, time.process_time() - worked
        taken.append((clock * 1000, processor * 1000))
        if sum(clock for clock, _ in taken) > 10_000:
            break
    return taken


def percentiles(taken: list[tuple[float, float]]) -> dict:
    """The usual two of the clock, and the processor's mean."""
    clock = [each for each, _ in taken]
    p95 = statistics.quantiles(clock, n=20)[-1] if len(clock) > 1 else clock[0]
    return {
        "p50": round(statistics.median(clock), 1),
        "p95": round(min(p95, max(clock)), 1),
        "cpu": round(statistics.mean(processor for _, processor in taken), 1),
    }


async def over_http(filled: Filled) -> dict:
    """Whole requests through Argilla's application, records and all, without a network."""
    import httpx
    from argilla_server._app import app

    user = filled.users[0]
    path = f"/api/v1/me/datasets/{filled.made.dataset.id}/records/search"
    member(filled, user)
    headers = {"X-Argilla-Api-Key": user.api_key}
    pending = {
        "type": "terms",
        "scope": {"entity": "response", "property": "status"},
        "values": ["pending"],
    }
    bodies = {
        "http: pending for me": {"filters": {"and": [pending]}},
        "http: word, usual": {"query": {"text": {"q": filled.words.usual(random.Random(1))}}},
    }
    transport = httpx.ASGITransport(app=app)
    report = {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bench", headers=headers
    ) as client:
        for name, body in bodies.items():

            async def ask(_: random.Random, body: dict = body) -> None:
                answer = await client.post(
                    path, json=body, params={"limit": 10, "include": "responses"}
                )
                answer.raise_for_status()

            report[name] = percentiles(await timed(ask, HTTP_ROUNDS))
    return report


def member(filled: Filled, user: object) -> None:
    """Let the annotator into the dataset's workspace."""
    from argilla_server.models import WorkspaceUser

    filled.world.save(WorkspaceUser(workspace_id=filled.made.dataset.workspace_id, user_id=user.id))


def measure(url: str, size: int) -> dict:
    """All figures of one database."""
    from prefkit_argilla.engine import indexing

    filled = Filled(url, size)
    database = filled.world.database
    began = time.perf_counter()
    while not indexing.catch_up(database, wait=30):
        pass
    indexing_seconds = time.perf_counter() - began
    if not database.is_sqlite:
        with database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.exec_driver_sql(
                "VACUUM ANALYZE"
            )  # what autovacuum does by itself in a minute
    report = {
        "inserted_per_second": round(size / filled.insert_seconds),
        "indexed_per_second": round(size / indexing_seconds),
        **sizes_on_disk(database),
        "cases": {},
    }
    only = os.environ.get("BENCH_ONLY", "")
    dialect = database.engine.dialect.name

    async def all_cases() -> None:
        for name, case in cases(filled):
            if only in name:
                report["cases"][name] = figures = percentiles(await timed(case, ROUNDS))
                print(f"{dialect:<10} {size:>7} {name:<42} {figures}", flush=True)
        report["cases"].update(await over_http(filled))

    asyncio.run(all_cases())
    report["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return report


def sizes_on_disk(database: object) -> dict:
    """Megabytes of Argilla's tables and of ours beside them."""
    ours = "CASE WHEN name LIKE 'prefkit%' THEN 1 ELSE 0 END AS ours"
    tables = "SELECT name, pgsize AS size FROM dbstat"
    if not database.is_sqlite:
        tables = (
            "SELECT relname AS name, pg_total_relation_size(oid) AS size FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    from prefkit_argilla.engine.database import rows

    with database.reading() as connection:
        sql = f"SELECT {ours}, sum(size) AS bytes FROM ({tables}) AS sized GROUP BY 1"
        found = {row.ours: round(float(row.bytes) / 1e6) for row in rows(connection, sql)}
    return {"argilla_mb": found.get(0, 0), "ours_mb": found.get(1, 0)}


# The table


def table(results: dict) -> str:
    """Markdown: a line for each case, p50 / p95 in ms for each database and size."""
    heads = sorted(results, key=lambda head: (head.split()[0] != "sqlite", int(head.split()[1])))
    results = {head: results[head] for head in heads}
    names = list(dict.fromkeys(name for run in results.values() for name in run["cases"]))
    lines = [
        "| p50 / p95 (cpu) in ms | " + " | ".join(heads) + " |",
        "|---|" + "---:|" * len(heads),
    ]
    for name in names:
        cells = [run["cases"].get(name) for run in results.values()]
        said = [f"{c['p50']:g} / {c['p95']:g} ({c['cpu']:g})" if c else "" for c in cells]
        lines.append(f"| {name} | " + " | ".join(said) + " |")
    for name in (
        "inserted_per_second",
        "indexed_per_second",
        "argilla_mb",
        "ours_mb",
        "peak_memory_mb",
    ):
        cells = [f"{run[name]:,}" for run in results.values()]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _, _, child_url, child_size, child_report = sys.argv
        Path(child_report).write_text(
            json.dumps(measure(child_url, int(child_size))), encoding="utf-8"
        )
    else:
        main()
