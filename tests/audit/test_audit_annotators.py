import dataclasses
import json
import random

import pytest

from prefkit.audit import annotators
from prefkit.audit.audited import audited_of
from prefkit.errors import PrefkitError
from prefkit.records import Candidate, Judgment, PreferencePair, Vote, assistant
from prefkit.storage import write_jsonl


def voted(number, *votes, chosen="a longer answer here", rejected="short"):
    return PreferencePair(
        id=f"pair-{number}",
        prompt=f"q{number}",
        chosen=f"{chosen} {number}",
        rejected=f"{rejected} {number}",
        votes=tuple(
            Vote(annotator=who, kind=kind, outcome=outcome, weight=1, judgment_id=f"{number}-{who}")
            for who, kind, outcome in votes
        ),
    )


def rows_of(table):
    return {row[0]: dict(zip(table.headers, row, strict=True)) for row in table.rows}


def test_votes_that_pairs_keep_are_compared_when_no_judgments_are_at_hand(workspace):
    records = [
        voted(
            n,
            ("amber", "human", "for"),
            ("birch", "human", "for" if n % 4 else "against"),
            ("cedar", "human", "for"),
            ("tone", "judge", "tie"),
        )
        for n in range(20)
    ]
    section = annotators.section(audited_of(records, workspace=workspace))
    rows = rows_of(section.tables[0])
    assert set(rows) == {"amber", "birch", "cedar", "tone (judge)"}
    assert all(row["submitted"] == "20" for row in rows.values())
    assert rows["tone (judge)"]["calls two equal"].startswith("100%")
    assert rows["amber"]["longer is better"].startswith("100%")
    assert rows["birch"]["longer is better"].startswith("75%")
    assert "Pairs are made where most voters agree" in section.lede
    assert section.data["from_votes"] is True
    titles = [chart.title for chart in section.charts]
    assert titles == ["How often each annotator is right",
                      "How often each annotator prefers the longer answer"]  # fmt: skip


@pytest.fixture
def judged(workspace):
    """A pair, and a run that its judgments, candidates and raters lie in."""
    run = workspace.root / "runs" / "pairs-1"
    numbers = random.Random(4)
    judgments = []
    for n in range(40):
        first, second = (f"{n}-long", f"{n}-brief")[:: numbers.choice((1, -1))]
        for who in ("amber", "birch", "cedar", "slotty"):
            best = first if who == "slotty" else f"{n}-brief"
            judgments.append(
                Judgment(
                    prompt_id=f"p{n}",
                    annotator=who,
                    source="human",
                    ranks={best: 1, (second if best == first else first): 2},
                    shown_order=(first, second),
                    seconds=12.0,
                )
            )
    judgments.append(Judgment(prompt_id="p0", annotator="idle", source="human", status="skipped"))
    write_jsonl(run / "data" / "judgments.jsonl", judgments)
    write_jsonl(
        run / "data" / "candidates.jsonl",
        [
            Candidate(id=f"{n}-{what}", prompt_id=f"p{n}", completion=assistant(text), model="m")
            for n in range(40)
            for what, text in (("long", "many words " * 9), ("brief", "few words"))
        ],
    )
    raters = [
        {"name": "amber", "kind": "human", "votes": 40, "checked": 40, "accuracy": 0.9,
         "weight": 1.4, "checked_by": "others"},
        {"name": "slotty", "kind": "human", "votes": 40, "checked": 40, "accuracy": 0.5,
         "weight": 0.0, "checked_by": "others"},
    ]  # fmt: skip
    (run / "raters.json").write_text(json.dumps(raters), encoding="utf-8")
    audited = audited_of([PreferencePair(prompt="q", chosen="a", rejected="b")], None, workspace)
    return dataclasses.replace(audited, runs=(run,)), run


def test_judgments_upstream_tell_habits_skips_accuracy_and_weight(judged):
    audited, _ = judged
    section = annotators.section(audited)
    rows = rows_of(section.tables[0])
    assert rows["amber"]["longer is better"].startswith("0%")
    assert rows["slotty"]["first shown is best"].startswith("100%")
    assert rows["amber"]["median s"] == "12"
    assert rows["idle"]["skipped or unscored"] == "1"
    assert rows["amber"]["accuracy in pairs"].startswith("90.0 % (76.9 to 96.0), n = 40, by others")
    assert rows["amber"]["weight in pairs"] == "1.40"
    assert rows["birch"]["accuracy in pairs"] == "–"
    figures = {figure.key: figure for figure in section.figures}
    assert "slotty" in figures["annotators.flags"].alarm
    assert figures["annotators.weightless"].alarm == "No better than chance: slotty."
    assert figures["annotators.alpha"].n == 40
    assert "agree too little" in figures["annotators.alpha"].alarm
    assert section.data["from_votes"] is False


def test_a_damaged_list_of_raters_is_named(judged):
    audited, run = judged
    (run / "raters.json").write_text('[{"name": "amber"}]', encoding="utf-8")
    with pytest.raises(PrefkitError, match=r"raters\.json: not a readable list"):
        annotators.section(audited)


def test_pairs_without_votes_say_nothing_of_annotators(workspace):
    assert annotators.section(audited_of([voted(1)], workspace=workspace)) is None
    assert annotators.section(audited_of([], workspace=workspace)) is None


def test_of_many_judgments_whole_prompts_are_compared(workspace, monkeypatch):
    records = [
        voted(n, ("amber", "human", "for"), ("birch", "human", "for"), ("cedar", "rule", "for"))
        for n in range(50)
    ]
    judgments, _ = annotators.judgments_of(audited_of(records, workspace=workspace).records)
    monkeypatch.setattr(annotators, "MOST", 30)
    kept = annotators._some(judgments, seed=1)
    assert len(kept) == 30
    assert len({judgment.prompt_id for judgment in kept}) == 10
    assert annotators._some(judgments[::-1], seed=1) == kept[::-1]
    section = annotators.section(audited_of(records, workspace=workspace))
    assert section.lede.startswith("30 judgments by 3 annotators")
    assert "Of 150, those of some prompts." in section.lede


def test_names_of_annotators_are_escaped_in_charts(workspace):
    records = [
        voted(n, *((name, "human", "for") for name in ("<b>x</b>", "amber", "birch")))
        for n in range(9)
    ]
    section = annotators.section(audited_of(records, workspace=workspace))
    assert section.charts
    assert all("<b>" not in chart.svg for chart in section.charts)
