import functools
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from prefkit.engine import Flow, Part, open_engine
from prefkit.engine.parts import is_whole, write_pieces
from prefkit.errors import PrefkitError


def numbers(begin):
    return pa.table({"n": list(range(begin, begin + 10))})


def doubled(table):
    return pa.table({"n": [2 * n for n in table["n"].to_pylist()]})


def by_remainder(table, buckets):
    return [
        pa.table(
            {"n": pa.array([n for n in table["n"].to_pylist() if n % buckets == bucket], "i8")}
        )
        for bucket in range(buckets)
    ]


def summed(table):
    return pa.table({"n": [sum(table["n"].to_pylist())]})


def refuses(table):
    raise PrefkitError(f"found {table['n'][0].as_py()}")


def dies_once(begin, marker):
    if begin == 20 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return numbers(begin)


def dies(_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(params=[1, 2])
def flow(tmp_path, request):
    engine = open_engine("local", request.param)
    yield Flow(engine, tmp_path / "work", quiet=True)
    engine.close()


def values(part):
    return part.table()["n"].to_pylist()


def all_values(parts):
    return list(itertools.chain.from_iterable(map(values, parts)))


def test_map_shuffle_and_reduce(flow):
    parts = flow.map("numbers", numbers, range(0, 60, 10))
    assert [values(part) for part in parts] == [list(range(n, n + 10)) for n in range(0, 60, 10)]
    twice = flow.map("doubled", doubled, parts)
    buckets = flow.shuffle("by-remainder", by_remainder, twice, 3)
    assert [{n % 3 for n in values(bucket)} for bucket in buckets] == [{0}, {1}, {2}]
    assert sorted(all_values(buckets)) == list(range(0, 120, 2))
    assert values(flow.reduce("sum", summed, twice)) == [sum(range(0, 120, 2))]


def test_what_is_made_is_not_made_again(flow):
    parts = flow.map("numbers", numbers, [0, 10])
    again = flow.map("numbers", refuses, [0, 10])
    assert [values(part) for part in again] == [values(part) for part in parts]
    (flow.folder / "numbers.000001.arrow").write_bytes(b"torn by a power cut")
    assert values(flow.map("numbers", numbers, [0, 10])[1]) == list(range(10, 20))
    flow.forget("numbers")
    assert not list(flow.folder.glob("numbers.*"))


def test_the_error_of_a_task_reaches_the_caller(flow):
    parts = flow.map("numbers", numbers, [0, 10, 20])
    with pytest.raises(PrefkitError, match="found"):
        flow.map("refuses", refuses, parts)
    assert not list(flow.folder.glob("refuses.*"))


def test_tasks_of_a_killed_worker_are_made_again(tmp_path):
    engine = open_engine("local", 2)
    flow = Flow(engine, tmp_path / "work", quiet=True)
    parts = flow.map("numbers", dies_once, range(0, 40, 10), tmp_path / "died")
    assert (tmp_path / "died").exists()
    assert all_values(parts) == list(range(40))
    engine.close()


def test_workers_that_always_die_are_one_clear_error(tmp_path):
    engine = open_engine("local", 2)
    with pytest.raises(PrefkitError, match="killed again and again") as error:
        Flow(engine, tmp_path / "work", quiet=True).map("dies", dies, [1, 2])
    assert "--resume last" in error.value.hint
    engine.close()


ORPHANS = """
import functools, os, pathlib, sys, time
from prefkit.engine import open_engine

def sleeps(folder, number):
    (folder / str(os.getpid())).touch()
    time.sleep(60)

if __name__ == "__main__":
    calls = [functools.partial(sleeps, pathlib.Path(sys.argv[1]), n) for n in range(2)]
    list(open_engine("local", 2).run(calls, lambda call: False))
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "pids").mkdir()
    (tmp_path / "orphans.py").write_text(ORPHANS)
    command = [sys.executable, str(tmp_path / "orphans.py"), str(tmp_path / "pids")]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (pids := [int(path.name) for path in (tmp_path / "pids").iterdir()]):
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    for pid in pids:
        for _ in range(200):
            if not is_alive(pid):
                break
            time.sleep(0.05)
        assert not is_alive(pid)


def is_alive(pid):
    """Whether a process runs; one that only waits for its parent's ear does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path):
    flow = Flow(open_engine("local", 1), tmp_path / "work", quiet=True)
    flow.engine.run = lambda calls, done: (flow.folder.rmdir() or call() for call in calls)
    with pytest.raises(PrefkitError, match="not seen by the worker"):
        flow.map("numbers", numbers, [0])


def test_pieces_of_a_file_are_read_alone_and_in_order(tmp_path):
    path = tmp_path / "pieces.arrow"
    write_pieces(path, [numbers(0), numbers(0).slice(0, 0), numbers(10)])
    assert is_whole(path)
    assert values(Part((str(path),), 1)) == []
    assert values(Part((str(path),), 2)) == list(range(10, 20))
    assert values(Part((str(path), str(path)))) == [*range(20), *range(20)]


def test_partial_functions_can_be_steps(flow):
    parts = flow.map("numbers", functools.partial(numbers), [0])
    assert values(parts[0]) == list(range(10))
