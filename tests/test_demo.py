import pytest

from prefkit.config import CleanConfig
from prefkit.demo import STEPS, _arguments, prepare
from prefkit.errors import PrefkitError
from prefkit.runs import Plan, Run, Settings


def test_the_demo_copies_the_handbook_once_and_refuses_a_strange_folder(tmp_path):
    space = prepare(tmp_path / "demo", overwrite=False)
    suffixes = {path.suffix for path in (space.root / "documents").iterdir()}
    assert {".md", ".txt", ".html", ".pdf", ".docx"} <= suffixes
    (space.root / "prefkit.toml").write_text("[clean]\nseed = 3\n")
    prepare(tmp_path / "demo", overwrite=False)
    assert (space.root / "prefkit.toml").read_text() == "[clean]\nseed = 3\n"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(PrefkitError, match="not a prefkit workspace"):
        prepare(tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_the_demo_skips_what_is_done_and_resumes_what_is_not(workspace):
    step = next(step for step in STEPS if step.stage == "clean")
    assert _arguments(step, workspace) == step.arguments
    with (
        pytest.raises(KeyboardInterrupt),
        Run.start(Plan("clean", CleanConfig()), Settings(workspace)),
    ):
        raise KeyboardInterrupt
    (name,) = [folder.name for folder in workspace.run_folders("clean")]
    assert _arguments(step, workspace) == (*step.arguments, "--resume", name)
    with Run.start(Plan("clean", CleanConfig()), Settings(workspace, resume=name)) as run:
        run.finish()
    assert _arguments(step, workspace) is None
