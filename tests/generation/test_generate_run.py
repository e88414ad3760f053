import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from prefkit import runs
from prefkit.chat import Reply
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.run import plan_generate, run_generate
from prefkit.records import Chunk, Document, Example
from prefkit.storage import read_records


@pytest.fixture
def model(scripted, monkeypatch):
    """The model that `open_model` opens: it has nothing to say, so references are extractive."""
    model = scripted()
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: model)
    return model


def handbook(folder, parts):
    folder.mkdir(exist_ok=True)
    for part in range(parts):
        lines = [
            f"The Heron{part}{engine} engine must be inspected every {engine + 2} weeks.\n"
            for engine in range(6)
        ]
        (folder / f"{part}.md").write_text(f"# Part {part}\n\n" + "\n".join(lines))
    return folder


def read(run, stream, model):
    return list(read_records(run.path / "data" / f"{stream}.jsonl", model))


def test_every_quote_is_an_exact_span_of_its_chunk_and_its_document(documents, workspace, model):
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    run = run_generate(plan, runs.Settings(workspace))
    texts = {document.id: document.text for document in read(run, "documents", Document)}
    chunks = {chunk.id: chunk for chunk in read(run, "chunks", Chunk)}
    examples = read(run, "examples", Example)
    assert examples
    for example in examples:
        for quote in example.quotes:
            chunk = chunks[quote.chunk_id]
            assert chunk.text[quote.start : quote.end] == example.reference
            assert texts[chunk.document_id][chunk.start : chunk.end] == chunk.text


def test_the_manifest_counts_drops_and_names_the_prompts(documents, workspace, model):
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    run = run_generate(plan, runs.Settings(workspace))
    assert run.manifest.dropped["unknown-format"] == 1
    assert {p["name"] for p in run.manifest.plugins} == {"question", "answer"}
    assert run.manifest.totals["calls"] == len(model.asked)
    assert "photo.png" in (run.path / "dropped.jsonl").read_text()


def test_the_plan_says_what_it_would_take_without_a_model(documents, workspace):
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    described = plan.describe()
    assert described["counts"] == {"documents": 1, "chunks": 1}
    assert described["expected"]["method"] == "stepwise"
    assert described["expected"]["calls"] > 0
    strong = GenerateConfig(model="openai:big")
    expected = plan_generate(str(documents), strong, workspace).expected
    assert (expected["method"], expected["calls"]) == ("structured", 1)


def test_a_total_stops_early_and_draws_from_all_documents(tmp_path, workspace, model):
    folder = handbook(tmp_path / "docs", 12)
    config = GenerateConfig(chunk_tokens=32, total=20, per_chunk=1)
    run = run_generate(plan_generate(str(folder), config, workspace), runs.Settings(workspace))
    examples = read(run, "examples", Example)
    assert 20 <= len(examples) < 30
    assert len({example.metadata["source"] for example in examples}) > 6


def test_the_same_question_in_two_units_stays_once(tmp_path, workspace, model):
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(20):
        text = f"Part {number} is here.\n\nThe Heron engine must be inspected every six weeks.\n"
        (folder / f"{number}.md").write_text(text)
    plan = plan_generate(str(folder), GenerateConfig(), workspace)
    run = run_generate(plan, runs.Settings(workspace))
    assert run.manifest.outputs["examples"] == 1
    assert run.manifest.dropped["duplicate-question"] == 19


def test_other_documents_or_prompts_refuse_to_resume(documents, workspace, scripted, monkeypatch):
    failing = scripted(lambda request: Reply("", "error", error="down"))
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: failing)
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    with pytest.raises(PrefkitError, match="down"):
        run_generate(plan, runs.Settings(workspace))
    (documents / "more.md").write_text("The Heron engine has 4 valves in its head.")
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    with pytest.raises(PrefkitError, match="inputs"):
        run_generate(plan, runs.Settings(workspace, resume="last"))


def test_no_example_at_all_is_an_error_that_counts_the_reasons(tmp_path, workspace, model):
    (tmp_path / "a.md").write_text("Nothing to ask here. It is so.")
    plan = plan_generate(str(tmp_path / "a.md"), GenerateConfig(), workspace)
    with pytest.raises(PrefkitError, match="no draft passed"):
        run_generate(plan, runs.Settings(workspace))


KILLED = """
import os, signal, sys
import prefkit.chat
from prefkit.chat import Reply
from prefkit.config import GenerateConfig
from prefkit.generation.run import plan_generate, run_generate
from prefkit.runs import Settings
from prefkit.workspace import Workspace

class Dying:
    name, device, structured = "scripted", "cpu", False
    calls = 0
    def complete(self, requests):
        self.calls += 1
        if self.calls > {calls}:
            os.kill(os.getpid(), signal.SIGKILL)
        return [Reply("") for _ in requests]

prefkit.chat.open_model = lambda *args, **kwargs: Dying()
space = Workspace.find()
config = GenerateConfig(chunk_tokens=32, total={total})
run_generate(plan_generate("docs", config, space), Settings(space))
"""


@pytest.mark.parametrize(("calls", "total"), [(0, None), (2, None), (3, 25)])
def test_killed_and_resumed_equals_never_stopped(workspace, model, calls, total):
    handbook(workspace.root / "docs", 10)
    script = textwrap.dedent(KILLED.format(calls=calls, total=total))
    done = subprocess.run([sys.executable, "-c", script], cwd=workspace.root, check=False)
    assert done.returncode == -signal.SIGKILL
    config = GenerateConfig(chunk_tokens=32, total=total)
    plan = plan_generate("docs", config, workspace)
    resumed = run_generate(plan, runs.Settings(workspace, resume="last"))
    whole = run_generate(plan, runs.Settings(workspace))
    assert resumed.manifest.resumed == 1
    for name in ("data/documents.jsonl", "data/chunks.jsonl", "data/examples.jsonl"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_strong_endpoint_drafts_in_one_call_a_chunk(documents, workspace, chat_server):
    item = {
        "question": "How often must the Heron engine be inspected?",
        "answer": "The Heron engine must be inspected every six weeks.",
        "quote": "must be inspected every six weeks",
        "kind": "factual",
    }
    chat_server.reply = lambda asked: json.dumps({"items": [item]})
    config = GenerateConfig(model="openai:tiny", base_url=chat_server.url)
    run = run_generate(plan_generate(str(documents), config, workspace), runs.Settings(workspace))
    (example,) = read(run, "examples", Example)
    assert example.generator == "tiny/structured"
    assert [p["name"] for p in run.manifest.plugins] == ["structured"]


def test_reading_documents_imports_no_torch():
    code = "import sys, prefkit.generation.run, prefkit.generation.candidates; "
    code += "print(sorted({'torch', 'transformers', 'trafilatura', 'docx', 'pypdfium2', 'openai'}"
    code += " & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
