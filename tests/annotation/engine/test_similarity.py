"""Similarity search and metrics, with figures worked out by hand."""

import math

import pytest
from argilla_server.enums import SimilarityOrder
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.models import Vector
from world import of_metadata, terms

HALF = (1 + 1 / math.sqrt(2)) / 2


@pytest.fixture(scope="module")
def made(world):
    made = world.dataset(vectors={"v": 2, "w": 3}, metadata={"side": "terms"})
    made.add("east", "sun rises", vectors={"v": [2, 0]}, metadata={"side": "right"})
    made.add("north", "cold", vectors={"v": [0, 3], "w": [1, 1, 1]}, metadata={"side": "up"})
    made.add("northeast", "cold sun", vectors={"v": [1, 1]}, metadata={"side": "right"})
    made.add("west", "sun sets", vectors={"v": [-5, 0]}, metadata={"side": "left"})
    made.add("zero", "nothing", vectors={"v": [0, 0]})
    made.add("without", "nothing")
    return made


def result(made, **arguments):
    found = made.similar(**arguments)
    return made.names(found), [item.score for item in found.items], found.total


def test_the_most_similar_come_first_with_cosine_scores(made):
    names, scores, total = result(made, value=[1, 0])
    assert names == ["east", "northeast", "north", "west"]
    assert scores == pytest.approx([1, HALF, 0.5, 0], abs=1e-6)
    assert total == 4


def test_the_least_similar_come_first_with_scores_of_the_opposite(made):
    names, scores, _ = result(made, value=[1, 0], order=SimilarityOrder.least_similar)
    assert names == ["west", "north", "northeast", "east"]
    assert scores == pytest.approx([1, 0.5, 1 - HALF, 0], abs=1e-6)


def test_a_record_is_not_similar_to_itself(made, world):
    with world.session() as session:
        record = session.get(type(made.records["east"]), made.records["east"].id)
        assert record.vectors
        names, _, total = result(made, record=record)
    assert names == ["northeast", "north", "west"]
    assert total == 3


@pytest.mark.parametrize(
    ("arguments", "names", "total"),
    [
        ({"max_results": 2}, ["east", "northeast"], 2),
        ({"threshold": 0.6}, ["east", "northeast"], 4),
        ({"threshold": 0.5, "max_results": 3}, ["east", "northeast", "north"], 3),
        ({"filter": terms(of_metadata("side"), "right", "left")}, ["east", "northeast", "west"], 3),
        ({"query": "cold"}, ["northeast", "north"], 2),
        ({"query": "-cold"}, ["east", "west"], 2),
        ({"query": "sun", "filter": terms(of_metadata("side"), "left")}, ["west"], 1),
        ({"query": "unheard"}, [], 0),
    ],
)
def test_a_similarity_search_is_narrowed(made, arguments, names, total):
    found, _, counted = result(made, value=[1, 0], **arguments)
    assert (found, counted) == (names, total)


def test_each_kind_of_vector_is_searched_by_itself(made):
    assert result(made, of="w", value=[1, 1, 1])[0] == ["north"]


@pytest.mark.parametrize("value", [[0, 0], [1], [1, 2, 3], [math.nan, 1], [math.inf, 1]])
def test_a_vector_without_a_direction_is_refused(made, value):
    with pytest.raises(UnprocessableEntityError, match="The vector has"):
        made.similar(value=value)


def test_a_vector_or_a_record_is_needed(made):
    with pytest.raises(ValueError, match="Must provide"):
        made.similar()


def test_changed_and_deleted_vectors_are_seen(world):
    made = world.dataset(vectors={"v": 2})
    made.add("a", "x", vectors={"v": [1, 0]})
    made.add("b", "x", vectors={"v": [0, 1]})
    assert result(made, value=[1, 0])[0] == ["a", "b"]
    with world.session() as session, session.begin():
        for vector in session.query(Vector).filter_by(record_id=made.records["a"].id):
            vector.value = [-1, 0]
    assert result(made, value=[1, 0])[0] == ["b", "a"]
    made.add("c", "x", vectors={"v": [1, 0.1]})
    assert result(made, value=[1, 0])[0] == ["c", "b", "a"]
    with world.session() as session, session.begin():
        session.delete(session.merge(made.records["b"]))
    assert result(made, value=[1, 0])[0] == ["c", "a"]
    with world.session() as session, session.begin():
        session.delete(session.query(Vector).filter_by(record_id=made.records["c"].id).one())
    assert result(made, value=[1, 0])[0] == ["a"]


def test_progress_counts_records_and_a_users_own_responses(world):
    made = world.dataset()
    ann, ben = world.user(), world.user()
    made.add("a", "x", status="completed")
    made.add("b", "x")
    made.add("c", "x")
    made.respond("a", ann)
    made.respond("a", ben, "discarded")
    made.respond("b", ann, "draft")
    engine, dataset = world.engine, made.dataset
    assert made.run(engine.get_dataset_progress(dataset)) == {
        "total": 3,
        "completed": 1,
        "pending": 2,
    }
    assert made.run(engine.get_dataset_user_progress(dataset, ann)) == {
        "total": 2,
        "submitted": 1,
        "draft": 1,
    }
    assert made.run(engine.get_dataset_user_progress(dataset, ben)) == {"total": 1, "discarded": 1}
    assert made.run(engine.get_dataset_user_progress(dataset, world.user())) == {"total": 0}


def test_a_draft_dataset_has_no_progress(world):
    made = world.dataset()
    made.dataset.status = "draft"
    assert made.run(world.engine.get_dataset_progress(made.dataset)) == {}
    assert made.run(world.engine.get_dataset_user_progress(made.dataset, world.user())) == {}


def test_term_metrics_count_the_most_frequent_first_and_then_by_name(world):
    made = world.dataset(metadata={"source": "terms"})
    for number, source in enumerate(["b", "a", ["c", "b"], "c", "a", "Z", None]):
        made.add(f"r{number}", "x", metadata={"source": source})
    metrics = made.run(world.engine.compute_metrics_for(made.metadata["source"]))
    assert metrics.total == 7
    assert [(value.term, value.count) for value in metrics.values] == [
        ("a", 2),
        ("b", 2),
        ("c", 2),
        ("Z", 1),
    ]


def test_number_metrics_are_the_extremes(world):
    made = world.dataset(metadata={"length": "integer", "share": "float"})
    made.add("a", "x", metadata={"length": 7, "share": 0.1})
    made.add("b", "x", metadata={"length": -2})
    made.add("c", "x", metadata={"share": 2})
    length = made.run(world.engine.compute_metrics_for(made.metadata["length"]))
    share = made.run(world.engine.compute_metrics_for(made.metadata["share"]))
    assert (length.min, length.max, type(length.min)) == (-2, 7, int)
    assert (share.min, share.max) == (0.1, 2.0)


def test_metrics_of_nothing_are_empty(world):
    made = world.dataset(metadata={"source": "terms", "length": "integer"})
    source = made.run(world.engine.compute_metrics_for(made.metadata["source"]))
    length = made.run(world.engine.compute_metrics_for(made.metadata["length"]))
    assert (source.total, source.values) == (0, [])
    assert (length.min, length.max) == (None, None)


def test_the_engine_answers_and_says_what_it_is(world):
    made = world.dataset()
    assert made.run(world.engine.ping())
    info = made.run(world.engine.info())
    assert info["name"] == "sql"
    assert info["dialect"] in ("sqlite", "postgresql")
