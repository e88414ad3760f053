import json

import pytest
from chat_server import Answer

from prefkit.chat import Likelihood, Request, Sampling
from prefkit.chat.endpoint import EndpointModel
from prefkit.records import user


def dial(server, **options):
    return EndpointModel("tiny", base_url=server.url, backoff=0.01, **options)


def choices(asked, count):
    made = [
        {"index": n, "message": {"content": f"{asked.body['seed']}.{n}"}, "finish_reason": "stop"}
        for n in range(count)
    ]
    usage = {"prompt_tokens": 10, "completion_tokens": 5 * count}
    return Answer(raw=json.dumps({"choices": made, "usage": usage}).encode())


def group(text, seeds=(7, 8, 9)):
    return [Request(user(text), Sampling(seed=seed)) for seed in seeds]


def test_a_server_that_can_is_asked_for_all_at_once(chat_server):
    chat_server.reply = lambda asked: choices(asked, asked.body.get("n", 1))
    model = dial(chat_server, prices={"tiny": (1, 1)})
    found = model.samples([group("a", (7, 1, 2, 3)), group("b", (5, 6))])
    assert [reply.text for reply in found[0]] == ["7.0", "7.1", "7.2", "7.3"]
    assert [reply.choice for reply in found[0]] == [0, 1, 2, 3]
    assert [reply.text for reply in found[1]] == ["5.0", "5.1"]
    assert len(chat_server.asked) == 2
    assert sum(reply.completion_tokens for reply in found[0]) == 20
    assert sum(reply.usd or 0 for reply in found[0]) == pytest.approx(30e-6)


def test_what_a_server_leaves_out_is_asked_for_one_by_one(chat_server, tmp_path):
    chat_server.reply = lambda asked: choices(asked, 1)
    model = dial(chat_server, concurrency=1, cache=tmp_path / "r.sqlite")
    groups = [group("a"), group("b")]
    found = model.samples(groups)
    assert [reply.text for reply in found[0]] == ["7.0", "8.0", "9.0"]
    assert ["n" in asked.body for asked in chat_server.asked] == [True] + [False] * 5
    assert all(reply.cached for replies in model.samples(groups) for reply in replies)
    assert len(chat_server.asked) == 6
    model.close()


def test_a_server_that_refuses_n_is_asked_one_by_one(chat_server):
    def refuses(asked):
        if "n" in asked.body:
            return Answer(status=400, message="Unsupported value: n does not support 3")
        return choices(asked, 1)

    chat_server.reply = refuses
    found = dial(chat_server).samples([group("a")])
    assert [reply.text for reply in found[0]] == ["7.0", "8.0", "9.0"]


def logged(values):
    content = [{"token": "x", "logprob": value} for value in values]
    choice = {
        "message": {"content": "x"},
        "finish_reason": "stop",
        "logprobs": {"content": content},
    }
    return Answer(raw=json.dumps({"choices": [choice]}).encode())


def test_log_probabilities_are_summed_when_asked_for_and_told(chat_server):
    chat_server.reply = lambda asked: logged([-0.5, -1.5]) if asked.body.get("logprobs") else "x"
    model = dial(chat_server)
    told = model.complete([Request(user("q"), logprobs=True)])[0].likelihood
    assert told == Likelihood(-2.0, 2)
    assert told.mean == -1.0
    assert model.complete([Request(user("q"))])[0].likelihood is None


@pytest.mark.parametrize("values", [[], [None], ["x"], [float("nan")]], ids=str)
def test_log_probabilities_that_are_missing_or_none_are_missing(chat_server, values):
    chat_server.reply = lambda asked: logged(values)
    assert dial(chat_server).complete([Request(user("q"), logprobs=True)])[0].likelihood is None


def test_a_server_that_keeps_quiet_about_them_is_no_fault(chat_server):
    chat_server.reply = lambda asked: "fine"
    reply = dial(chat_server).complete([Request(user("q"), logprobs=True)])[0]
    assert (reply.text, reply.likelihood, reply.error) == ("fine", None, "")
