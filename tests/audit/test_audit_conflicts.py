import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.audit import conflicts
from prefkit.audit.audited import audited_of
from prefkit.audit.clashes import clashes
from prefkit.cleaning.rows import row_of
from prefkit.records import Example, PreferencePair, UnpairedPreference


def pair(prompt, chosen, rejected, name=""):
    return PreferencePair(id=name, prompt=prompt, chosen=chosen, rejected=rejected)


def section_of(records, workspace):
    return conflicts.section(audited_of(records, workspace=workspace))


def found_in(section):
    return {figure.key: figure for figure in section.figures}


def fillers(count):
    return [pair(f"Filler question {n}?", f"good {n}", f"bad {n}", f"f{n}") for n in range(count)]


def test_the_same_two_answers_in_opposite_order_are_found_whatever_their_spelling(workspace):
    records = [
        pair("How many huts?", "Four.", "Five.", "a"),
        pair("how many  huts", "five", "FOUR", "b"),
        *fillers(8),
    ]
    section = section_of(records, workspace)
    figure = found_in(section)["conflicts.opposite"]
    assert (figure.value, figure.n) == (pytest.approx(1 / 9), 9)
    assert figure.low < 1 / 9 < figure.high
    assert figure.alarm.startswith("1 prompt has the same two answers in opposite order")
    [entry] = section.data["opposite"]["listed"]
    assert (sorted(entry["ids"]), entry["contradiction"]) == (["a", "b"], True)
    assert found_in(section)["conflicts.rows"].value == pytest.approx(0.2)


def test_three_answers_that_beat_each_other_all_round_are_a_circle_with_a_path(workspace):
    records = [
        pair("Best?", "red", "green", "a"),
        pair("Best?", "green", "blue", "b"),
        pair("Best?", "blue", "red", "c"),
        pair("Best?", "red", "grey", "d"),
    ]
    section = section_of(records, workspace)
    assert found_in(section)["conflicts.circle"].value == 1.0
    [entry] = section.data["circle"]["listed"]
    assert sorted(entry["ids"]) == ["a", "b", "c"]
    [row] = [row for row in section.tables[0].rows if row[0] == "circle"]
    path = row[3].split(" beats ")
    assert path[0] == path[-1]
    beats = {"red": "green", "green": "blue", "blue": "red"}
    assert all(beats[one] == other for one, other in itertools.pairwise(path))
    assert not section.data["opposite"]["count"]


def test_a_majority_that_is_overruled_makes_no_circle():
    records = [
        *[pair("Best?", "red", "blue", f"r{n}") for n in range(2)],
        pair("Best?", "blue", "red", "c"),
        pair("Best?", "red", "green", "a"),
        pair("Best?", "green", "blue", "b"),
    ]
    found = clashes([row_of(r) for r in records], "pairs")
    assert not found.of_kind("circle")
    assert len(found.of_kind("opposite")) == 1


def test_the_middle_one_of_three_answers_is_noted_and_is_no_alarm(workspace):
    records = [pair("Best?", "red", "green", "a"), pair("Best?", "green", "blue", "b")]
    section = section_of(records, workspace)
    figure = found_in(section)["conflicts.both_sides"]
    assert (figure.value, figure.alarm) == (1.0, "")
    assert not section.alarms
    assert section.tables == ()
    assert found_in(section)["conflicts.rows"].value == 0


LONG = "Which of the huts along the northern ridge path has a warden who stays all summer?"


def test_a_near_duplicate_prompt_with_a_swapped_winner_is_found(workspace):
    records = [
        pair(LONG, "The upper hut has one", "None of them has one", "a"),
        pair(f"Please tell: {LONG}", "None of them has one", "The upper hut has one", "b"),
        pair("Any other?", "The upper hut has one", "None of them has one", "c"),
    ]
    section = section_of(records, workspace)
    assert [sorted(e["ids"]) for e in section.data["swapped"]["listed"]] == [["a", "b"]]
    assert found_in(section)["conflicts.swapped"].value == pytest.approx(2 / 3)


def test_near_prompts_about_different_numbers_are_different_questions():
    asked = "Which of the huts on the northern ridge had a warden all summer long in {}?"
    records = [
        pair(asked.format(2019), "The upper hut", "The lower hut", "a"),
        pair(asked.format(2020), "The lower hut", "The upper hut", "b"),
    ]
    found = clashes([row_of(r) for r in records], "pairs")
    assert found.near == 1
    assert not found.found


def test_one_answer_with_both_labels_is_found(workspace):
    records = [
        UnpairedPreference(id="a", prompt="Why?", completion="Because.", label=True),
        UnpairedPreference(id="b", prompt="Why?", completion="because", label=False),
        UnpairedPreference(id="c", prompt="Why?", completion="No idea", label=False),
    ]
    section = section_of(records, workspace)
    assert [f.key for f in section.figures] == ["conflicts.both_labels", "conflicts.rows"]
    assert sorted(section.data["both-labels"]["listed"][0]["ids"]) == ["a", "b"]
    assert len(section.alarms) == 1


def test_several_references_are_an_alarm_only_when_their_facts_differ(workspace):
    agree = [
        Example(id="a", prompt="When?", reference="It opens in May"),
        Example(id="b", prompt="When?", reference="in May, it opens"),
    ]
    assert not section_of(agree, workspace).alarms
    assert section_of(agree, workspace).data["references"]["count"] == 1
    differ = [*agree, Example(id="c", prompt="when", reference="It opens in June")]
    section = section_of(differ, workspace)
    assert section.alarms == ("1 prompt has references that do not state the same facts.",)
    same = [agree[0], Example(id="d", prompt="When?", reference="it opens in MAY.")]
    assert section_of(same, workspace).data["references"]["count"] == 0


def test_no_records_have_nothing_to_contradict(workspace):
    assert section_of([], workspace) is None


def test_a_secret_in_a_prompt_is_not_shown(workspace):
    secret = "sk-proj-" + "a8Kd93jfLs0qPzX7vB2nM4cR6tY1wE5u"
    records = [
        pair(f"My key is {secret}, right?", "yes", "no", "a"),
        pair(f"My key is {secret}, right?", "no", "yes", "b"),
    ]
    section = section_of(records, workspace)
    assert section.tables
    assert secret[:16] not in repr(section)


@given(
    st.lists(st.tuples(st.sampled_from("pq"), *[st.sampled_from("abcd")] * 2), max_size=12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_the_order_of_rows_changes_nothing(rows, shuffler: random.Random):
    records = [pair(p, c, r, f"{n:02d}") for n, (p, c, r) in enumerate(rows)]

    def told(records):
        listed = [row_of(record) for record in records]
        found = clashes(listed, "pairs")
        return sorted(
            (c.kind, sorted(listed[row].record.id for row in c.rows)) for c in found.found
        )

    before = told(records)
    shuffler.shuffle(records)
    assert told(records) == before


def test_every_opposite_pair_is_found_and_no_other():
    numbers = random.Random(3)
    records = [
        pair(f"q{numbers.randrange(300)}", *numbers.sample("uvwxyz", 2), f"r{n}")
        for n in range(900)
    ]
    seen = {}
    for record in records:
        chosen, rejected = record.chosen[0].content, record.rejected[0].content
        key = (record.prompt[0].content, frozenset((chosen, rejected)))
        seen.setdefault(key, {}).setdefault(chosen, set()).add(record.id)
    expected = {frozenset(set().union(*ways.values())) for ways in seen.values() if len(ways) == 2}
    rows = [row_of(record) for record in records]
    found = clashes(rows, "pairs").of_kind("opposite")
    assert {frozenset(rows[row].record.id for row in clash.rows) for clash in found} == expected
