import json
import math
import random

import numpy as np
import pytest

from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.generation.collapse import Part, of_plan, of_repeats
from prefkit.generation.diversity import (
    FEWEST_TEXTS,
    FEWEST_WORDS,
    difference,
    measure,
    words_alone,
)
from prefkit.generation.diversity_found import diversity_of
from prefkit.generation.diversity_page import card_of, section_of
from prefkit.generation.diversity_sets import SAMPLE, Compared, Said, Sample
from prefkit.generation.repeats import repeats, thirds

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"]
ASKS = ("what", "who", "when", "where", "why", "how", "is", "which")


def sentences(count, seed, size=18):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=size)) for _ in range(count)]


def diverse(count=90, seed=1):
    draw = random.Random(seed)
    told = sentences(2 * count, seed)
    return [
        ("good", Said(f"{draw.choice(ASKS)} {told[i]}?", f"{told[count + i]}.", "en"))
        for i in range(count)
    ]


def collapsed(count=90):
    bodies = sentences(8, 3)
    return [
        (
            "bad",
            Said(f"What is the use of {bodies[i % 8]}?", f"It is used for {bodies[i % 8]}.", ""),
        )
        for i in range(count)
    ]


def passages(count=90):
    return sentences(count, 2, size=60)


def found(rows, **more):
    return diversity_of(rows, passages(), words_alone, **more)


def about(diversity):
    return [alarm.key for alarm in diversity.alarms]


def test_a_diverse_set_raises_no_alarm():
    diversity = found(diverse())
    assert about(diversity) == []
    assert "No sign of collapse" in card_of(diversity)


def test_a_collapsed_set_raises_every_alarm_with_its_n():
    diversity = found(collapsed())
    names = ("most frequent opening", "distinct-3", "compression", "Vendi score")
    assert about(diversity) == [f"{f}.{n}" for f in ("questions", "answers") for n in names]
    assert all("n = " in alarm.says for alarm in diversity.alarms)
    assert diversity.alarms[0].says == (
        "100.0 % of the questions open with “what is the use” (n = 90)."
    )
    card = card_of(diversity)
    assert all(alarm.says in card for alarm in diversity.alarms)
    assert set(section_of(diversity).alarms) == {alarm.says for alarm in diversity.alarms}


def test_one_collapsed_generator_is_named_among_others():
    diversity = found(diverse(300) + collapsed(60))
    assert {key.split(".")[1] for key in about(diversity) if key.count(".") == 2} == {"bad"}
    assert any("of bad open with" in alarm.says for alarm in diversity.alarms)
    questions = diversity.fields[0]
    n = {m.distinct[2].n for m in questions.generators.values()}
    assert len(n) == 1  # words: the same of all


def test_the_order_of_rows_does_not_matter():
    rows = diverse(70) + collapsed(70)
    shuffled = random.Random(7).sample(rows, len(rows))
    people = Compared("people.jsonl", 60, tuple(said for _, said in diverse(60, seed=5)))
    one, other = (found(of, compared=people).as_json() for of in (rows, shuffled))
    assert json.dumps(one) == json.dumps(other)


def test_a_sample_depends_on_content_alone():
    rows = [Said(f"q{i}") for i in range(SAMPLE + 500)]
    one, other = Sample(), Sample()
    for said in rows:
        one.add(said)
    for said in reversed(rows):
        other.add(said)
    assert one.rows == SAMPLE + 500
    assert one.said() == other.said()
    assert len(one.said()) == SAMPLE


@pytest.mark.parametrize("rows", [[], diverse(3), collapsed(3), [("g", Said("", ""))] * 4])
def test_tiny_sets_are_too_few_and_never_alarm(rows):
    diversity = found(rows)
    assert diversity.alarms == []
    json.dumps(diversity.as_json(), allow_nan=False)
    figures = diversity.fields[0].sides["made"].figures()
    assert all(math.isnan(figure.value) for figure in figures.values())
    assert all(figure.method.startswith("too few") for figure in figures.values())
    section = section_of(diversity)
    assert section.charts == ()
    assert all(figure.value is None for figure in section.figures)
    assert "too few" in card_of(diversity)


def test_a_collapsed_set_is_not_set_beside_too_few_passages():
    diversity = diversity_of(collapsed(), ["one passage"], words_alone)
    assert about(diversity) == ["questions.most frequent opening", "answers.most frequent opening"]


def test_distinct_is_what_a_hand_counts():
    # Fifty texts of twenty words: a, and nineteen of the set's own; no text shares them.
    texts = [" ".join(["a", *(f"w{i}x{j}" for j in range(19))]) for i in range(FEWEST_TEXTS)]
    one = measure({"made": texts}, words_alone)["made"]
    assert sum(len(text.split()) for text in texts) == FEWEST_WORDS
    assert one.distinct[0].value == pytest.approx(951 / 1000)  # a once
    assert one.distinct[0].n == FEWEST_WORDS
    assert one.distinct[2].value == 1.0
    assert one.opening.value == 1 / 50


def test_sets_are_measured_at_the_words_and_texts_of_the_smallest_that_is_enough():
    sides = {"large": sentences(900, 4), "small": sentences(60, 5), "tiny": sentences(4, 6)}
    of = measure(sides, words_alone)
    assert {of[name].distinct[0].n for name in ("large", "small")} == {60 * 18}
    assert {of[name].vendi.n for name in ("large", "small")} == {60}
    assert math.isnan(of["tiny"].vendi.value)


def test_vendi_counts_texts_without_a_word_in_common():
    texts = [f"only{i}" for i in range(60)]
    assert measure({"made": texts}, words_alone)["made"].vendi.value == pytest.approx(60)
    assert measure({"made": ["same"] * 60}, words_alone)["made"].vendi.value == pytest.approx(1)


def test_an_embedder_decides_what_is_alike():
    def halves(texts):
        return np.eye(2)[[index % 2 for index in range(len(texts))]]

    assert measure({"made": sentences(60, 1)}, halves)["made"].vendi.value == pytest.approx(2)


def test_an_embedder_that_fails_leaves_the_rest_measured():
    def broken(texts):
        raise PrefkitError("the endpoint is gone")

    diversity = diversity_of(collapsed(), passages(), broken)
    assert "questions.Vendi score" not in about(diversity)
    assert "questions.distinct-3" in about(diversity)
    assert "the endpoint is gone" in section_of(diversity).lede


def test_a_difference_has_the_interval_of_newcombe():
    # Newcombe (1998), method 10: 56/70 against 48/80 is 0.2, 0.0524 to 0.3339.
    apart = difference(wilson(56, 70), wilson(48, 80))
    assert (apart.low, apart.high) == (
        pytest.approx(0.0524, abs=5e-5),
        pytest.approx(0.3339, abs=5e-5),
    )
    assert difference(Estimate(math.nan, 0), wilson(1, 2)).low is None


def test_what_differs_from_peoples_set_is_told():
    people = Compared("people.jsonl", 90, tuple(said for _, said in diverse(90, seed=9)))
    alike, apart = found(diverse(), compared=people), found(collapsed(), compared=people)
    assert not alike.fields[0].differences()["distinct-3"].below(0)
    assert apart.fields[0].differences()["distinct-3"].below(0)
    assert apart.fields[0].differences()["most frequent opening"].above(0)
    tables = {table.title: table for table in section_of(apart).tables}
    rows = {row[0]: row[-1] for row in tables["Questions beside those of people.jsonl"].rows}
    assert rows["compression"] == "differs"
    assert rows["Vendi score"] == "no interval"
    assert "written by people" in tables["Question types"].headers


def test_a_kind_over_twice_its_share_alarms():
    parts = [
        Part("kind", "why", 10, 100, 45, 90),
        Part("kind", "numeric", 40, 100, 45, 90),  # 50 % of 40 % planned
        Part("persona", "keeper", 10, 100, 5, 10),  # too few
        Part("persona", "guest", 20, 100, 38, 90),  # 42 %, whose interval holds 40 %
    ]
    alarms = list(of_plan(parts))
    assert [alarm.key for alarm in alarms] == ["kinds.why"]
    assert alarms[0].says == (
        "The kind why has 50.0 % of what was made (n = 90) and 10.0 % of the plan (n = 100)."
    )


def test_repeats_are_near_an_earlier_question_or_dropped():
    first = "How often must the Heron engine of the harbour be inspected by the crew?"
    again = "How often must the Heron engine of the harbour be inspected by a crew?"
    other = "Who keeps the key?"
    assert repeats([first, other, None, again, "What burns?"]) == [False, False, True, True, False]
    assert repeats([]) == []


def test_a_run_that_repeats_itself_later_alarms():
    early, late = [False] * 60, [True] * 20 + [False] * 40
    assert [third.value for third in thirds(early + early + late)] == [0, 0, pytest.approx(1 / 3)]
    alarms = list(of_repeats(thirds(early + early + late)))
    assert "from 0 per thousand drafts in the first third of the run to 333" in alarms[0].says
    assert not list(of_repeats(thirds(late + early + early)))
    assert not list(of_repeats(thirds(([False] * 9) + [True] * 3)))
