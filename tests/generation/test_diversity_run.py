import json

import pytest
from teacher import engines, teach

from prefkit import runs
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.run import plan_generate, run_generate

ASKS = "What is {}? Who keeps {}? Where is {} kept? Why is {} blue? How is {} cleaned?".split("? ")


def people(workspace, count=60):
    path = workspace.root / "people.jsonl"
    rows = [
        {
            "prompt": ASKS[i % 5].format(f"the lamp{i} of pier{i % 7} at berth{i % 11}") + "?",
            "completion": f"Berth{i} says so in entry {i} of the log, signed by hand{i}.",
        }
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def config_of(server, **more):
    settings = {"mix": "factual", "chunk_tokens": 64, "per_chunk": 1}
    return GenerateConfig(
        model="openai:tiny", base_url=server.url, probe=False, **(settings | more)
    )


@pytest.fixture
def finished(tmp_path, workspace, chat_server):
    """A run of a teacher that asks the same of every engine, beside what people wrote."""
    chat_server.reply = teach
    folder = engines(tmp_path / "docs", parts=45)
    config = config_of(chat_server, compare_with=people(workspace))
    plan = plan_generate(str(folder), config, workspace)
    return run_generate(plan, runs.Settings(workspace))


def test_a_run_whose_teacher_asks_alike_says_so_everywhere(finished):
    stored = json.loads((finished.path / "diversity.json").read_text())
    said = {alarm["about"]: alarm["says"] for alarm in stored["alarms"]}
    rows = finished.manifest.outputs["examples"]
    assert said["questions.most frequent opening"] == (
        f"100.0 % of the questions open with “what must be done” (n = {rows})."
    )
    assert stored["rows"] == rows
    assert stored["question_types"]["made"] == {"what": rows}
    assert stored["question_types"]["people's"] == dict.fromkeys(
        ("what", "who", "where", "why", "how"), 12
    )
    assert stored["compared_with"]["rows"] == 60
    assert stored["compared_with"]["source"].endswith("people.jsonl")
    assert stored["planned"] == [
        {"what": "kind", "name": "factual", "planned": rows, "of_plan": rows, "made": rows,
         "of_made": rows}
    ]  # fmt: skip
    card = (finished.path / "README.md").read_text()
    assert said["questions.most frequent opening"] in card
    assert "questions differ in:" in card
    page = (finished.path / "report.html").read_text()
    for title in ("Openings of questions", "Question types", "Kinds, planned and made"):
        assert title in page
    assert "written by people" in page


def test_what_people_wrote_is_read_before_anything_is_asked(tmp_path, workspace, chat_server):
    folder = engines(tmp_path / "docs", parts=2)
    path = workspace.root / "people.jsonl"
    path.write_text('{"prompt": "Who?", "completion": "Ada."}\n{"prompt": ""}\n')
    for source, says in ((str(path), "people.jsonl:2"), ("nowhere.jsonl", "nowhere")):
        with pytest.raises(PrefkitError, match=says):
            plan_generate(str(folder), config_of(chat_server, compare_with=source), workspace)
    with pytest.raises(PrefkitError, match="no such embedder"):
        plan_generate(str(folder), config_of(chat_server, embedder="nothing"), workspace)
    assert chat_server.asked == []


def test_comparison_and_embedder_do_not_change_what_a_run_is():
    plain = GenerateConfig()
    other = GenerateConfig(compare_with="people.jsonl", embedder="minilm")
    assert plain.digest() == other.digest()


def test_questions_alone_have_no_answers_to_measure(tmp_path, workspace, chat_server):
    chat_server.reply = teach
    folder = engines(tmp_path / "docs", parts=2)
    config = config_of(chat_server, questions_only=True)
    run = run_generate(plan_generate(str(folder), config, workspace), runs.Settings(workspace))
    stored = json.loads((run.path / "diversity.json").read_text())
    assert "answers" not in stored
    assert stored["alarms"] == []
    assert "too few" in (run.path / "README.md").read_text()
