import json

import pytest
from click.testing import CliRunner

from prefkit.commands import judge, judges
from prefkit.errors import PrefkitError


def said(command, *arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_list_shows_what_each_judge_decides_and_that_no_human_has_checked_it(workspace):
    out = said(judges.command, "list").stdout
    lines = {line.split()[0]: line for line in out.splitlines()[2:]}
    assert list(lines) == ["correctness", "groundedness", "helpfulness", "rule:reference"]
    assert "none" in lines["helpfulness"]
    assert "passage" in lines["groundedness"]


def test_list_as_json_is_one_document(workspace):
    found = json.loads(said(judges.command, "list", "--json").stdout)
    assert [entry["name"] for entry in found][:3] == ["correctness", "groundedness", "helpfulness"]
    assert found[0]["human_labels"] == 0


def test_show_prints_the_card_and_the_prompt(workspace):
    out = said(judges.command, "show", "groundedness").stdout
    assert "question: Which answer says only what the passage supports?" in out
    assert "needs: passage" in out
    assert "$passage" in out
    assert json.loads(said(judges.command, "show", "groundedness", "--json").stdout)["prompt"]


def test_copy_puts_an_editable_judge_into_the_workspace(workspace):
    result = said(judges.command, "copy", "helpfulness", "tone")
    assert result.stdout == "judges/tone\n"
    assert "edit judges/tone/prompt.txt" in result.stderr
    assert "tone" in said(judges.command, "list").stdout
    with pytest.raises(PrefkitError, match="already there"):
        said(judges.command, "copy", "helpfulness", "tone")
    said(judges.command, "copy", "helpfulness", "tone", "--overwrite")


def test_a_broken_judge_is_listed_as_broken(workspace):
    folder = workspace.root / "judges" / "odd"
    folder.mkdir(parents=True)
    (folder / "judge.toml").write_text("x = 1")
    result = said(judges.command, "list")
    assert "odd" not in result.stdout
    assert "odd" in result.stderr


def test_judge_needs_a_source_that_exists(workspace):
    with pytest.raises(PrefkitError, match="no such file or run"):
        said(judge.command, "nothing.jsonl")
