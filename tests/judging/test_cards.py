import json

import pytest

from prefkit.errors import PrefkitError
from prefkit.judging.cards import copy_card, list_cards, load_judge
from prefkit.workspace import bundled

BUNDLED = ("correctness", "groundedness", "helpfulness")
CARD = 'question = "Which is kinder?"\n'
PROMPT = "$question\n$prompt\n$answer_a\n$answer_b\n"


@pytest.fixture
def tone(workspace):
    folder = workspace.root / "judges" / "tone"
    folder.mkdir(parents=True)
    (folder / "judge.toml").write_text(CARD)
    (folder / "prompt.txt").write_text(PROMPT)
    return folder


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_judges_load_and_own_up_to_having_no_human_labels(name, workspace):
    card = load_judge(name, workspace)
    assert card.source == "bundled"
    assert card.labels == ("A", "B", "tie")
    assert card.human_labels == 0
    assert not (bundled("judges") / name / "calibration.jsonl").exists()


def test_a_judge_in_the_workspace_needs_a_question_and_a_prompt_only(tone, workspace):
    card = load_judge("tone", workspace)
    assert (card.name, card.source, card.needs) == ("tone", "workspace", "nothing")
    assert card.prompt == PROMPT
    by_path = load_judge("./judges/tone", workspace)
    assert (by_path.name, by_path.sha256) == ("tone", card.sha256)


def test_the_hash_covers_card_and_prompt_but_not_the_human_labels(tone, workspace):
    first = load_judge("tone", workspace).sha256
    label = {"prompt": "Hi", "a": "Hello", "b": "Go", "winner": "a", "annotator": "mk"}
    (tone / "calibration.jsonl").write_text(json.dumps(label) + "\n")
    labelled = load_judge("tone", workspace)
    assert (labelled.sha256, labelled.human_labels) == (first, 1)
    (tone / "prompt.txt").write_text(PROMPT + "Be kind.")
    assert load_judge("tone", workspace).sha256 != first


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ('qestion = "?"', "`qestion` is not a field of JudgeSettings; did you mean `question`?"),
        ("", "is empty"),
        ("question = ", "not valid TOML"),
        ('question = "?"\nlabels = ["A"]', "labels"),
        ('question = "?"\nlabels = ["A", "a"]', "two labels are the same word"),
        ('question = "?"\nlabels = ["A", " "]', "a label is empty"),
        ('question = "?"\nlabels = ["A", "B", "C", "D"]', "labels"),
        ('question = "?"\nswap = false', "swap"),
        ('question = "?"\nkind = "pointwise"', "kind"),
        ('question = "?"\nneeds = "the passage"', "needs"),
        ('question = "?"\nneeds = "passage"', "`$passage` is missing"),
    ],
)
def test_a_wrong_card_is_refused_by_file_and_key(tone, workspace, card, message):
    (tone / "judge.toml").write_text(card)
    with pytest.raises(PrefkitError) as caught:
        load_judge("tone", workspace)
    assert message in caught.value.message
    assert "judges/tone/" in caught.value.message


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "is empty"),
        ("$question $prompt $answer_a", "`$answer_b` is missing"),
        (PROMPT + "$refrence", "`$refrence` is not a placeholder; did you mean `$reference`?"),
        (PROMPT + "$reference", 'but judge.toml says `needs = "nothing"`'),
        (PROMPT + "costs $5", "a `$` that begins no placeholder"),
    ],
)
def test_a_wrong_prompt_is_refused_by_file_and_placeholder(tone, workspace, prompt, message):
    (tone / "prompt.txt").write_text(prompt)
    with pytest.raises(PrefkitError) as caught:
        load_judge("tone", workspace)
    assert message in caught.value.message
    assert "prompt.txt" in caught.value.message


def test_a_prompt_that_is_not_text_or_not_there_is_refused(tone, workspace):
    (tone / "prompt.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(PrefkitError, match="UTF-8"):
        load_judge("tone", workspace)
    (tone / "prompt.txt").unlink()
    with pytest.raises(PrefkitError, match=r"needs a prompt\.txt"):
        load_judge("tone", workspace)


def test_a_broken_human_label_is_named_by_line_and_field(tone, workspace):
    (tone / "calibration.jsonl").write_text(
        '{"prompt": "Hi", "a": "x", "b": "y", "winner": "A", "annotator": "mk"}\n'
    )
    with pytest.raises(PrefkitError, match=r"calibration\.jsonl:1: .*winner"):
        load_judge("tone", workspace)


def test_an_unknown_judge_suggests_the_closest(workspace):
    with pytest.raises(PrefkitError, match="did you mean `helpfulness`"):
        load_judge("helpfullness", workspace)


def test_a_judge_in_python_is_found_by_path(workspace):
    (workspace.root / "mine.py").write_text(
        'class Brief:\n    """Which is shorter?"""\n    needs = "reference"\n'
        "    def compare(self, prompt, a, b, reference):\n        return 'a'\n"
        "class Mute:\n    pass\n"
        "class Fails:\n    def __init__(self):\n        raise OSError('no')\n"
    )
    card = load_judge("./mine.py:Brief", workspace)
    assert (card.name, card.question, card.needs) == ("Brief", "Which is shorter?", "reference")
    with pytest.raises(PrefkitError, match="has no method `compare"):
        load_judge("./mine.py:Mute", workspace)
    with pytest.raises(PrefkitError, match=r"`Fails\(\)` failed: OSError: no"):
        load_judge("./mine.py:Fails", workspace)


def test_listing_names_what_does_not_load_instead_of_hiding_it(tone, workspace):
    (tone / "prompt.txt").write_text("nothing")
    cards, broken = list_cards(workspace)
    assert [card.name for card in cards] == list(BUNDLED)
    assert len(broken) == 1
    assert "tone/prompt.txt" in broken[0]


def test_a_copy_is_found_before_the_bundled_judge_and_never_overwrites(workspace):
    folder = copy_card("helpfulness", None, workspace)
    assert folder == workspace.root / "judges" / "helpfulness"
    (folder / "prompt.txt").write_text(PROMPT)
    assert load_judge("helpfulness", workspace).prompt == PROMPT
    with pytest.raises(PrefkitError, match="already there"):
        copy_card("correctness", "helpfulness", workspace)
    assert load_judge("helpfulness", workspace).prompt == PROMPT
    copy_card("correctness", "helpfulness", workspace, overwrite=True)
    assert load_judge("helpfulness", workspace).needs == "reference"
    assert sorted(p.name for p in folder.parent.iterdir()) == ["helpfulness"]


def test_a_judge_is_never_copied_onto_itself(tone, workspace):
    with pytest.raises(PrefkitError, match="already there"):
        copy_card("tone", None, workspace, overwrite=True)
    assert load_judge("tone", workspace).prompt == PROMPT


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden", "..", "/tmp/x"])
def test_a_copy_stays_inside_the_workspace(workspace, name):
    with pytest.raises(PrefkitError, match="name of a folder"):
        copy_card("helpfulness", name, workspace)


def test_every_bundled_prompt_shows_all_it_says_it_needs(workspace):
    for name in BUNDLED:
        prompt = load_judge(name, workspace).prompt
        assert prompt.index("$answer_a") < prompt.index("$answer_b")
        assert "$key" in prompt
