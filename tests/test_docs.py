import contextlib
import re
import shlex
from pathlib import Path

import click
import pytest

from prefkit.commands import in_order

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*/**/*.md"))
    if not {".venv", ".venv-argilla", "runs", "documents", "tests", "demo"}
    & set(path.relative_to(ROOT).parts)
)


def commands_of(page):
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        for line in block.splitlines():
            for part in re.split(r"&&", line.removeprefix("$ ")):
                words = shlex.split(part, comments=True) if part.strip()[:7] == "prefkit" else []
                if words[:1] == ["prefkit"]:
                    yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_on_a_page_exists_and_takes_its_options(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands_of(page):
        command = click.Group("prefkit", {c.name: c for c in in_order()})
        while isinstance(command, click.Group) and words:
            assert words[0] in command.commands, words
            command, words = command.commands[words[0]], words[1:]
        with contextlib.suppress(click.exceptions.Exit):
            command.make_context("prefkit", list(words))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_command_is_on_the_readme_or_a_page_it_links_to():
    said = "\n".join(page.read_text("utf-8") for page in PAGES)
    for command in in_order():
        assert f"prefkit {command.name}" in said or f"`{command.name}`" in said
