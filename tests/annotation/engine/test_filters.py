"""Filters, as Argilla's Elasticsearch engine applies them."""

from datetime import datetime
from uuid import uuid4

import pytest
from argilla_server.errors.future import UnprocessableEntityError
from world import (
    between,
    both,
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
            "order": "ranking",
        },
        metadata={"source": "terms", "length": "integer", "share": "float"},
    )
    made.ann, made.ben, made.cid = world.user(), world.user(), world.user()
    made.add(
        "a",
        "apple",
        metadata={"source": "web", "length": 10, "share": 0.5, "extra": "x"},
        status="completed",
        at=datetime(2024, 1, 1, 12),
    )
    made.add(
        "b",
        "banana",
        metadata={"source": ["web", "book"], "length": 20, "share": 1},
        at=datetime(2024, 1, 2),
    )
    made.add("c", "cherry", metadata={"source": "Web", "length": -5}, at=datetime(2024, 2, 1))
    made.add("d", "date", at=datetime(2025, 1, 1))
    made.respond("a", made.ann, rating=5, label="yes", labels=["x", "y"], comment="fine")
    made.respond("a", made.ben, "draft", rating=2, label="no")
    made.respond("b", made.ann, "discarded")
    made.respond("c", made.ben, rating=3, labels=["y"])
    made.suggest("a", "label", "yes", score=0.9, agent="gpt", type="model")
    made.suggest("b", "labels", ["x", "z"], score=[0.2, 0.7], agent="ann", type="human")
    made.suggest("c", "rating", 4)
    made.suggest("c", "comment", "text is not searched", score=0.5, agent="gpt")
    return made


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (terms(of_metadata("source"), "web"), "a b"),
        (terms(of_metadata("source"), "Web"), "c"),
        (terms(of_metadata("source"), "book", "Web"), "b c"),
        (terms(of_metadata("source"), "nowhere"), ""),
        (between(of_metadata("source"), "a", "c"), "b"),
        (between(of_metadata("source"), ge="web"), "a b"),
        (terms(of_metadata("length"), "10", "20.0"), "a b"),
        (terms(of_metadata("length"), "ten", "nan", "inf"), ""),
        (between(of_metadata("length"), 10, 20), "a b"),
        (between(of_metadata("length"), ge=10.5), "b"),
        (between(of_metadata("length"), le=0), "c"),
        (between(of_metadata("length"), "5", "15"), "a"),
        (between(of_metadata("share"), 0.5, 0.5), "a"),
        (between(of_metadata("share"), ge=0.4), "a b"),
        (terms(of_metadata("share"), "1"), "b"),
        (terms(of_metadata("extra"), "x"), ""),
        (terms(of_record("status"), "completed"), "a"),
        (terms(of_record("status"), "pending"), "b c d"),
        (terms(of_record("status"), "pending", "completed"), "a b c d"),
        (terms(of_record("external_id"), "a", "d", "zzz"), "a d"),
        (between(of_record("external_id"), "b", "c"), "b c"),
        (terms(of_record("id"), str(uuid4()), "not an id"), ""),
        (between(of_record("inserted_at"), ge="2024-01-02"), "b c d"),
        (between(of_record("inserted_at"), le="2024-01-01"), "a"),
        (between(of_record("inserted_at"), le="2024-01-01T11:59:59"), ""),
        (between(of_record("inserted_at"), le="2024-01-01T12"), "a"),
        (between(of_record("inserted_at"), "2024-01", "2024-01"), "a b"),
        (between(of_record("inserted_at"), "2024", "2024"), "a b c"),
        (between(of_record("inserted_at"), ge="2024-01-02T01:00:00+01:00"), "b c d"),
        (between(of_record("inserted_at"), ge="2024-01-02T00:00:00.000001Z"), "c d"),
        (between(of_record("inserted_at"), ge="2024-01-02||+1d"), "c d"),
        (between(of_record("inserted_at"), ge="2024-01-15||/M", le="2024-01-15||/M"), "a b"),
        (between(of_record("inserted_at"), ge="now-1d/d"), ""),
        (between(of_record("updated_at"), le=1_704_153_600_000.0), "a b"),
        (terms(of_record("inserted_at"), "2024-01-02", "2025-01-01"), "b d"),
    ],
)
def test_records_and_metadata(made, filter, found):
    assert made.found(filter=filter) == found


def test_a_record_is_found_by_its_id(made):
    assert made.found(filter=terms(of_record("id"), str(made.records["b"].id))) == "b"
    assert made.found(filter=terms(of_record("id"), made.records["b"].id.hex)) == ""
    at = str(made.records["b"].id)
    assert made.found(filter=between(of_record("id"), at, at)) == "b"


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (terms(of_suggestion("label"), "yes"), "a"),
        (terms(of_suggestion("labels"), "z"), "b"),
        (terms(of_suggestion("labels"), "x", "q"), "b"),
        (terms(of_suggestion("label"), "x"), ""),
        (terms(of_suggestion("rating"), "4"), "c"),
        (between(of_suggestion("rating"), 1, 5), "c"),
        (between(of_suggestion("label", "score"), 0.5, 1), "a"),
        (between(of_suggestion("labels", "score"), 0.6, 0.8), "b"),
        (between(of_suggestion("labels", "score"), 0.3, 0.6), ""),
        (terms(of_suggestion("labels", "score"), "0.2"), "b"),
        (between(of_suggestion("comment", "score"), 0.5, 0.5), "c"),
        (terms(of_suggestion("label", "agent"), "gpt"), "a"),
        (terms(of_suggestion("comment", "agent"), "gpt", "x"), "c"),
        (terms(of_suggestion("label", "type"), "model"), "a"),
        (terms(of_suggestion("labels", "type"), "human", "model"), "b"),
        (terms(of_suggestion("comment"), "text is not searched"), ""),
    ],
)
def test_suggestions(made, filter, found):
    assert made.found(filter=filter) == found


@pytest.mark.parametrize(
    ("who", "filter", "found"),
    [
        (None, ("submitted",), "a c"),
        (None, ("draft",), "a"),
        (None, ("discarded", "draft"), "a b"),
        (None, ("pending",), "d"),
        (None, ("pending", "discarded"), "b d"),
        ("ann", ("submitted",), "a"),
        ("ann", ("draft",), ""),
        ("ann", ("pending",), "c d"),
        ("ann", ("pending", "submitted"), "a c d"),
        ("ann", ("submitted", "discarded"), "a b"),
        ("ben", ("pending",), "b d"),
        ("ben", ("pending", "draft"), "a b d"),
        ("cid", ("pending",), "a b c d"),
        ("cid", ("submitted", "draft", "discarded"), ""),
    ],
)
def test_response_status(made, who, filter, found):
    user = getattr(made, who) if who else None
    asked = terms(of_status(user), *filter)
    assert made.found(filter=asked) == found
    assert asked.values == list(filter)


@pytest.mark.parametrize(
    ("who", "question", "filter", "found"),
    [
        (None, "rating", ("5", "3"), "a c"),
        (None, "rating", (2, 3), "a c"),
        ("ann", "rating", (2, 3), ""),
        ("ben", "rating", (2, 3), "a c"),
        ("ben", "rating", ("2",), "a"),
        (None, "label", ("no",), "a"),
        ("ann", "label", ("no",), ""),
        (None, "labels", ("y",), "a c"),
        ("ann", "labels", ("y", "z"), "a"),
        ("cid", "labels", ("y",), ""),
        (None, "comment", ("fine",), ""),
        (None, "order", ("1",), ""),
    ],
)
def test_response_values(made, who, question, filter, found):
    scope = of_response(question, getattr(made, who) if who else None)
    if all(isinstance(value, int) for value in filter):
        assert made.found(filter=between(scope, *filter)) == found
    else:
        assert made.found(filter=terms(scope, *filter)) == found


def test_filters_join_by_and_with_each_other_and_the_query(made):
    source, pending = terms(of_metadata("source"), "web"), terms(of_status(made.ben), "pending")
    assert made.found(filter=both(source, pending)) == "b"
    assert made.found("apple", filter=source) == "a"
    assert made.found("-apple", filter=source) == "b"
    assert made.found("apple", filter=both(source, pending)) == ""
    assert made.found("*", filter=both(source, pending)) == "b"


@pytest.mark.parametrize(
    "filter",
    [
        between(of_record("inserted_at"), ge="yesterday"),
        between(of_record("inserted_at"), ge="2024-13-01"),
        between(of_record("inserted_at"), le="2024-01-01||+1q"),
        between(of_metadata("length"), ge="many"),
        terms(of_response(), "x"),
    ],
)
def test_a_filter_that_says_nothing_is_refused_by_name(made, filter):
    with pytest.raises(UnprocessableEntityError, match="Cannot filter"):
        made.search(filter=filter)


def test_what_changes_is_filtered_as_it_is_now(world):
    made = world.dataset(
        questions={"rating": "rating", "labels": "multi_label_selection"},
        metadata={"source": "terms"},
    )
    user = world.user()
    record = made.add("a", "x", metadata={"source": "old"})
    response = made.respond("a", user, "draft", rating=1, labels=["x"])
    suggestion = made.suggest("a", "labels", ["x"], score=[0.1], agent="one")
    with world.session() as session, session.begin():
        session.merge(record).metadata_ = {"source": "new"}
        said = session.merge(response)
        said.status = "submitted"
        said.values = {"rating": {"value": 2}, "labels": {"value": ["y"]}}
        changed = session.merge(suggestion)
        changed.value, changed.score, changed.agent = ["y"], [0.9], None
    assert made.found(filter=terms(of_metadata("source"), "old")) == ""
    assert made.found(filter=terms(of_metadata("source"), "new")) == "a"
    assert made.found(filter=terms(of_status(user), "draft")) == ""
    assert made.found(filter=terms(of_status(user), "submitted")) == "a"
    assert made.found(filter=between(of_response("rating"), 1, 1)) == ""
    assert made.found(filter=terms(of_response("labels"), "y")) == "a"
    assert made.found(filter=terms(of_suggestion("labels"), "x")) == ""
    assert made.found(filter=between(of_suggestion("labels", "score"), 0.8, 1)) == "a"
    assert made.found(filter=terms(of_suggestion("labels", "agent"), "one")) == ""
    with world.session() as session, session.begin():
        session.delete(session.merge(response))
        session.delete(session.merge(suggestion))
    assert made.found(filter=terms(of_status(user), "pending")) == "a"
    assert made.found(filter=terms(of_status(), "pending")) == "a"
    assert made.found(filter=terms(of_response("labels"), "y")) == ""
    assert made.found(filter=terms(of_suggestion("labels"), "y")) == ""


def test_a_property_made_after_the_records_finds_them(world):
    made = world.dataset()
    made.add("a", "x", metadata={"late": "yes", "figure": 3})
    made.property("late", "terms")
    made.property("figure", "float")
    made.add("b", "x", metadata={"late": "no", "figure": 4})
    assert made.found(filter=terms(of_metadata("late"), "yes")) == "a"
    assert made.found(filter=between(of_metadata("figure"), 3, 4)) == "a b"


@pytest.mark.parametrize("value", [{"deep": 1}, [], None, True, "\ud800", "nul\0", [["x"], {}]])
def test_metadata_of_any_shape_is_no_error(world, value):
    made = world.dataset(metadata={"source": "terms", "length": "integer"})
    made.add("a", "x", metadata={"source": value, "length": value})
    assert made.found("x") == "a"
    made.run(world.engine.compute_metrics_for(made.metadata["source"]))
