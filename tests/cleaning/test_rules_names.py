"""Names of people. The default suite has no presidio: the test without it runs there."""

import importlib.util
import socket

import pytest

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import load_rules
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.records import Example
from prefkit.workspace import Workspace

INSTALLED = importlib.util.find_spec("presidio_analyzer") is not None
needs_presidio = pytest.mark.skipif(not INSTALLED, reason="pip install 'prefkit[pii]'")
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of spaCy's dependencies


def load(model):
    return load_rules(CleanConfig(names_model=str(model)), Workspace.find())


@pytest.fixture
def model(tmp_path):
    """A model of spaCy that knows one name."""
    import spacy

    made = spacy.blank("en")
    made.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Ada Lovelace"}])
    made.to_disk(tmp_path / "model")
    return tmp_path / "model"


def test_it_is_off_until_a_model_is_named():
    assert "personal-names" not in load_rules(CleanConfig(), Workspace.find()).rules


@pytest.mark.skipif(INSTALLED, reason="presidio is installed")
def test_without_presidio_the_error_says_what_to_install():
    with pytest.raises(PrefkitError, match="presidio-analyzer") as caught:
        load("en_core_web_sm")
    assert "prefkit[pii]" in caught.value.hint


@needs_presidio
@quiet
def test_a_name_only_marks_and_is_not_shown(model, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("tried the network"))
    rules = load(model)
    said = Example(prompt="Who wrote it?", reference="The notes are by Ada Lovelace of London.")
    (found,) = rules.findings(row_of(said), first_only=True)
    assert found.rule == "personal-names"
    assert found.detail == "personal name `A…` of 12 characters in the reference"
    assert rules.marks(found.rule)
    long = Example(prompt="Who wrote it?", reference="It says so. " * 20_000 + "Ada Lovelace.")
    rule = rules.rules["personal-names"]
    from prefkit.cleaning.rules import View

    assert rule.check(View(row_of(long)), rules.config) is not None
    other = Example(prompt="Who wrote it?", reference="The warden wrote it all by hand.")
    assert rules.findings(row_of(other)) == []


@needs_presidio
@quiet
def test_a_model_that_is_not_there_or_finds_no_names_is_refused(tmp_path, monkeypatch):
    import spacy

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("tried the network"))
    with pytest.raises(PrefkitError, match="cannot be loaded") as caught:
        load("no_such_model_here")
    assert caught.value.exit_code == EXIT_USAGE
    spacy.blank("de").to_disk(tmp_path / "blank")
    with pytest.raises(PrefkitError, match="finds no names"):
        load(tmp_path / "blank")
