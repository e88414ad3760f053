"""The worked example of prefkit/pairs/README.md, computed."""

import re
from pathlib import Path

import pytest

import prefkit
from prefkit.config import PairsConfig
from prefkit.pairs import make_pairs
from prefkit.records import Candidate, Example, Judgment

PAGE = (Path(prefkit.__file__).parent / "pairs" / "README.md").read_text("utf-8")
ASKED = Example(prompt="When does the hut open?", reference="At nine.")
CANDIDATES = {
    name: Candidate(prompt_id=ASKED.id, completion=text, model="big" if name == "A" else "small")
    for name, text in zip(
        "ABCD", ("At nine.", "At nine, I think.", "In the morning.", "No idea."), strict=True
    )
}
RANKINGS = {"Ada": "ABCD", "Ben": "ABDC", "Cem": "BACD"}
ROWS = re.findall(r"^\| `(\w+)(?: --policy (\w+))?`[^|]*\| ((?:A|B) > [^|]*) \|", PAGE, re.M)


def made(**config):
    votes = [
        Judgment(
            prompt_id=ASKED.id,
            ranks={CANDIDATES[name].id: place for place, name in enumerate(order, 1)},
            annotator=who,
            source="human",
        )
        for who, order in RANKINGS.items()
    ]
    return make_pairs([ASKED], CANDIDATES.values(), votes, PairsConfig(**config)).pairs


def test_the_page_shows_all_strategies_that_need_no_edit():
    assert [row[0] for row in ROWS] == [
        *("best_vs_worst", "best_vs_rest", "adjacent", "all", "on_policy_rejected")
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_of_the_page_is_what_is_made(row):
    strategy, policy, said = row
    name = {candidate.id: letter for letter, candidate in CANDIDATES.items()}
    found = [
        f"{name[pair.chosen_id]} > {name[pair.rejected_id]} {pair.margin:.2f}"
        for pair in made(strategy=strategy, policy=policy)
    ]
    assert ", ".join(found) == said


def test_the_strengths_on_the_page_are_those_of_the_votes():
    said = re.search(r"A (0\.\d+), B (0\.\d+), C (0\.\d+), D (0\.\d+)", PAGE)
    assert said
    scores = {}
    for pair in made(strategy="all", max_pairs=9):
        scores |= {pair.chosen_id: pair.score_chosen, pair.rejected_id: pair.score_rejected}
    found = [f"{scores[candidate.id]:.2f}" for candidate in CANDIDATES.values()]
    assert found == list(said.groups())
