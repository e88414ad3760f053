"""Candidates of a generated handbook by a scripted endpoint, for the tests of `candidates`."""

import json
import re

from chat_server import Answer

from prefkit import runs
from prefkit.config import CandidatesConfig, GenerateConfig
from prefkit.generation.candidates import plan_candidates, run_candidates
from prefkit.generation.run import plan_generate, run_generate
from prefkit.records import Candidate, Dropped, Judgment
from prefkit.storage import read_records

KINDS = {"candidates": Candidate, "judgments": Judgment}


def generate(documents, workspace, model, monkeypatch):
    """A run with examples, drafted by rule."""
    with monkeypatch.context() as patch:
        patch.setattr("prefkit.chat.open_model", lambda *args, **options: model)
        plan = plan_generate(str(documents), GenerateConfig(), workspace)
        return run_generate(plan, runs.Settings(workspace))


def planned(workspace, server, **fields):
    """The plan of candidates by the scripted endpoint."""
    fields = {"model": "openai:tiny", "base_url": server.url, "probe": False} | fields
    return plan_candidates("@generate", CandidatesConfig(**fields), workspace)


def sample(workspace, server, **fields):
    """A run of candidates by the scripted endpoint."""
    return run_candidates(planned(workspace, server, **fields), runs.Settings(workspace))


def read(run, stream):
    """The records of a run."""
    return list(read_records(run.path / "data" / f"{stream}.jsonl", KINDS[stream]))


def dropped(run, rule):
    """What a run dropped for one reason."""
    path = run.path / "dropped.jsonl"
    return [d for d in read_records(path, Dropped) if d.rule == rule] if path.exists() else []


def choice(text, logprobs=None, finish_reason="stop"):
    """A completion as an endpoint writes it, with log-probabilities when given."""
    made = {"index": 0, "message": {"content": text}, "finish_reason": finish_reason}
    if logprobs is not None:
        made["logprobs"] = {"content": [{"token": "t", "logprob": value} for value in logprobs]}
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    return Answer(raw=json.dumps({"choices": [made], "usage": usage}).encode())


def fenced_in(text, name):
    """What stands between the marks `name` of a prompt."""
    found = re.search(rf"<{name}>\n(.*?)\n</{name}>", text, re.DOTALL)
    return found[1] if found else ""


def critic(asked):
    """Answers, finds fault with what ends in an even digit, and mends it."""
    if "The answer so far:" in asked.text:
        return f"Revised answer: {fenced_in(asked.text, 'answer')} litres."
    if "The answer should keep to this principle" in asked.text:
        even = fenced_in(asked.text, "answer")[-1] in "02468"
        return "The unit is missing." if even else "NO CHANGE"
    return f"{asked.body['seed']}"
