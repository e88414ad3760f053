import pytest
from chat_server import Answer, in_turn

from prefkit.chat import Request, Sampling
from prefkit.chat.budget import Budget, BudgetReached, most_tokens
from prefkit.chat.endpoint import EndpointModel
from prefkit.errors import PrefkitError
from prefkit.records import user

PRICES = {"tiny": (1.0, 2.0)}


def dial(server, budget, **options):
    return EndpointModel("tiny", base_url=server.url, budget=budget, backoff=0.01, **options)


def ask(count, **sampling):
    sampling = Sampling(**{"max_tokens": 20} | sampling)
    return [Request(user(f"question {number} of many"), sampling) for number in range(count)]


def test_no_tokenizer_can_make_more_tokens_than_are_set_aside():
    for text in ("plain", "漢字かな" * 10, "\N{GRINNING FACE}" * 5, "\ud800"):
        payload = {"messages": [{"role": "user", "content": text}]}
        assert most_tokens(payload) >= len(text.encode(errors="replace"))


@pytest.mark.parametrize("concurrency", [1, 8])
def test_tokens_are_never_spent_beyond_the_limit(chat_server, tmp_path, concurrency):
    chat_server.reply = lambda asked: "six words are in this reply"
    budget = Budget("run", max_tokens=2000, prices=PRICES)
    model = dial(chat_server, budget, concurrency=concurrency, cache=tmp_path / "r.sqlite")
    with pytest.raises(
        BudgetReached, match=r"budget of 2,000 tokens is reached: .* calls"
    ) as error:
        model.complete(ask(5000))
    spent = budget.prompt_tokens + budget.completion_tokens
    assert 1300 < spent <= 2000
    assert spent == 10 * len(chat_server.asked)
    assert "--resume" in error.value.hint
    assert error.value.exit_code == 1


def test_dollars_are_never_spent_beyond_the_limit_and_resuming_pays_for_nothing_twice(
    chat_server, tmp_path
):
    cache = tmp_path / "r.sqlite"
    chat_server.reply = lambda asked: "six words are in this reply"
    first = Budget("run", max_usd=0.0006, prices=PRICES)
    with pytest.raises(BudgetReached, match=r"\$0.0006 is reached"):
        dial(chat_server, first, cache=cache).complete(ask(5000))
    assert 0.0002 < first.usd <= 0.0006
    answered = len(chat_server.asked)

    second = Budget("run", max_usd=0.0012, prices=PRICES)
    model = dial(chat_server, second, cache=cache)
    second.take_over(model._cache.spent("run"))
    assert second.usd == pytest.approx(first.usd)
    with pytest.raises(BudgetReached):
        model.complete(ask(5000))
    assert first.usd < second.usd <= 0.0012
    bodies = [asked.text for asked in chat_server.asked]
    assert len(bodies) == len(set(bodies)) > answered


def test_what_fits_is_asked_to_the_end(chat_server):
    chat_server.reply = lambda asked: "fine"
    budget = Budget(max_tokens=100_000, max_usd=1.0, prices=PRICES)
    assert len(dial(chat_server, budget).complete(ask(100))) == 100
    assert budget.calls == 100


def test_a_reply_that_never_came_counts_with_all_that_was_set_aside(chat_server):
    chat_server.reply = in_turn([Answer("half", cut=True), "fine"])
    budget = Budget(max_tokens=100_000, prices=PRICES)
    dial(chat_server, budget).complete(ask(1))
    assert budget.calls == 2
    assert budget.completion_tokens == 20 + 1


def test_tokens_that_are_not_told_count_at_their_most_within_a_limit(chat_server):
    untold = b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}'
    chat_server.reply = lambda asked: Answer(raw=untold)
    limited, free = Budget(max_tokens=100_000), Budget()
    assert not dial(chat_server, limited).complete(ask(1))[0].counted
    dial(chat_server, free).complete(ask(1))
    assert limited.completion_tokens == 20
    assert free.prompt_tokens == free.completion_tokens == 0


def test_an_unknown_price_is_unknown_and_not_nothing(chat_server):
    budget = Budget(prices={"other": (1, 1)})
    assert dial(chat_server, budget).complete(ask(1))[0].usd is None
    assert "price unknown" in budget.spent()
    with pytest.raises(PrefkitError, match="its price is not known") as caught:
        dial(chat_server, Budget(max_usd=1.0)).complete(ask(1))
    assert '"tiny" = [0.15, 0.60]' in caught.value.hint
    assert len(chat_server.asked) == 1


def test_a_price_of_zero_is_a_price(chat_server):
    budget = Budget(max_usd=0.01, prices={"tiny": (0, 0)})
    assert dial(chat_server, budget).complete(ask(3))[0].usd == 0.0


def test_the_note_says_rate_and_cost_of_this_attempt(chat_server):
    budget = Budget(prices=PRICES)
    budget.take_over([("tiny", 1000, 10, 10)])
    assert budget.note() == ""
    dial(chat_server, budget).complete(ask(2))
    assert "calls/s, $0.0" in budget.note()
