import json

import pytest

from prefkit.cli import main


@pytest.fixture
def prefkit(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def test_a_dry_run_prints_the_plan_as_json(prefkit, documents, workspace):
    code, out, _ = prefkit("generate", str(documents), "--dry-run", "--total", "5")
    plan = json.loads(out)
    assert (code, plan["stage"], plan["config"]["total"]) == (0, "generate", 5)
    assert not workspace.runs.exists()


def test_bad_input_is_one_line_without_a_traceback(prefkit, workspace, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for source, words in (("nowhere", "no such file or folder"), (str(empty), "no usable")):
        code, _, err = prefkit("generate", source)
        assert code == 1
        assert words in err
        assert "Traceback" not in err


def test_generate_then_candidates(prefkit, documents, workspace, scripted, monkeypatch):
    model = scripted(lambda request: f"An answer {request.sampling.seed}.")
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: model)
    code, out, err = prefkit("generate", str(documents))
    assert code == 0
    assert "dropped 1: 1 unknown-format" in out
    assert "prefkit clean @generate" in err
    code, out, _ = prefkit(
        "candidates", "@generate", "--per-prompt", "2", "--context", "closed-book", "--json"
    )
    assert code == 0
    assert json.loads(out)["outputs"]["candidates"] == 4


def test_a_mix_is_planned_and_a_wrong_one_is_named(prefkit, documents, workspace):
    code, out, _ = prefkit(
        "generate", str(documents), "--dry-run", "--mix", "numeric:2,factual", "--per-chunk", "3"
    )
    assert code == 0
    assert sum(json.loads(out)["plan"]["kinds"].values()) > 0
    code, _, err = prefkit("generate", str(documents), "--mix", "numerical")
    assert code == 2
    assert "did you mean `numeric`?" in err


def test_documents_or_questions_but_not_both_and_not_neither(prefkit, documents, workspace):
    for arguments in ((), (str(documents), "--from-questions", "q.csv")):
        code, _, err = prefkit("generate", *arguments)
        assert code == 2
        assert "reviewed questions with --from-questions" in err


def test_questions_are_written_reviewed_and_answered(prefkit, documents, workspace, scripted,
                                                     monkeypatch):  # fmt: skip
    monkeypatch.setattr("prefkit.chat.open_model", lambda *args, **kwargs: scripted())
    code, out, _ = prefkit("generate", str(documents), "--questions-only", "-q")
    assert code == 0
    sheet = f"{out.strip()}/questions.csv"
    code, out, _ = prefkit("generate", "--from-questions", sheet, "--dry-run")
    assert (code, json.loads(out)["expected"]["calls"]) == (0, 0)
    code, out, _ = prefkit("generate", "--from-questions", sheet, "--json")
    assert code == 0
    assert json.loads(out)["outputs"]["examples"] == 2


def test_prompts_are_listed_and_copied_for_editing(prefkit, documents, workspace):
    code, out, _ = prefkit("prompts", "list")
    assert code == 0
    assert "planned.txt" in out
    code, out, err = prefkit("prompts", "copy", "mine")
    assert code == 0
    assert "--prompts mine" in err
    (workspace.root / "mine" / "answer.txt").write_text("Mine: $passage $question")
    (workspace.root / "mine" / "kinds.txt").unlink()
    code, out, _ = prefkit("prompts", "copy", "mine")
    assert out.split() == ["mine/kinds.txt"]
    assert (workspace.root / "mine" / "answer.txt").read_text().startswith("Mine")
    assert prefkit("prompts", "copy", "mine")[0] == 1
    code, _, _ = prefkit("generate", str(documents), "--prompts", "mine", "--dry-run")
    assert code == 0
    listed = json.loads(prefkit("prompts", "list", "--json")[1])
    assert {row["name"] for row in listed} >= {"planned", "kinds"}
