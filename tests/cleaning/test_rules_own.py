import pickle
import tomllib
from pathlib import Path

import pytest

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import FAILED, RULES, load_rules
from prefkit.cleaning.rules.expressions import FIELDS, FUNCTIONS, expression
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.records import Example, PreferencePair, UnpairedPreference

EXAMPLE = Example(prompt="See http://hut.org?", reference="At six.", metadata={"lang": "en"})
PAIR = PreferencePair(prompt="Who leads?", chosen="The warden.", rejected="Nobody does.")
FILE = '''
def shouting(row):
    """Answers in capitals."""
    for completion in row.good:
        if completion.text.isupper():
            return f"the {completion.field} shouts"

def yes(row):
    return True

def number(row):
    return 5

def breaks(row):
    return 1 / 0

def takes_two(row, other):
    return None

thing = 4
'''


@pytest.fixture
def file(workspace):
    (workspace.root / "mine.py").write_text(FILE, encoding="utf-8")
    return workspace.root / "mine.py"


def found(record, workspace, **config):
    rules = load_rules(CleanConfig(**config), workspace)
    return [(finding.rule, finding.detail) for finding in rules.findings(row_of(record))]


def refused(workspace, **config):
    with pytest.raises(PrefkitError) as caught:
        load_rules(CleanConfig(**config), workspace)
    assert caught.value.exit_code == EXIT_USAGE
    return caught.value.message


def test_a_function_in_a_file_is_a_rule(workspace, file):
    loud = Example(prompt="Who leads?", reference="THE WARDEN.")
    rules = {"loud": "mine.py:shouting"}
    assert found(loud, workspace, rules=rules) == [("loud", "the reference shouts")]
    assert found(EXAMPLE, workspace, rules=rules) == []
    assert found(EXAMPLE, workspace, rules={"all": "mine.py:yes"}) == [("all", "the rule says so")]
    loaded = load_rules(CleanConfig(rules=rules), workspace)
    assert loaded.rules["loud"].what == "Answers in capitals."
    assert set(loaded.files) == {"loud"}


def test_a_function_of_a_module_is_a_rule(workspace, file, monkeypatch):
    monkeypatch.syspath_prepend(str(workspace.root))
    assert found(PAIR, workspace, rules={"all": "python:mine:yes"}) == [("all", "the rule says so")]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mine.py:thing", "is no function"),
        ("mine.py:takes_two", "cannot be called with one row"),
        ("python:no_such_module_here:f", "ModuleNotFoundError"),
    ],
)
def test_what_is_no_rule_is_refused_before_the_first_row(workspace, file, target, message):
    assert message in refused(workspace, rules={"mine": target})


@pytest.mark.parametrize("target", ["none.py:f", "mine.py:absent", "nameless"])
def test_a_rule_that_is_not_there_is_refused(workspace, file, target):
    with pytest.raises(PrefkitError):
        load_rules(CleanConfig(rules={"mine": target}), workspace)


def test_rules_travel_to_another_process(workspace, file):
    config = CleanConfig(rules={"loud": "mine.py:shouting"}, drop_when={"w": "words(prompt) < 3"})
    rules = load_rules(config, workspace)
    again = pickle.loads(pickle.dumps(rules))
    assert list(again.rules) == list(rules.rules)
    assert again.findings(row_of(PAIR)) == rules.findings(row_of(PAIR)) != []


@pytest.mark.parametrize("target", ["mine.py:breaks", "mine.py:number"])
def test_a_rule_that_raises_stops_or_is_counted(workspace, file, target):
    with pytest.raises(PrefkitError, match=f"{EXAMPLE.id}: a rule failed: mine: "):
        found(EXAMPLE, workspace, rules={"mine": target})
    config = CleanConfig(rules={"mine": target}, on_rule_error="count")
    rules = load_rules(config, workspace)
    finding = rules.findings(row_of(EXAMPLE), first_only=True)[0]
    assert finding.rule == FAILED
    assert finding.detail.startswith("mine: ")
    assert rules.marks(FAILED)  # the row stays


def test_rules_can_be_chosen_left_out_and_marked(workspace):
    bad = Example(prompt="Who?", reference="Sure! [insert name] leads the")
    names = [name for name, _ in found(bad, workspace)]
    assert names == ["boilerplate", "placeholder", "truncated"]
    assert [n for n, _ in found(bad, workspace, skip_rules=("boilerplate",))] == names[1:]
    assert [n for n, _ in found(bad, workspace, use_rules=("truncated", "echo"))] == ["truncated"]
    rules = load_rules(CleanConfig(flag_rules=("boilerplate",)), workspace)
    assert [f.rule for f in rules.findings(row_of(bad), first_only=True)] == names[:2]
    assert rules.marks("boilerplate")
    assert not rules.marks("placeholder")


@pytest.mark.parametrize("field", ["skip_rules", "use_rules", "flag_rules"])
def test_an_unknown_rule_is_refused_with_the_closest(workspace, field):
    assert "did you mean `truncated`?" in refused(workspace, **{field: ("truncatd",)})
    load_rules(CleanConfig(drop_when={"mine": "1 > 2"}, **{field: ("mine",)}), workspace)


def test_a_name_is_taken_once(workspace):
    assert "ours" in refused(workspace, drop_when={"echo": "1 > 2"})
    assert "ours" in refused(workspace, drop_when={FAILED: "1 > 2"})
    both = {"rules": {"a": "mine.py:yes"}, "drop_when": {"a": "1 > 2"}}
    assert "has a rule of this name" in refused(workspace, **both)


@pytest.mark.parametrize(
    "text",
    [
        "words(reference) < 3 and 'http' in prompt",
        'starts(reference, "At") and not ends(reference, "!")',
        "matches('^At s.x', reference)",
        r'matches(r"\bsix\b", reference)',
        "metadata['lang'] == 'en' and metadata['none'] == ''",
        "characters(question) / max(words(question), 1) > 5",
        "reference[0:2] == 'At'",
        "kind in ('factual', 'other') if turns(messages) == 1 else 1 > 2",
        "count(lower(prompt), 'h') + 1 >= 2",
    ],
)
def test_an_expression_is_a_rule(workspace, text):
    assert found(EXAMPLE, workspace, drop_when={"mine": text}) == [("mine", text)]


def test_a_row_without_the_field_is_not_looked_at(workspace):
    config = {"drop_when": {"mine": "words(rejected) < 5"}, "use_rules": ("mine",)}
    assert [name for name, _ in found(PAIR, workspace, **config)] == ["mine"]
    assert found(EXAMPLE, workspace, **config) == []
    thumb = UnpairedPreference(prompt="Who?", completion="Me.", label=False)
    assert found(thumb, workspace, drop_when={"m": "not label"}, use_rules=("m",)) != []


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("words(reference) <", 19, "invalid syntax"),
        ("word(reference) < 3", 1, "no function `word`"),
        ("words(answer) < 3", 7, "no field `answer`"),
        ("prompt.__class__", 1, "an attribute is not allowed"),
        ("1 < ().__class__.__bases__", 5, "an attribute is not allowed"),
        ("__import__('os')", 1, "no function `__import__`"),
        ("eval('1')", 1, "no function `eval`"),
        ("[x for x in prompt]", 1, "a comprehension is not allowed"),
        ("(lambda: 1)()", 1, "only functions by name"),
        ("9 ** 9 ** 9", 1, "Pow"),
        ("f'{prompt}'", 1, "an f-string is not allowed"),
        ("words(*prompt)", 1, "plain arguments"),
        ("matches('(', prompt)", 9, "the pattern"),
        ("prompt := 1", 8, "invalid syntax"),
        ("words", 1, "no field `words`"),
    ],
)
def test_an_expression_that_is_not_allowed_names_its_column(workspace, text, column, message):
    said = refused(workspace, drop_when={"mine": text})
    assert said.startswith(f"[clean.drop_when] mine, column {column}: ")
    assert message in said or message == "Pow"


def test_every_rule_says_in_one_line_what_it_refuses():
    for name, rule in RULES.items():
        assert rule.what.endswith("."), name
        assert all(field in CleanConfig.model_fields for field in (*rule.tune, *rule.needs))


def test_the_readme_has_every_rule_as_it_is():
    text = (Path(__file__).parents[2] / "prefkit/cleaning/README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    told = {cells[1].strip(" `"): cells[2].strip() for cells in (row.split("|") for row in rows)}
    assert told == {name: rule.what for name, rule in RULES.items()}
    assert [name for name in (*FUNCTIONS, *FIELDS) if f"`{name}`" not in text] == []
    section = text[text.index("## Rules") :]
    tables = [part.partition("```")[0] for part in section.split("```toml\n")[1:]]
    for table in tables:
        config = CleanConfig.model_validate(tomllib.loads(table)["clean"])
        for name, line in config.drop_when.items():
            expression(name, line)
