"""Questions that repeat an earlier one, of the run or of another set, are not asked again."""

import json
from collections import Counter

import pytest
from teacher import passages

from prefkit import runs
from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.run import plan_generate, run_generate
from prefkit.generation.trust.earlier import Earlier
from prefkit.records import Dropped, Example
from prefkit.storage import read_records
from prefkit.workspace import Workspace

LONG = "How often must the keeper of the harbour hut inspect the pump in the old cellar {}?"
FIRST = LONG.format("by lamp light")


def near(text, threshold=0.7):
    earlier = Earlier(threshold)
    earlier.add([("a", FIRST), ("b", "Who opens the gate of the quay?")])
    return earlier.find(text)


def test_a_question_with_the_same_words_is_the_same():
    found = near(FIRST.lower().replace("?", " ?"))
    assert (found.id, found.similarity, found.rule) == ("a", 1.0, "duplicate-question")


def test_a_near_question_names_the_one_it_repeats():
    found = near(LONG.format("by good lamp light"))
    assert (found.id, found.rule) == ("a", "near-duplicate-question")
    assert 0.7 <= found.similarity < 1
    assert "a, `How often" in found.detail


@pytest.mark.parametrize(
    "text",
    [
        "Why must the gate of the quay be closed?",
        LONG.format("of hut 2 by lamp light"),
        FIRST.replace("often", "often not"),
    ],
)
def test_another_fact_makes_another_question(text):
    assert near(text) is None


def test_the_threshold_is_kept():
    assert near(LONG.format("by good lamp light"), threshold=0.95) is None


def test_what_was_added_one_by_one_is_found_as_if_added_at_once():
    texts = [(str(n), LONG.format(f"in week {n}")) for n in range(30)]
    one, other = Earlier(0.7), Earlier(0.7)
    one.add(texts)
    for text in texts * 2:
        other.add([text])
    asked = LONG.format("in good week 7")
    assert one.find(asked).id == "7"
    assert one.find(asked) == other.find(asked)


def ask(asked):
    """Of every second chunk a question of its own; of the others nearly always the same."""
    said = passages(asked.text)[0].splitlines()
    quote = next(line for line in said if line.endswith("."))
    name = quote.split()[1]
    number = int(name.removeprefix("Heron"))
    question = f"How often must the {name} engine be inspected?"
    if number % 2:
        question = LONG.format("by lamp light" if number % 4 == 1 else "by good lamp light")
    item = {"question": question, "answer": quote, "quote": quote, "kind": "factual"}
    return json.dumps({"items": [item]})


def engines(folder, count=20):
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:02}.md").write_text(
            f"# Part\n\nThe Heron{number} engine in the hut must be inspected by the keeper of the "
            f"harbour often, by good lamp light, in the old cellar beside the pump, {number + 2} "
            "times a year, and so the well is inspected too."
        )
    return folder


@pytest.fixture
def run(tmp_path, chat_server):
    chat_server.reply = ask
    (tmp_path / "prefkit.toml").touch()
    workspace = Workspace.find(tmp_path)
    engines(tmp_path / "documents")

    def start(resume=None, **options):
        config = GenerateConfig(model="openai:tiny", base_url=chat_server.url, **options)
        plan = plan_generate(str(tmp_path / "documents"), config, workspace)
        done = run_generate(plan, runs.Settings(workspace, resume=resume))
        return (
            list(read_records(done.path / "data" / "examples.jsonl", Example)),
            list(read_records(done.path / "dropped.jsonl", Dropped)),
            done,
        )

    return start


def test_a_run_asks_no_question_twice_nor_nearly_so(run):
    examples, dropped, _ = run()
    assert Counter(one.rule for one in dropped) == {
        "duplicate-question": 4,
        "near-duplicate-question": 5,
    }
    assert len(examples) == 11
    first = next(
        e for e in examples if e.prompt[-1].content.startswith("How often must the keeper")
    )
    assert all(first.id in one.detail for one in dropped)


def test_questions_of_an_earlier_set_are_not_asked_again(run):
    examples, _, done = run()
    with pytest.raises(PrefkitError, match=r"no draft passed the checks: .*duplicate-question"):
        run(earlier=(str(done.path),))
    path = done.path.parent.parent / "some.jsonl"
    path.write_text("".join(example.json_line() + "\n" for example in examples[:3]))
    left, dropped, other = run(earlier=(str(path),))
    assert {e.id for e in left} == {e.id for e in examples} - {e.id for e in examples[:3]}
    assert path.name in [entry.path for entry in other.manifest.inputs]
    assert sum(examples[0].id in one.detail for one in dropped) == 1


def test_a_run_stopped_in_between_refuses_the_same_questions(run, monkeypatch):
    whole, dropped, _ = run()
    taken = runs.Run.record

    def stop_after_two(self, unit, *args, **kwargs):
        if unit == "examples-00002":
            raise KeyboardInterrupt
        return taken(self, unit, *args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(runs.Run, "record", stop_after_two)
        run(seed=7)
    resumed, again, _ = run(seed=7, resume="last")
    assert [e.id for e in resumed] == [e.id for e in whole]
    assert [d.detail for d in again] == [d.detail for d in dropped]
