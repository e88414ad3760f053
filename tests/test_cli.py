import contextlib
import json
import re
import shlex
import subprocess
import sys

import click
import pytest

from prefkit.cli import main
from prefkit.commands import in_order

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "argilla",
    "peft",
    "trl",
    "openai",
    "pydantic",
    "rich",
)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


@pytest.mark.parametrize("code", ["import prefkit", "from prefkit.cli import main; main(['-h'])"])
def test_import_and_help_load_nothing_heavy(code):
    script = f"import sys, atexit\natexit.register(lambda: print(sorted(sys.modules)))\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert not loaded & set(HEAVY)


def leaves(command, path=()):
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


COMMANDS = [leaf for command in in_order() for leaf in leaves(command, (command.name,))]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(p) for p, _ in COMMANDS])
def test_help_starts_with_a_verb_and_ends_with_two_examples_that_parse(path, command):
    text = command.help or ""
    assert re.match(r"[A-Z][a-z]+ ", text)
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("prefkit ")]
    assert len(examples) >= 2
    for line in examples:
        words = shlex.split(line)[1:]
        assert tuple(words[: len(path)]) == path
        with contextlib.suppress(click.exceptions.Exit):
            command.make_context(command.name, words[len(path) :])


def test_bare_command_shows_help_and_is_a_usage_error(capsys):
    code, _, err = run(capsys)
    assert code == 2
    assert "Commands:" in err


def test_a_misspelt_command_gets_a_suggestion(capsys):
    code, _, err = run(capsys, "docter")
    assert code == 2
    assert "doctor" in err


def test_init_makes_a_workspace_once(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "init", "mine")
    assert code == 0
    assert "prefkit.toml" in out
    (tmp_path / "mine" / "prefkit.toml").write_text("[clean]\nseed = 3\n")
    code, _, err = run(capsys, "init", "mine")
    assert code == 1
    assert "already" in err
    assert (tmp_path / "mine" / "prefkit.toml").read_text() == "[clean]\nseed = 3\n"


def test_an_error_is_two_lines_without_a_traceback(capsys, workspace):
    code, out, err = run(capsys, "runs", "show", "nothing")
    assert code == 1
    assert out == ""
    assert err.splitlines() == [
        "Error: nothing: no such run.",
        "`prefkit runs list` names the runs of this workspace.",
    ]


def test_doctor_reports_every_part_as_json(capsys, workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("PREFKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr("prefkit.doctor._four_bit", lambda: None)
    monkeypatch.setattr("prefkit.doctor._device", lambda: None)
    from prefkit import doctor

    checks = {check.name: check for check in doctor.examine(workspace) if check is not None}
    assert {"machine", "disk", "embedded model", "endpoint", "Argilla", "workspace"} <= set(checks)
    assert "sk-very-secret" not in json.dumps([str(c) for c in checks.values()])
    assert checks["workspace"].status == "ok"
    assert "Apache-2.0" in checks["embedded model"].found


@pytest.mark.model
def test_every_public_name_is_there():
    import prefkit

    for name in prefkit.__all__:
        assert getattr(prefkit, name) is not None
