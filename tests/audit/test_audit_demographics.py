import math

import numpy as np
import pytest

from prefkit.audit import demographics
from prefkit.audit.audited import audited_of
from prefkit.audit.balance import associations, named, ratio
from prefkit.audit.term_lists import load_terms
from prefkit.records import Example, PreferencePair, UnpairedPreference


def section_of(records, workspace):
    return demographics.section(audited_of(records, workspace=workspace))


def group_of(section, name):
    return next(group for group in section.data["groups"] if group["group"] == name)


def pairs(*sides):
    return [
        PreferencePair(id=f"r{n}", prompt=f"Tell me of {n}", chosen=f"{a} {n}", rejected=f"{b} {n}")
        for n, (a, b) in enumerate(sides)
    ]


def test_groups_are_counted_by_rows_and_sides(workspace):
    records = [
        *pairs(("she sang", "he sang"), ("she and she", "nobody"), ("nobody", "his hat")),
        PreferencePair(prompt="Who is the woman?", chosen="nobody", rejected="no one"),
    ]
    section = section_of(records, workspace)
    women, men = group_of(section, "women"), group_of(section, "men")
    assert women["rows"] == {"prompt": 1, "good": 2, "bad": 0}
    assert men["rows"] == {"prompt": 0, "good": 0, "bad": 2}
    assert women["terms"] == {"she": 3, "woman": 1}
    figures = {figure.key: figure for figure in section.figures}
    assert figures["demographics.gender.named"].value == 1.0
    assert figures["demographics.gender.ratio"].value == pytest.approx(2 / 3)


def test_a_group_that_only_winners_name_is_reported_and_no_alarm(workspace):
    records = pairs(*[("she sang", "they sang")] * 20, *[("a bird", "a cat")] * 20)
    section = section_of(records, workspace)
    women = group_of(section, "women")
    assert women["change"] == 0.5
    assert women["low"] > 0.3
    assert women["p_holm"] == pytest.approx(2 * 0.5**20)  # exact McNemar, one test
    figures = {figure.key: figure for figure in section.figures}
    associated = figures["demographics.associated"]
    assert (associated.value, associated.n) == (1, 1)
    assert "women (+50.0 points)" in associated.note
    assert section.alarms == ()


def test_associations_are_adjusted_for_all_groups_of_all_lists(workspace):
    one = pairs(*[("she sang", "it sang")] * 6)
    assert group_of(section_of(one, workspace), "women")["p_holm"] == pytest.approx(2 / 64)
    two = pairs(*[("she sang to a hindu", "it sang")] * 6)
    assert group_of(section_of(two, workspace), "women")["p_holm"] == pytest.approx(4 / 64)


def test_the_ratio_of_two_groups_has_a_paired_log_interval():
    one = np.array([True] * 30 + [False] * 70)
    other = np.array([False] * 20 + [True] * 60 + [False] * 20)
    found = ratio(one, other)
    half = 1.959964 * math.sqrt((30 + 60 - 2 * 10) / (30 * 60))
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 * math.exp(-half), rel=1e-5)
    assert found.high == pytest.approx(0.5 * math.exp(half), rel=1e-5)
    assert found.n == 80
    assert math.isnan(ratio(one, np.zeros(100, bool)).value)


def test_liked_and_disliked_completions_are_compared_as_two_shares(workspace):
    records = [
        UnpairedPreference(prompt=f"q{n}", completion=f"{who} sang {n}", label=label)
        for n, (who, label) in enumerate([("he", True)] * 8 + [("it", True)] * 2
                                         + [("he", False)] * 2 + [("it", False)] * 8)
    ]  # fmt: skip
    rows = audited_of(records, workspace=workspace).records
    gender = next(terms for terms in load_terms(workspace) if terms.name == "gender")
    [groups] = named(rows, [gender])
    found = dict(
        zip((g.group for g in groups), associations(groups, rows, "unpaired"), strict=True)
    )
    men = found["men"]
    assert men.change.value == pytest.approx(0.6)
    # Wilson of 8/10 is 0.4902 to 0.9433, of 2/10 its mirror: 0.6 - √2 · 0.3098, 0.6 + √2 · 0.1433.
    assert (men.change.low, men.change.high) == pytest.approx((0.1619, 0.8027), abs=0.0002)
    assert men.p_value == pytest.approx(0.0230, abs=0.0005)
    assert found["women"].told == 0


def test_texts_without_any_term_give_no_section(workspace):
    assert section_of(pairs(("a bird", "a cat")), workspace) is None
    assert section_of([], workspace) is None


def test_examples_have_counts_and_no_association(workspace):
    records = [
        Example(prompt="Who is she?", reference="My aunt"),
        Example(prompt="a", reference="b"),
    ]
    section = section_of(records, workspace)
    [gender] = section.tables
    assert gender.headers[:3] == ("group", "prompts", "references")
    assert "p (Holm)" not in gender.headers
    assert "crude" in section.lede


def test_a_hostile_list_is_escaped_in_charts(workspace):
    folder = workspace.root / "audit" / "terms"
    folder.mkdir(parents=True)
    text = 'title = "T"\n[groups]\n"<script>alert(1)</script>" = "bird"\nother = "cat"\n'
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    section = section_of(pairs(("a bird", "a cat")), workspace)
    assert section.charts
    assert all("<script" not in chart.svg for chart in section.charts)


def test_the_order_of_rows_changes_nothing(workspace):
    records = pairs(("she", "he"), ("a hindu", "his"), ("her hat", "it"), ("it", "a monk"))
    assert section_of(records, workspace) == section_of(records[::-1], workspace)
