"""Orders: sort keys, pages, and each annotator's own shuffle."""

from datetime import datetime

import pytest
from argilla_server.errors.future import UnprocessableEntityError
from prefkit_argilla.engine import paging
from world import (
    asc,
    both,
    desc,
    of_metadata,
    of_record,
    of_response,
    of_status,
    of_suggestion,
    terms,
)


@pytest.fixture(scope="module")
def made(world):
    made = world.dataset(
        questions={
            "rating": "rating",
            "label": "label_selection",
            "labels": "multi_label_selection",
            "comment": "text",
        },
        metadata={"source": "terms", "length": "integer", "share": "float"},
    )
    made.ann, made.ben = world.user(), world.user()
    made.add("a", "x", metadata={"length": 2, "source": "m"}, at=datetime(2024, 1, 3))
    made.add("b", "x", metadata={"length": 10, "source": ["z", "b"]}, status="completed")
    made.add("c", "y", metadata={"length": 2, "share": 0.5}, at=datetime(2024, 1, 2))
    made.add("d", "y", metadata={"share": -1}, at=datetime(2024, 1, 4))
    made.respond("a", made.ann, rating=1, label="no", labels=["k"])
    made.respond("a", made.ben, "draft", rating=4, label="yes")
    made.respond("b", made.ann, "discarded", rating=3)
    made.respond("c", made.ben, rating=2, labels=["j", "l"])
    made.suggest("a", "rating", 3, score=0.2, agent="gpt", type="model")
    made.suggest("b", "rating", 5, score=0.1, agent="abc", type="human")
    made.suggest("d", "labels", ["b", "y"], score=[0.9, 0.3])
    made.suggest("c", "labels", ["c"], score=[0.5])
    return made


@pytest.fixture(params=["few", "many"])
def either_way(request, monkeypatch):
    """Small and large results are sorted by different statements."""
    if request.param == "many":
        monkeypatch.setattr(paging, "MANY", 0)


CASES = [
    ((asc(of_metadata("length")),), "a c b d"),
    ((desc(of_metadata("length")),), "b a c d"),
    ((asc(of_metadata("share")),), "d c a b"),
    ((desc(of_metadata("share")),), "c d a b"),
    ((asc(of_metadata("source")),), "b a c d"),
    ((desc(of_metadata("source")),), "b a c d"),
    ((asc(of_metadata("length")), desc(of_record("inserted_at"))), "a c b d"),
    ((asc(of_metadata("length")), asc(of_record("inserted_at"))), "c a b d"),
    ((asc(of_record("status")), desc(of_metadata("share"))), "b c d a"),
    ((desc(of_record("external_id")),), "d c b a"),
    ((asc(of_record("external_id")),), "a b c d"),
    ((asc(of_record("inserted_at")),), "b c a d"),
    ((desc(of_record("updated_at")),), "d a c b"),
    ((asc(of_suggestion("rating")),), "a b c d"),
    ((desc(of_suggestion("rating")),), "b a c d"),
    ((asc(of_suggestion("rating", "score")),), "b a c d"),
    ((asc(of_suggestion("labels", "score")),), "d c a b"),
    ((desc(of_suggestion("labels", "score")),), "d c a b"),
    ((asc(of_suggestion("labels")),), "d c a b"),
    ((desc(of_suggestion("labels")),), "d c a b"),
    ((asc(of_suggestion("rating", "agent")),), "b a c d"),
    ((desc(of_suggestion("rating", "type")),), "a b c d"),
    ((asc(of_suggestion("comment")),), "a b c d"),
    ((asc(of_response("rating")),), "c a b d"),
    ((desc(of_response("rating")),), "b a c d"),
    ((asc(of_response("label")),), "a b c d"),
    ((asc(of_response("labels")),), "c a b d"),
    ((desc(of_response("labels")),), "c a b d"),
    ((asc(of_response(property="status")),), "b a c d"),
    ((desc(of_response(property="status")),), "a c b d"),
    ((asc(of_metadata("unknown")),), "a b c d"),
]


@pytest.mark.parametrize(("sort", "order"), CASES)
def test_an_order(made, either_way, sort, order):
    assert made.search(sort=list(sort)) == order.split()


@pytest.mark.parametrize(
    ("who", "question", "order"),
    [
        ("ann", "rating", "a b c d"),
        ("ben", "rating", "c a b d"),
        ("ben", "labels", "c a b d"),
        ("ann", "label", "a b c d"),
    ],
)
def test_an_order_by_ones_own_responses(made, either_way, who, question, order):
    sort = [asc(of_response(question, getattr(made, who)))]
    assert made.search(sort=sort) == order.split()
    property = asc(of_response(user=getattr(made, who), property="status"))
    assert len(made.search(sort=[property])) == 4


@pytest.mark.parametrize(("sort", "order"), CASES)
def test_pages_make_up_the_whole(made, either_way, sort, order):
    for size in (1, 3):
        pages = [made.search(sort=list(sort), offset=at, limit=size) for at in range(0, 4, size)]
        assert [name for page in pages for name in page] == order.split()


def test_an_order_of_what_is_found(made, either_way):
    by_length = [desc(of_metadata("length"))]
    assert made.search("x", sort=by_length) == ["b", "a"]
    assert made.search("-x", sort=by_length) == ["c", "d"]
    pending = terms(of_status(made.ann), "pending")
    assert made.search(sort=by_length, filter=pending) == ["c", "d"]
    assert made.search("y", sort=by_length, filter=both(pending)) == ["c", "d"]


def test_sorted_records_have_no_score(made):
    found = made.responses(sort=[asc(of_record("inserted_at"))])
    assert {item.score for item in found.items} == {None}


def test_records_sort_by_id_as_it_is_written(made):
    by_id = sorted(made.records, key=lambda name: str(made.records[name].id))
    assert made.search(sort=[asc(of_record("id"))]) == by_id
    assert made.search(sort=[desc(of_record("id"))]) == by_id[::-1]


def test_an_order_that_says_nothing_is_refused_by_name(made):
    with pytest.raises(UnprocessableEntityError, match="Cannot sort"):
        made.search(sort=[asc(of_response())])


@pytest.fixture(scope="module")
def many(world):
    made = world.dataset()
    for number in range(60):
        made.add(f"r{number}", "even" if number % 2 == 0 else "odd word")
    return made


def test_each_user_has_an_order_of_their_own_that_stays(many, world):
    ann, ben = world.user().id, world.user().id
    first = many.search(user_id=ann)
    assert many.search(user_id=ann) == first
    assert many.search(user_id=str(ann)) == first
    assert many.search(user_id=ben) != first
    assert sorted(first) == sorted(many.records)
    assert first != sorted(first, key=list(many.records).index)


def test_pages_of_a_shuffle_make_up_the_whole(many, world):
    user = world.user().id
    pages = [many.search(user_id=user, offset=at, limit=7) for at in range(0, 60, 7)]
    assert [name for page in pages for name in page] == many.search(user_id=user)


def test_a_shuffle_keeps_its_order_when_records_leave_it(many, world):
    user = world.user()
    order = many.search(user_id=user.id)
    for name in order[:5]:
        many.respond(name, user)
    pending = terms(of_status(user), "pending")
    assert many.search(user_id=user.id, filter=pending) == order[5:]


def test_a_shuffle_spreads_evenly(many, world):
    early = [0] * 60
    for _ in range(200):
        for name in many.search(user_id=str(world.numbers.__next__()) + "u", limit=30):
            early[int(name[1:])] += 1
    assert min(early) > 60
    assert max(early) < 140


def test_scores_of_a_shuffle_are_between_zero_and_one_and_fall(many, world):
    found = many.responses(user_id=world.user().id)
    scores = [item.score for item in found.items]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] < 1


def test_a_sort_key_comes_before_the_shuffle(many, world):
    by_name = [asc(of_record("external_id"))]
    assert many.search(user_id=world.user().id, sort=by_name) == sorted(many.records)


def test_a_shuffle_of_what_a_query_finds(many, world):
    found = many.search("even", user_id=world.user().id)
    assert sorted(found) == sorted(name for name in many.records if int(name[1:]) % 2 == 0)
