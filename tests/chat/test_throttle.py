import asyncio
import time

import pytest

from prefkit.chat.pace import Pace
from prefkit.chat.throttle import START, Stopped, Throttle


async def _busy(throttle, requests, admits):
    """Put requests through a throttle to a server that admits so many; what was in flight."""
    seen, admitted = [], 0

    async def one():
        nonlocal admitted
        while True:
            async with throttle.turn():
                sent = time.monotonic()
                seen.append(throttle.flying)
                if admitted < admits:
                    admitted += 1
                    await asyncio.sleep(0.001)
                    admitted -= 1
                    throttle.succeeded()
                    return
                await asyncio.sleep(0)
                throttle.refused(0.0, sent)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(one() for _ in range(requests)))
    return seen


def test_it_begins_with_few_and_reaches_the_most():
    async def run():
        throttle = Throttle(100)
        seen = await _busy(throttle, 1500, 1000)
        return throttle, seen

    throttle, seen = asyncio.run(run())
    assert max(seen[: int(START)]) <= START
    assert throttle.limit == 100
    assert max(seen) <= 100


def test_it_never_begins_above_the_most():
    assert Throttle(3).limit == 3


def test_it_settles_at_what_the_server_takes_with_few_refusals():
    async def run():
        throttle = Throttle(256)
        await _busy(throttle, 4000, 40)
        return throttle

    throttle = asyncio.run(run())
    assert 25 <= throttle.limit <= 45
    assert throttle.refusals <= 0.03 * 4000


def test_it_never_falls_below_one():
    async def run():
        throttle = Throttle(10)
        for _ in range(100):
            throttle.refused(0.0)
            throttle._shrunk = 0.0
        async with throttle.turn():
            return throttle.limit

    assert asyncio.run(run()) == 1.0


def test_a_pause_holds_for_all_and_its_end_is_spread():
    async def run():
        throttle = Throttle(20)
        throttle.refused(0.2)
        began, entered = time.monotonic(), []

        async def one():
            async with throttle.turn():
                entered.append(time.monotonic() - began)

        await asyncio.gather(*(one() for _ in range(8)))
        return entered

    entered = asyncio.run(run())
    assert min(entered) >= 0.19
    assert max(entered) - min(entered) > 0.001


def test_after_stop_nobody_gets_a_turn_and_who_has_one_keeps_it():
    async def run():
        throttle = Throttle(1)
        ends = []

        async def one():
            try:
                async with throttle.turn():
                    await asyncio.sleep(0.05)
                    ends.append("done")
            except Stopped:
                ends.append("stopped")

        tasks = [asyncio.create_task(one()) for _ in range(3)]
        await asyncio.sleep(0.01)
        throttle.stop()
        await asyncio.gather(*tasks)
        return ends, throttle.flying

    assert asyncio.run(run()) == (["stopped", "stopped", "done"], 0)


def test_a_cancelled_wait_gives_its_place_back():
    async def run():
        throttle = Throttle(1)
        async with throttle.turn():
            waiting = asyncio.create_task(throttle._enter())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with throttle.turn():
            return throttle.flying

    assert asyncio.run(run()) == 1


def _windows(pace, monkeypatch, rows):
    """Advice after each window of (latency, limit), at the rate that Little's law gives."""
    clock = [0.0]
    monkeypatch.setattr("prefkit.chat.pace.time.monotonic", lambda: clock[0])
    pace._began = 0.0
    advice = []
    for latency, limit in rows:
        last = None
        for _ in range(max(16, int(limit))):
            clock[0] += latency / limit
            last = pace.landed(latency, limit, full=True) or last
        advice.append(last)
    return advice


def test_a_server_that_queues_is_asked_for_less(monkeypatch):
    rows = [(1.0, 20), (1.0, 40), (2.0, 80), (4.0, 160)]  # it takes 40 at once, whatever it is sent
    assert _windows(Pace(), monkeypatch, rows) == [None, None, None, pytest.approx(128)]


def test_a_server_that_batches_gets_slower_and_more_done_and_is_asked_for_more(monkeypatch):
    rows = [(1.0, 10), (1.5, 20), (2.2, 40), (3.3, 80)]
    assert _windows(Pace(), monkeypatch, rows) == [None] * 4


def test_where_fewer_in_flight_are_not_answered_sooner_the_limit_comes_back(monkeypatch):
    rows = [(1.0, 40), (3.0, 40), (3.0, 32), (3.0, 32), (3.0, 40), (3.0, 40)]
    advice = _windows(Pace(), monkeypatch, rows)
    assert advice[1] == pytest.approx(32)
    assert advice[2:] == [None, 40, None, None]


def test_a_limit_that_was_not_reached_says_nothing():
    pace = Pace()
    assert all(pace.landed(seconds, 8, full=False) is None for seconds in [0.1] * 20 + [9.0] * 40)
