import json

import pytest
from chat_server import PROBE, Answer, Asked

from prefkit.chat import Request
from prefkit.chat.endpoint import EndpointModel
from prefkit.chat.probe import PROVABLE, recall
from prefkit.chat.store import Store
from prefkit.records import user

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
SAID = '{"answer": "noon"}'


def _schema(asked: Asked, kind: str) -> dict | None:
    wanted = asked.body.get("response_format") or {}
    if wanted.get("type") != kind:
        return None
    return wanted["json_schema"]["schema"] if kind == "json_schema" else wanted.get("schema")


def _obeys(schema: dict) -> str:
    codes = schema["properties"].get("code", {}).get("enum")
    return json.dumps({"code": codes[0]}) if codes else SAID


def strict(asked):
    """OpenAI, llama-server, vLLM."""
    schema = _schema(asked, "json_schema")
    return _obeys(schema) if schema else "talk"


def llama(asked):
    """llama-cpp-python: json_schema is HTTP 500, json_object with a schema is enforced."""
    if asked.shape == "json_schema":
        return Answer(status=500, message="Input should be 'text' or 'json_object'")
    schema = _schema(asked, "json_object")
    return _obeys(schema) if schema else "talk"


def loose(asked):
    """An endpoint whose json_object is any object, and which takes json_schema for a wish."""
    return '{"hello": "world"}' if asked.shape == "json_object" else "Hello! {not json}"


def deaf(asked):
    """transformers serve: fields it does not know are ignored with HTTP 200."""
    if "JSON schema" in asked.text:
        return SAID
    return "The code is 1234."


def deceiver(asked):
    """Ollama's cloud: takes json_schema, answers some JSON of its own."""
    return SAID if "JSON schema" in asked.text else '{"code": "0000"}'


FOUND = {
    strict: ("json_schema", {"json_schema": "enforced"}),
    llama: (
        "json_object_schema",
        {"json_schema": "refused", "json_object_schema": "enforced"},
    ),
    loose: (
        "json_object",
        {"json_schema": "ignored", "json_object_schema": "ignored", "json_object": "enforced"},
    ),
    deaf: (
        "prompt",
        dict.fromkeys(PROVABLE, "ignored"),
    ),
    deceiver: (
        "json_object",
        {"json_schema": "ignored", "json_object_schema": "ignored", "json_object": "enforced"},
    ),
}


@pytest.fixture
def probed(chat_server):
    chat_server.answers_probes = False
    return chat_server


def dial(server, **options):
    return EndpointModel("tiny", base_url=server.url, probes=True, backoff=0.01, **options)


@pytest.mark.parametrize("script", FOUND, ids=lambda script: script.__name__)
def test_the_strongest_way_that_is_really_enforced_is_found(probed, tmp_path, script):
    probed.reply = script
    cache = tmp_path / "r.sqlite"
    model = dial(probed, cache=cache)
    replies = model.complete([Request(user(f"q{n}"), schema=SCHEMA) for n in range(5)])
    shape, found = FOUND[script]
    store = Store(cache)
    finding = recall(store, probed.url, "tiny")
    store.close()
    assert finding is not None
    assert (finding.shape, finding.found) == (shape, found)
    assert len(probed.asked) == len(found) + 5  # one small request a way, for all of them
    if script is not loose:
        assert [reply.text for reply in replies] == [SAID] * 5
    model.close()


def test_the_words_of_a_probe_do_not_give_the_code_away(probed):
    probed.reply = deaf
    dial(probed).complete([Request(user("q"), schema=SCHEMA)])
    probes = [asked for asked in probed.asked if asked.text == PROBE]
    assert len(probes) == 3
    codes = {json.dumps(asked.body["response_format"]) for asked in probes}
    assert len(codes) == 3


def test_another_process_and_another_run_do_not_probe_again(probed, tmp_path):
    probed.reply = strict
    for _ in range(2):
        model = dial(probed, cache=tmp_path / "r.sqlite")
        model.complete([Request(user("q"), schema=SCHEMA)])
        model.close()
    assert sum(asked.text == PROBE for asked in probed.asked) == 1


def test_an_old_finding_is_looked_at_again(probed, tmp_path):
    probed.reply = strict
    store = Store(tmp_path / "r.sqlite")
    old = (probed.url, "tiny", "prompt", "{}", "2020-01-01")
    store.change([("INSERT INTO probes VALUES (?, ?, ?, ?, ?)", old)])
    store.close()
    model = dial(probed, cache=tmp_path / "r.sqlite")
    model.complete([Request(user("q"), schema=SCHEMA)])
    assert probed.asked[-1].shape == "json_schema"
    model.close()


def test_without_a_schema_nothing_is_probed(probed):
    dial(probed).complete([Request(user("q"))])
    assert [asked.text for asked in probed.asked] == ["q"]


def test_a_probe_that_is_cut_off_proves_nothing_and_replies_are_still_looked_at(probed):
    def thinks(asked):
        if asked.text == PROBE:
            return Answer("", finish_reason="length")
        return SAID if "JSON schema" in asked.text else "talk"

    probed.reply = thinks
    model = dial(probed)
    assert model.complete([Request(user("q"), schema=SCHEMA)])[0].text == SAID
    assert [asked.shape for asked in probed.asked][-2:] == ["json_schema", None]


def test_a_parameter_refused_while_probing_is_learnt(probed):
    def picky(asked):
        if "max_tokens" in asked.body:
            return Answer(status=400, message="Unsupported 'max_tokens': max_completion_tokens")
        return strict(asked)

    probed.reply = picky
    model = dial(probed)
    assert model.complete([Request(user("q"), schema=SCHEMA)])[0].text == SAID
    assert len(probed.asked) == 3
