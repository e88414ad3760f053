"""Reviews in the order of what is least sure."""

import pytest
from made_runs import chunk, example, make_run

from prefkit.annotation.push import plan_push
from prefkit.config import AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "prefkit.toml").touch()
    return Workspace.find(tmp_path)


def sure(number, value):
    one = example(number)
    notes = {} if value is None else {"confidence": value}
    return one.model_copy(update={"metadata": one.metadata | notes})


def pushed(workspace, values):
    examples = [sure(number, value) for number, value in enumerate(values)]
    streams = {"examples": examples, "chunks": [chunk(n) for n in range(len(values))]}
    run = make_run(workspace, "generate", streams)
    plan = plan_push(str(run), AnnotateConfig(order="confidence"), workspace)
    places = {one.task.prompt_id: one.task.place for one in plan.shown}
    order = sorted(range(len(values)), key=lambda n: places[examples[n].id])
    return [values[n] for n in order]


def test_what_there_is_least_to_say_for_comes_first(workspace):
    assert pushed(workspace, ["0.900", "0.410", "1.000", "0.730"]) == [
        *("0.410", "0.730", "0.900", "1.000")
    ]


def test_an_example_that_does_not_say_comes_before_sure_ones(workspace):
    order = pushed(workspace, ["0.990", None, "0.100"])
    assert order.index(None) < order.index("0.990")


def test_a_set_without_confidence_says_what_to_do(workspace):
    with pytest.raises(PrefkitError, match="no example has a `confidence`") as failed:
        pushed(workspace, [None, "sure", "7"])
    assert "--order random" in failed.value.hint
