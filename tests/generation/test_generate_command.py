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
