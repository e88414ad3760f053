import sqlite3
import subprocess
import sys
import textwrap

import pytest

from prefkit.chat.replies import Paid, ReplyCache
from prefkit.errors import PrefkitError

KEYS = [f"{number:064x}" for number in range(300)]
BODY = '{"choices": [{"message": {"content": "ä 漢字 ' + "at noon the tide turns " * 40 + '"}}]}'


def paid(key, body=BODY, **more):
    return Paid("host", "tiny", key, body, **more)


def test_what_is_put_comes_back_and_what_is_not_does_not(tmp_path):
    cache = ReplyCache(tmp_path / "r.sqlite")
    cache.put([paid(KEYS[0]), paid(KEYS[1], "\ud800 lone")])
    assert cache.get(KEYS[0]) == BODY
    assert cache.get(KEYS[1]) == "\ud800 lone"
    assert cache.get(KEYS[2]) is None
    cache.close()


def test_what_was_stored_first_stays(tmp_path):
    cache = ReplyCache(tmp_path / "r.sqlite")
    cache.put([paid(KEYS[0], "first"), paid(KEYS[0], "second")])
    assert cache.get(KEYS[0]) == "first"
    cache.close()


def _plain(path):
    """A cache as prefkit 0.1 made it."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "CREATE TABLE replies (key TEXT PRIMARY KEY, endpoint TEXT NOT NULL,"
            " model TEXT NOT NULL, asked REAL NOT NULL, body TEXT NOT NULL) WITHOUT ROWID"
        )
        rows = [(key, "host", "tiny", 1.0, f"{key} {BODY}") for key in KEYS]
        database.executemany("INSERT INTO replies VALUES (?, ?, ?, ?, ?)", rows)
    database.close()


def test_an_older_cache_loses_no_reply(tmp_path):
    path = tmp_path / "r.sqlite"
    _plain(path)
    cache = ReplyCache(path)
    assert [cache.get(key) for key in KEYS] == [f"{key} {BODY}" for key in KEYS]
    cache.put([paid("ff" * 32)])
    cache.close()
    again = ReplyCache(path)
    assert again.get("ff" * 32) == BODY
    again.close()


def test_two_processes_may_move_and_fill_an_older_cache_at_once(tmp_path):
    path = tmp_path / "r.sqlite"
    _plain(path)
    script = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from prefkit.chat.replies import Paid, ReplyCache
        cache, me = ReplyCache(Path({str(path)!r})), sys.argv[1]
        for number in range(200):
            key = me + f"{{number:063x}}"
            cache.put([Paid("host", "tiny", key, me, "run", 1, 2)])
        print(cache.get({KEYS[7]!r})[:64])
        """
    )
    made = [
        subprocess.Popen([sys.executable, "-c", script, me], stdout=subprocess.PIPE, text=True)
        for me in "ab"
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in made] == [KEYS[7]] * 2
    cache = ReplyCache(path)
    assert all(cache.get(f"{me}{number:063x}") == me for me in "ab" for number in range(200))
    assert cache.spent("run") == [("tiny", 400, 400, 800)]
    cache.close()


def test_replies_are_stored_smaller_than_they_are(tmp_path):
    path = tmp_path / "r.sqlite"
    cache = ReplyCache(path)
    cache.put(paid(key) for key in KEYS)
    cache.close()
    assert path.stat().st_size < 0.7 * len(KEYS) * len(BODY)


def test_spending_is_kept_by_run_even_when_nothing_came_that_is_worth_keeping(tmp_path):
    cache = ReplyCache(tmp_path / "r.sqlite")
    cache.put([paid(KEYS[0], run="one", prompt_tokens=10, completion_tokens=3)])
    cache.put([Paid("host", "tiny", run="one", prompt_tokens=5)])
    cache.put([Paid("host", "big", run="one", prompt_tokens=1), paid(KEYS[1], run="two")])
    assert sorted(cache.spent("one")) == [("big", 1, 1, 0), ("tiny", 2, 15, 3)]
    assert cache.spent("three") == []
    cache.close()


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PrefkitError, match="the request cache cannot be used"):
        ReplyCache(tmp_path / "file" / "r.sqlite").get(KEYS[0])
