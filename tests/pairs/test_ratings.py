import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefkit.errors import PrefkitError
from prefkit.pairs.ratings import Rated, scales


def rated(*values, source="human", annotator="ann"):
    human = source == "human"
    name = "human" if human else annotator
    return Rated(name, human, np.array(values, float), ["one"] * len(values))


def place(scale, value):
    return float(scale.placed(np.array([value], float))[0])


@pytest.mark.parametrize(
    ("values", "worst", "best"),
    [
        ((0, 1), 0, 1),
        ((0.2, 0.9), 0, 1),
        ((1, 4), 1, 5),
        ((3, 3), 1, 5),
        ((0, 5), 0, 5),
        ((2, 7), 1, 7),
        ((1, 10), 1, 10),
        ((0, 9), 0, 10),
        ((40, 80), 0, 100),
        ((-1, 1), -1, 1),
        ((-50, 250), -50, 250),
    ],
)
def test_a_human_scale_is_read_off_all_ratings(values, worst, best):
    scale = scales([rated(*values)], None)["human"]
    assert (scale.worst, scale.best) == (worst, best)


def test_a_one_is_not_a_ten():
    scale = scales([rated(1, 10, 1)], None)["human"]
    assert place(scale, 1) == 0
    assert place(scale, 10) == 1


def test_people_share_a_scale_so_a_harsh_rater_is_not_a_generous_one():
    harsh_and_mild = rated(1, 1, 4, 5)
    assert place(scales([harsh_and_mild], None)["human"], 1) == 0


def test_nothing_but_ones_says_nothing_until_the_scale_is_given():
    assert place(scales([rated(1, 1)], None)["human"], 1) == 0.5
    assert place(scales([rated(1, 1)], (1, 5))["human"], 1) == 0
    assert place(scales([rated(1, 1)], (0, 1))["human"], 1) == 1


def test_rules_and_judges_rate_on_0_to_1_each_for_itself():
    read_as = scales(
        [
            rated(0.31, 0.35, source="rule", annotator="rule:reference"),
            rated(1.0, 1.0, source="rule", annotator="rule:other"),
            rated(2, 9, source="judge", annotator="tone"),
        ],
        (1, 5),
    )
    assert place(read_as["rule:reference"], 0.35) == 0.35  # a small difference stays small
    assert place(read_as["rule:other"], 1) == 1
    assert (read_as["tone"].worst, read_as["tone"].best) == (1, 10)
    assert "human" not in read_as


def test_a_rating_outside_the_given_scale_is_refused_by_name():
    with pytest.raises(PrefkitError, match="judgment one") as error:
        scales([rated(3, 7)], (1, 5))
    assert "rated 7" in error.value.message


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_places_lie_on_0_to_1_and_keep_the_order(values):
    assume(-1 not in values)  # among others from 0 on it stands for no rating
    scale = scales([rated(*values)], None)["human"]
    places = [place(scale, value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
