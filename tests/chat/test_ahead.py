import threading
import time

import pytest
from chat_server import Answer

from prefkit.chat import Request
from prefkit.chat.ahead import ahead
from prefkit.chat.endpoint import EndpointModel
from prefkit.errors import PrefkitError
from prefkit.records import user


class Local:
    """A model in this process: no concurrency."""


class Remote:
    """What `ahead` needs of an endpoint's model."""

    concurrency = 8

    def __init__(self):
        self.ended = threading.Event()

    def wind_down(self):
        self.ended.set()


def test_a_local_model_works_on_one_unit_after_the_other():
    at_work = []

    def work(unit):
        at_work.append(threading.current_thread())
        return unit * 2

    with ahead(Local(), [1, 2, 3], work, calls=8) as results:
        assert list(results) == [(1, 2), (2, 4), (3, 6)]
    assert set(at_work) == {threading.main_thread()}


def test_results_come_in_order_whichever_is_ready_first():
    def work(unit):
        time.sleep(0.002 * (10 - unit))
        return -unit

    with ahead(Remote(), range(10), work, calls=1) as results:
        assert list(results) == [(unit, -unit) for unit in range(10)]


def test_a_slow_unit_does_not_keep_others_from_beginning():
    begun, gate = set(), threading.Event()

    def work(unit):
        begun.add(unit)
        if unit == 0:
            gate.wait(20)
        return unit

    with ahead(Remote(), range(100), work, calls=8) as results:
        first = threading.Thread(target=lambda: next(results))
        first.start()
        deadline = time.monotonic() + 20
        while len(begun) < 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        gate.set()
        first.join()
    assert {0, 1, 2} <= begun


def test_no_more_is_begun_than_is_wanted():
    begun, taken = [], []

    def work(unit):
        begun.append(unit)
        return unit

    with ahead(Remote(), range(50), work, calls=1, wanted=lambda: 3 - len(taken)) as results:
        for unit, _ in results:
            taken.append(unit)
            if len(taken) == 3:
                break
    assert begun == [0, 1, 2]


def test_an_error_of_a_unit_comes_after_the_units_before_it():
    def work(unit):
        if unit == 2:
            raise PrefkitError("stop here")
        return unit

    seen = []
    with (
        pytest.raises(PrefkitError, match="stop here"),
        ahead(Remote(), range(9), work, calls=1) as results,
    ):
        seen += results
    assert len(seen) <= 2


def test_leaving_early_winds_down_only_what_is_at_work():
    gate, model = threading.Event(), Remote()

    def work(unit):
        if unit:
            gate.wait(20)
        return unit

    with ahead(model, range(5), work, calls=1) as results:
        assert next(results) == (0, 0)
        threading.Timer(0.05, gate.set).start()
    assert model.ended.is_set()
    calm = Remote()
    with ahead(calm, range(5), lambda unit: unit, calls=1) as results:
        list(results)
    assert not calm.ended.is_set()


def test_whichever_unit_is_first_in_line_the_reason_for_stopping_is_what_is_said(chat_server):
    def script(asked):
        if asked.text == "bad":
            return Answer(status=402, message="no credit", delay=0.1)
        return Answer("fine", delay=0.3)

    chat_server.reply = script
    model = EndpointModel("tiny", base_url=chat_server.url, concurrency=3, backoff=0.01)

    def work(unit):
        texts = ["bad"] if unit == 1 else [f"{unit} {number}" for number in range(9)]
        return model.complete([Request(user(text)) for text in texts])

    with (
        pytest.raises(PrefkitError, match="no credit"),
        ahead(model, range(9), work, calls=1) as results,
    ):
        list(results)
    assert len(chat_server.asked) < 20


def test_units_at_an_endpoint_share_its_places_and_a_reply_on_its_way_is_kept(
    chat_server, tmp_path
):
    chat_server.reply = lambda asked: Answer(asked.text, delay=0.3 if asked.text == "5" else 0.01)
    cache = tmp_path / "r.sqlite"
    model = EndpointModel("tiny", base_url=chat_server.url, concurrency=6, cache=cache)

    def work(unit):
        return [reply.text for reply in model.complete([Request(user(str(unit)))])]

    with ahead(model, range(6), work, calls=1) as results:
        assert next(results) == (0, ["0"])
    assert chat_server.most_at_once > 1
    asked = {asked.text for asked in chat_server.asked}
    again = EndpointModel("tiny", base_url=chat_server.url, cache=cache)
    kept = again.complete([Request(user(text)) for text in sorted(asked)])
    assert all(reply.cached for reply in kept)
    model.close()
    again.close()
