from pathlib import Path

import concepts
import pytest

from prefkit.semantic.store import opened


@pytest.fixture(autouse=True)
def fresh_embedders():
    """No test sees an embedder that another opened."""
    opened.cache_clear()
    concepts.CALLS.clear()


@pytest.fixture
def embedder(workspace) -> str:
    """Name of the embedder of concepts; `concepts.CALLS` counts what it is asked."""
    assert Path(concepts.__file__).is_file()
    return "python:concepts:encode"
