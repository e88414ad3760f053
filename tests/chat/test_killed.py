"""Runs that end before their time: whatever an endpoint has answered is never asked again."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter

import pytest
from chat_server import Answer

IN_FLIGHT = 6
REQUESTS = 80


def script(server, cache, grace=10.0):
    return textwrap.dedent(
        f"""
        import signal
        from pathlib import Path
        from prefkit.chat import Request
        from prefkit.chat.endpoint import EndpointModel
        from prefkit.records import user
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        model = EndpointModel("tiny", base_url={server.url!r}, cache=Path({str(cache)!r}),
                              concurrency={IN_FLIGHT})
        EndpointModel.wind_down.__defaults__ = ({grace},)
        asked = [Request(user(str(n))) for n in range({REQUESTS})]
        try:
            print(len(model.complete(asked)), flush=True)
        except KeyboardInterrupt:
            raise SystemExit(130)
        """
    )


def start(code):
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)


def test_killed_at_any_instant_nothing_that_was_answered_is_paid_for_twice(chat_server, tmp_path):
    chat_server.reply = lambda asked: Answer("fine", delay=0.02)
    code = script(chat_server, tmp_path / "r.sqlite")
    chance = random.Random(5)
    kills = 2
    for number in range(kills):
        process = start(code)
        enough = (number + 1) * 25 + chance.randrange(8)
        until(lambda enough=enough: len(chat_server.asked) >= enough)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate()
    done, _ = start(code).communicate(timeout=60)
    assert done.strip() == str(REQUESTS)
    times = Counter(asked.text for asked in chat_server.asked)
    assert len(times) == REQUESTS
    assert sum(times.values()) - REQUESTS <= kills * IN_FLIGHT  # those that were on their way


def test_after_one_ctrl_c_replies_on_their_way_are_kept(chat_server, tmp_path):
    chat_server.reply = lambda asked: Answer("fine", delay=0.5)
    code = script(chat_server, tmp_path / "r.sqlite")
    process = start(code)
    until(lambda: len(chat_server.asked) >= IN_FLIGHT)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, talk = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"for {IN_FLIGHT} replies that are on their way" in talk
    first = len(chat_server.asked)
    assert first < REQUESTS
    chat_server.reply = lambda asked: "fine"
    done, _ = start(code).communicate(timeout=60)
    assert done.strip() == str(REQUESTS)
    assert len(chat_server.asked) == REQUESTS  # none was asked twice


def test_a_second_ctrl_c_leaves_at_once(chat_server, tmp_path):
    chat_server.reply = lambda asked: Answer("late", delay=30)
    process = start(script(chat_server, tmp_path / "r.sqlite", grace=600.0))
    until(lambda: len(chat_server.asked) >= IN_FLIGHT)
    os.kill(process.pid, signal.SIGINT)
    assert "Ctrl-C leaves at once" in process.stderr.readline()
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=25)  # sooner than the server answers
    assert process.returncode == 130


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_judge_run_stopped_and_resumed_asks_for_nothing_twice(chat_server, workspace, stop):
    from prefkit.records import Candidate, Example, assistant, user
    from prefkit.storage import write_jsonl

    examples = [Example(prompt=user(f"q{n}"), reference="r", kind="x") for n in range(30)]
    candidates = [
        Candidate(prompt_id=one.id, completion=assistant(f"{word} of {n}"), model="m", seed=0)
        for n, one in enumerate(examples)
        for word in ("noon", "dusk")
    ]
    write_jsonl(workspace.root / "examples.jsonl", examples)
    write_jsonl(workspace.root / "candidates.jsonl", candidates)
    chat_server.reply = lambda asked: Answer("A", delay=0.05)
    command = [sys.executable, "-c", "from prefkit.cli import main; import signal;"]
    command[-1] += "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
    command += ["judge", "candidates.jsonl", "--examples", "examples.jsonl"]
    command += ["--judge", "helpfulness", "--model", "openai:tiny", "--base-url", chat_server.url]
    command += ["--concurrency", "4"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    until(lambda: len(chat_server.asked) >= 20)
    os.kill(process.pid, stop)
    process.communicate(timeout=30)
    done = subprocess.run([*command, "--resume", "last"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "calls/s, price unknown" in done.stderr or "judge:" in done.stderr
    times = Counter(str(asked.body["messages"]) for asked in chat_server.asked)
    assert len(times) == 60
    assert sum(times.values()) - 60 <= (4 if stop == signal.SIGKILL else 0)
