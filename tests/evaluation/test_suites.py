import json

import pytest

from prefkit.errors import PrefkitError
from prefkit.evaluation import suites
from prefkit.evaluation.results import SuiteResult
from prefkit.evaluation.suites import Sample, Task, is_right, load_suite, pick
from prefkit.workspace import Workspace

CARD = """
title = "Mine"
version = 1
license = "CC0-1.0"
source = "me"
measures = "a"
limits = "b"

[[tasks]]
name = "quiz"
output_type = "multiple_choice"
doc_to_text = "Q: {{question}}"
metric = "acc"

[[tasks]]
name = "ask"
output_type = "generate_until"
apply_chat_template = true
metric = "contains"
"""
QUIZ = {"id": "1", "task": "quiz", "question": "x?", "choices": ["a", "b"], "gold": 1}
ASK = {"id": "2", "task": "ask", "question": "y?", "target": "b"}


def write_suite(tmp_path, rows, card=CARD):
    folder = tmp_path / "benchmarks" / "suites" / "mine"
    folder.mkdir(parents=True)
    (folder / "suite.toml").write_text(card)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "samples.jsonl").write_text("\n".join(lines) + "\n")
    return Workspace(tmp_path)


def test_a_workspace_suite_is_found_and_renders_its_prompt(tmp_path):
    suite = load_suite("mine", write_suite(tmp_path, [QUIZ, ASK]))
    assert suite.context(suite.samples[0]) == "Q: x?"
    assert suite.found.source == "workspace"


def test_a_prompt_field_is_never_evaluated(tmp_path):
    row = QUIZ | {"question": "{{gold}} {0.__class__} {% print 1 %}"}
    suite = load_suite("mine", write_suite(tmp_path, [row]))
    assert suite.context(suite.samples[0]) == "Q: {{gold}} {0.__class__} {% print 1 %}"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "holds no samples"),
        (["{broken"], "samples.jsonl:1: not valid JSON"),
        ([QUIZ, QUIZ], ":2: the id `1` occurs twice"),
        ([QUIZ | {"task": "other"}], "which suite.toml does not define"),
        ([QUIZ | {"gold": 2}], "`gold` must be 0 to 1"),
        ([QUIZ | {"choices": ["a", "a"]}], "two or more different texts"),
        ([QUIZ | {"choices": None}], "two or more different texts"),
        ([{k: v for k, v in QUIZ.items() if k != "question"}], "`question` is missing"),
        ([ASK | {"target": " "}], "`target` needs"),
        ([ASK | {"target": None}], "`target` needs"),
        ([ASK | {"id": 3}], "`id`"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, rows, says):
    with pytest.raises(PrefkitError) as caught:
        load_suite("mine", write_suite(tmp_path, rows))
    assert says in caught.value.message
    assert "samples.jsonl" in caught.value.message


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ("title = ", "not valid TOML"),
        (CARD.replace('metric = "acc"', 'metric = "contains"'), "does not fit multiple_choice"),
        (CARD.replace("apply_chat_template = true\n", ""), "asked as a chat turn"),
        (CARD.replace("measures", "measure"), "`measures`"),
        ("margins = 0.1\n" + CARD, "did you mean `margin`"),
    ],
)
def test_a_wrong_card_is_named(tmp_path, card, says):
    with pytest.raises(PrefkitError) as caught:
        load_suite("mine", write_suite(tmp_path, [QUIZ], card))
    assert says in str(caught.value)
    assert "suite.toml" in str(caught.value)


def test_an_unknown_suite_names_the_known_ones(tmp_path):
    with pytest.raises(PrefkitError, match="basic"):
        load_suite("basic", Workspace(tmp_path))


def test_the_bundled_suite_is_whole(tmp_path):
    suite = load_suite("basics", Workspace(tmp_path))
    assert len(suite.samples) >= 60
    assert suite.card.license == "CC0-1.0"
    gold = [s.gold for s in suite.samples if s.gold is not None]
    assert {gold.count(place) for place in range(4)} == {20}


def test_acc_norm_divides_by_bytes():
    assert pick([-4.0, -5.0], ["hut", "the rescue hut"], normalised=False) == 0
    assert pick([-4.0, -5.0], ["hut", "the rescue hut"], normalised=True) == 1
    assert pick([-4.0, -3.9], ["ää", "bbbb"], normalised=True) == 1


@pytest.mark.parametrize(
    ("metric", "said", "right"),
    [
        ("contains", "The answer is Paris.", True),
        ("contains", "Parisian", False),
        ("contains", "paris", True),
        ("contains", "", False),
        ("contains", "It is London\nParis", False),
        ("exact_match", ' "Paris." ', True),
        ("exact_match", "Paris, France", False),
    ],
)
def test_a_generated_answer_is_right(metric, said, right):
    task = Task(
        name="t",
        output_type="generate_until",
        apply_chat_template=True,
        metric=metric,
        until=["\n"],
    )
    assert is_right(said, Sample(id="1", task="t", target=["Paris"]), task) is right


def test_holm_runs_over_all_suites():
    def result(name, lost, gained):
        base = [True] * lost + [False] * gained + [True] * 50
        tuned = [False] * lost + [True] * gained + [True] * 50
        items = tuple(map(str, range(len(base))))
        return SuiteResult(
            name=name, sha256="0", margin=0.05, measures="", items=items, base=base, tuned=tuned
        )

    numbers = suites.summarise([result("one", 8, 0), result("two", 1, 2)])
    changes = [n for n in numbers if n.arm == "delta"]
    assert changes[0].p_value == pytest.approx(2 / 2**8)
    assert changes[0].p_holm == pytest.approx(4 / 2**8)
    assert changes[1].p_holm == 1.0
