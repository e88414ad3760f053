import pytest

from prefkit.errors import PrefkitError
from prefkit.plugins import find, names


def test_a_path_beats_nothing_and_a_workspace_folder_beats_the_bundled_one(workspace):
    bundled = names("judge", workspace)
    assert bundled
    name = bundled[0]
    assert find("judge", name, workspace).source == "bundled"
    mine = workspace.root / "judges" / name
    mine.mkdir(parents=True)
    (mine / "judge.toml").write_text("")
    found = find("judge", name, workspace)
    assert (found.source, found.folder) == ("workspace", mine)
    assert find("judge", f"./judges/{name}", workspace).source == "path"


def test_an_unknown_name_gets_the_closest(workspace):
    name = names("judge", workspace)[0]
    with pytest.raises(PrefkitError, match=f"did you mean `{name}`"):
        find("judge", name + "x", workspace)


def test_code_is_found_in_a_file_and_its_hash_recorded(workspace):
    (workspace.root / "mine.py").write_text("class Tone:\n    question = 'kind?'\n")
    found = find("judge", "mine.py:Tone", workspace)
    assert found.target.question == "kind?"
    assert len(found.sha256) == 64
    with pytest.raises(PrefkitError, match="AttributeError"):
        find("judge", "mine.py:Nothing", workspace)
    with pytest.raises(PrefkitError, match="no such file"):
        find("judge", "other.py:Tone", workspace)
