from pathlib import Path

import pytest

from prefkit.annotation.layouts import LONGEST_GUIDELINE, layout_names, load_layout
from prefkit.errors import PrefkitError


@pytest.mark.parametrize("name", ["ranking", "qa_review", "human_eval"])
def test_the_bundled_layouts_load_with_guidelines_that_argilla_accepts(workspace, name):
    loaded = load_layout(name, workspace)
    assert loaded.name == name
    assert 500 < len(loaded.guideline) <= LONGEST_GUIDELINE
    assert len(loaded.guideline_sha256) == 64
    assert name in layout_names(workspace)


def mine(workspace, text, name="mine"):
    folder = workspace.root / "annotation" / "layouts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return name


RANKING = 'kind = "ranking"\nguideline = "ranking"\n'
ORDER = '[[questions]]\nasks = "ranking"\ntitle = "Order"\n'


def test_the_workspace_is_searched_before_the_bundled_layouts(workspace):
    mine(workspace, RANKING + ORDER, "ranking")
    loaded = load_layout("ranking", workspace)
    assert Path(loaded.files[0]).is_relative_to(workspace.root)
    assert [q.asks for q in loaded.layout.questions] == ["ranking"]


def test_a_comment_in_the_file_changes_no_hash_but_a_word_does(workspace):
    first = load_layout(mine(workspace, RANKING + ORDER), workspace)
    same = load_layout(mine(workspace, "# note\n" + RANKING + ORDER), workspace)
    other = load_layout(mine(workspace, RANKING + ORDER.replace("Order", "Rank")), workspace)
    assert first.sha256 == same.sha256 != other.sha256


RATING = '[[questions]]\nasks = "rating"\nname = "tone"\ntitle = "Tone of {answer}"\n'


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (RANKING + 'gideline = "x"\n' + ORDER, "gideline", "did you mean `guideline`"),
        (RANKING + ORDER + RATING + "lowst = 1\n", "questions.1.lowst", "did you mean `lowest`"),
        (RANKING + "[show]\npasage = true\n" + ORDER, "show.pasage", "did you mean `passage`"),
        (RANKING + ORDER.replace("ranking", "rankin"), "questions.0", "ranking"),
        (RANKING + RATING, "", 'asks = "ranking"'),
        (RANKING + ORDER + ORDER, "questions", "two questions are called `ranking`"),
        (RANKING + ORDER + RATING.replace(" of {answer}", ""), "", "{answer}"),
        (RANKING + ORDER + RATING + "lowest = 5\nhighest = 5\n", "questions.1", "below highest"),
        (RANKING + ORDER.replace("Order", "x" * 401), "questions.0.title", "at most 400"),
        (RANKING + ORDER + '[[questions]]\nasks = "edit"\ntitle = "E"\n', "", "may ask for"),
        (RANKING.replace('"ranking"', '"rankin"', 1) + ORDER, "kind", "'ranking'"),
        ("kind = ", "", "not valid TOML"),
    ],
)
def test_a_wrong_layout_names_its_file_and_key(workspace, text, key, said):
    mine(workspace, text)
    with pytest.raises(PrefkitError) as wrong:
        load_layout("mine", workspace)
    assert "mine.toml" in wrong.value.message
    assert key in wrong.value.message
    assert said in wrong.value.message


def test_a_misspelt_layout_gets_a_suggestion(workspace):
    with pytest.raises(PrefkitError, match="did you mean `ranking`"):
        load_layout("rankng", workspace)


def test_a_guideline_too_long_for_argilla_is_refused_before_anything_is_sent(workspace):
    folder = workspace.root / "annotation" / "guidelines"
    folder.mkdir(parents=True)
    (folder / "ranking.md").write_text("x" * (LONGEST_GUIDELINE + 1), encoding="utf-8")
    with pytest.raises(PrefkitError, match=r"ranking\.md: 10001 characters"):
        load_layout("ranking", workspace)
