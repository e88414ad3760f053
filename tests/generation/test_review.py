import csv
import json

import pytest
from teacher import engines, teach

from prefkit import runs
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.answers import plan_answers
from prefkit.generation.review import COLUMNS
from prefkit.generation.run import plan_generate, run_generate
from prefkit.records import Dropped, Example, Question
from prefkit.storage import read_records


def read(run, stream, model):
    return list(read_records(run.path / "data" / f"{stream}.jsonl", model))


@pytest.fixture
def config(chat_server):
    chat_server.reply = teach
    return GenerateConfig(
        model="openai:tiny",
        base_url=chat_server.url,
        mix="factual,numeric,why,multi-turn,multi-hop",
        chunk_tokens=64,
        per_chunk=2,
        probe=False,
    )


@pytest.fixture
def asked(tmp_path, workspace, config):
    """A run with questions and no answers."""
    folder = engines(tmp_path / "docs")
    only = config.model_copy(update={"questions_only": True})
    return run_generate(plan_generate(str(folder), only, workspace), runs.Settings(workspace))


def answer(source, config, workspace):
    return run_generate(plan_answers(str(source), config, workspace), runs.Settings(workspace))


def sheet(run):
    with (run.path / "questions.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_questions_come_with_quotes_kinds_and_no_answers(asked, chat_server):
    questions = read(asked, "questions", Question)
    assert {q.kind for q in questions} >= {"factual", "numeric", "why", "multi-hop"}
    assert all(q.quotes and q.prompt[-1].role == "user" for q in questions)
    assert not (asked.path / "data" / "examples.jsonl").exists()
    assert {p["name"] for p in asked.manifest.plugins} == {"planned_questions", "kinds"}
    assert '"answer"' not in json.dumps(chat_server.asked[0].body.get("response_format"))
    rows = sheet(asked)
    assert [row["id"] for row in rows] == [q.id for q in questions]
    assert [row["question"] for row in rows] == [q.prompt[-1].content for q in questions]
    assert all("engine must be inspected" in row["quotes"] for row in rows)


def test_only_questions_that_stay_are_answered_and_edits_and_ids_are_kept(
    asked, config, workspace, chat_server
):
    rows = sheet(asked)
    removed, reworded = rows.pop(0), rows[0]
    reworded["question"] = "How many weeks may pass until that engine is looked at again?"
    before = len(chat_server.asked)
    run = answer(write(asked.path / "reviewed.csv", rows), config, workspace)
    examples = {e.metadata["question_id"]: e for e in read(run, "examples", Example)}
    assert set(examples) <= {row["id"] for row in rows}
    assert removed["id"] not in examples
    edited = examples[reworded["id"]]
    assert edited.prompt[-1].content == reworded["question"]
    assert edited.metadata["review"] == "edited"
    assert {e.metadata["review"] for e in examples.values()} == {"edited", "kept"}
    assert all(example.generator == "tiny/answered" for example in examples.values())
    gone = [d for d in read_records(run.path / "dropped.jsonl", Dropped) if
            d.rule == "refused-in-review"]  # fmt: skip
    assert [d.record_id for d in gone] == [removed["id"]]
    assert removed["question"] in gone[0].detail
    assert len(chat_server.asked) - before == len(rows)
    assert {p["name"] for p in run.manifest.plugins} == {"planned_answer", "kinds"}
    assert run.manifest.inputs[1].run == asked.path.name
    assert not (run.path / "data" / "chunks.jsonl").exists()  # they lie upstream


def test_a_sheet_that_was_moved_finds_its_run(asked, config, workspace, tmp_path):
    rows = sheet(asked)[:2]
    run = answer(write(tmp_path / "mine.csv", rows), config, workspace)
    assert len(read(run, "examples", Example)) == 2
    assert run.manifest.dropped["refused-in-review"] == asked.manifest.outputs["questions"] - 2


def test_the_jsonl_edited_in_place_still_tells_what_was_removed(asked, config, workspace):
    path = asked.path / "data" / "questions.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[1:]) + "\n")
    run = answer(path, config, workspace)
    gone = [d.record_id for d in read_records(run.path / "dropped.jsonl", Dropped)]
    assert json.loads(lines[0])["id"] in gone


def test_a_run_or_its_stage_answers_all_of_it(asked, config, workspace):
    run = answer("@generate", config, workspace)
    assert "refused-in-review" not in run.manifest.dropped
    assert len(read(run, "examples", Example)) >= asked.manifest.outputs["questions"] - 2


def test_without_a_strong_model_the_quotes_are_the_answers(asked, workspace, monkeypatch):
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: pytest.fail("opened"))
    rows = [row for row in sheet(asked) if row["kind"] == "numeric"]
    rows[0]["question"] = "Who was the first king of Freedonia after all?"
    run = answer(write(asked.path / "some.csv", rows), GenerateConfig(), workspace)
    examples = read(run, "examples", Example)
    assert len(examples) == len(rows) - 1
    assert run.manifest.dropped["strays"] == 1
    for example in examples:
        assert example.generator == "tiny/planned+extractive"
        assert example.reference.startswith("The Heron")


def test_a_small_model_writes_questions_by_rule_for_review(tmp_path, workspace, scripted,
                                                           monkeypatch):  # fmt: skip
    model = scripted()
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: model)
    folder = engines(tmp_path / "docs", parts=2)
    config = GenerateConfig(questions_only=True, chunk_tokens=64)
    run = run_generate(plan_generate(str(folder), config, workspace), runs.Settings(workspace))
    questions = read(run, "questions", Question)
    assert questions
    assert model.asked == []
    assert all(q.generator == "scripted/stepwise+pattern" for q in questions)


def test_cells_of_the_sheet_are_no_formulas_and_come_back_as_they_were(asked, config, workspace):
    rows = sheet(asked)
    rows[0]["question"] = "'=1+1 engines must be inspected every how many weeks?"
    run = answer(write(asked.path / "r.csv", rows[:1]), config, workspace)
    (example,) = read(run, "examples", Example)
    assert example.prompt[-1].content.startswith("=1+1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,question\n{id},\n", "r.csv:2: the cell `question` is empty"),
        ("name,words\na,b\n", "no column `id` or `question`"),
        ("id,question\n{id}\n", "the cell `question` is empty"),
        ("id,question\n", "no question stays|no generate run"),
    ],
)
def test_a_malformed_sheet_names_its_line(asked, config, workspace, text, message):
    path = asked.path / "r.csv"
    path.write_text(text.format(id=sheet(asked)[0]["id"]))
    with pytest.raises(PrefkitError, match=message):
        plan_answers(str(path), config, workspace)


def test_a_row_that_is_no_question_of_the_run_leaves_with_its_reason(asked, config, workspace):
    rows = [*sheet(asked)[:1], dict.fromkeys(COLUMNS, "") | {"id": "new", "question": "Why so?"}]
    run = answer(write(asked.path / "r.csv", rows), config, workspace)
    assert run.manifest.dropped["unknown-question"] == 1


def test_questions_of_no_run_are_refused(workspace, tmp_path, config):
    path = tmp_path / "alone.csv"
    path.write_text("id,question\nabc,Why so?\n")
    with pytest.raises(PrefkitError, match="no generate run of this workspace holds these"):
        plan_answers(str(path), config, workspace)
    with pytest.raises(PrefkitError):
        plan_answers("@generate", config, workspace)
