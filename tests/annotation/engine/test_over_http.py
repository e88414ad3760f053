"""Through Argilla's own application: what its API stores, its API finds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def answers(database_url, tmp_path_factory):
    """What the API answered, in a process whose settings name this database."""
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "over_http.py", home / "answers.json"],
        env={
            **os.environ,
            # Argilla would mend a missing driver's name in the file's path as well.
            "ARGILLA_DATABASE_URL": database_url.replace("sqlite:", "sqlite+aiosqlite:", 1),
            "ARGILLA_HOME_PATH": str(home),
            "ARGILLA_SEARCH_ENGINE": "sql",
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((home / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("word", ["fox"]),
        ("phrase", ["fox"]),
        ("chat", ["dog"]),
        ("one field", []),
        ("not", ["dog"]),
        ("metadata", ["dog"]),
        ("suggestion", ["fox"]),
        ("sorted", ["dog", "fox"]),
        ("dates", ["dog", "fox"]),
        ("submitted by me", ["fox"]),
        ("pending for me", ["dog"]),
        ("similar", ["dog", "fox"]),
        ("similar to a record", ["dog"]),
        ("after an update", ["dog"]),
        ("after a deletion", []),
    ],
)
def test_the_api_finds(answers, asked, names):
    found = answers[asked]
    ordered = asked.startswith(("sorted", "similar"))
    got = found["names"] if ordered else sorted(found["names"])
    assert (got, found["total"]) == (names, len(names))


def test_the_api_refuses_what_cannot_be_searched_with_a_reason(answers):
    assert answers["bad date"]["status"] == 422
    assert "date" in answers["bad date"]["detail"]


def test_the_api_tells_progress_and_metrics(answers):
    progress = answers["progress"]
    assert (progress["total"], progress["completed"], progress["pending"]) == (2, 1, 1)
    mine = answers["my progress"]
    assert (mine["total"], mine["submitted"], mine["pending"]) == (2, 1, 1)
    assert answers["metrics"]["values"] == [
        {"term": "book", "count": 1},
        {"term": "web", "count": 1},
    ]


def test_argillas_own_command_builds_the_index_again(answers):
    assert answers["after reindexing"]["names"] == ["dog"]
