"""Nothing is lost: crashes, other engines, old versions, migrations, several writers."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from argilla_server.models import Field, Record
from prefkit_argilla.engine import indexing, schema
from prefkit_argilla.engine.database import Busy, Database, rows, run
from sqlalchemy import delete
from world import World, of_metadata, of_response, of_status, terms

TESTS = Path(__file__).parent


def test_a_record_is_found_though_nobody_told_the_engine(world):
    made = world.dataset()
    made.add("a", "committed, then the server was killed")
    assert made.found("killed") == "a"


def test_a_process_killed_after_its_commit_leaves_a_searchable_record(empty_url):
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "import conftest; from world import World; world = World(sys.argv[1])\n"
        "world.dataset().add('a', 'last words'); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, empty_url, str(TESTS)],
        capture_output=True,
        timeout=120,
    )
    assert died.returncode == -9
    world = World(empty_url)
    with world.database.reading() as connection:
        id = rows(connection, "SELECT id FROM datasets")[0].id
        assert rows(connection, "SELECT count(*) AS n FROM prefkit_dirty")[0].n == 1
    dataset = SimpleNamespace(id=UUID(str(id)))
    found = asyncio.run(world.engine.search(dataset, query="last"))
    world.close()
    assert found.total == 1


def test_changed_fields_are_found_as_they_are_now(world):
    made = world.dataset()
    record = made.add("a", "before")
    assert made.found("before") == "a"
    with world.session() as session, session.begin():
        session.merge(record).fields = {"text": "after"}
    assert made.found("before") == ""
    assert made.found("after") == "a"


def test_deleted_records_are_gone_at_once(world):
    made = world.dataset(metadata={"source": "terms"})
    made.add("a", "same", metadata={"source": "x"})
    made.add("b", "same", metadata={"source": "x"})
    assert made.found("same") == "a b"
    with world.session() as session, session.begin():
        session.execute(delete(Record).where(Record.id == made.records["a"].id))
    assert made.found("same") == "b"
    assert made.found("-other") == "b"
    assert made.found(filter=terms(of_metadata("source"), "x")) == "b"
    with world.session() as session, session.begin():
        session.delete(session.merge(made.dataset))
    assert made.search("same") == []
    left = "SELECT 1 FROM prefkit_docs AS d LEFT JOIN records AS r ON r.id = d.record_id "
    with world.database.reading() as connection:
        assert not rows(connection, left + "WHERE r.id IS NULL")


def test_a_deleted_users_responses_are_gone(world):
    made = world.dataset()
    user = world.user()
    made.add("a", "x")
    made.respond("a", user)
    with world.session() as session, session.begin():
        session.delete(session.merge(user))
    assert made.found(filter=terms(of_status(), "pending")) == "a"


def test_a_record_that_changes_while_it_is_read_is_done_again(world, monkeypatch):
    made = world.dataset()
    record = made.add("a", "first")
    analysed = indexing._segments

    def slowly(columns, stored):
        monkeypatch.setattr(indexing, "_segments", analysed)
        with world.session() as session, session.begin():
            session.merge(record).fields = {"text": "second"}
        return analysed(columns, stored)

    monkeypatch.setattr(indexing, "_segments", slowly)
    assert made.found("second") == "a"
    assert made.found("first") == ""


def test_a_field_made_later_is_searched(world):
    made = world.dataset()
    made.add("a", {"text": "one", "more": "two"})
    assert made.found("two") == ""
    world.save(
        Field(name="more", title="more", settings={"type": "text"}, dataset_id=made.dataset.id)
    )
    made.add("b", {"text": "one", "more": "two"})
    assert made.found("two") == "a b"


def test_an_index_is_made_again(world):
    made = world.dataset()
    made.add("a", "text")
    assert made.found("text") == "a"
    made.run(world.engine.delete_index(made.dataset))
    made.run(world.engine.create_index(made.dataset))
    made.run(world.engine.index_records(made.dataset, []))
    assert made.found("text") == "a"
    assert made.found("textt~1") == "a"


@pytest.fixture
def used(empty_url):
    """A database with something in everything."""
    world = World(empty_url)
    made = world.dataset(
        questions={"rating": "rating"}, metadata={"source": "terms"}, vectors={"v": 2}
    )
    made.user = world.user()
    made.add("a", "apple", metadata={"source": "x"}, vectors={"v": [1, 0]})
    made.add("b", "banana", metadata={"source": "y"}, vectors={"v": [0, 1]})
    made.respond("a", made.user, rating=3)
    made.suggest("b", "rating", 4, score=0.5, agent="judge")
    check(made)
    yield made
    world.close()


def check(made):
    assert made.found("apple") == "a"
    assert made.found(filter=terms(of_metadata("source"), "y")) == "b"
    assert made.found(filter=terms(of_status(made.user), "pending")) == "b"
    assert made.found(filter=terms(of_response("rating"), "3")) == "a"
    assert made.names(made.similar(value=[0, 1])) == ["b", "a"]


def test_a_database_of_another_engine_or_version_is_taken_over(used):
    world = used.world
    with world.database.writing() as connection:
        schema.drop(connection)
    schema.ensure(world.database)
    check(used)
    with world.database.writing() as connection:
        run(connection, "UPDATE prefkit_schema SET version = 0")
    schema.ensure(world.database)
    check(used)


def test_a_lost_trigger_is_mended_with_what_it_missed(used):
    world = used.world
    lost, table = "prefkit_responses_insert", ""
    if not world.database.is_sqlite:
        lost, table = "prefkit_responses_change", "ON responses"
    with world.database.writing() as connection:
        run(connection, f"DROP TRIGGER {lost} {table}")
    used.respond("b", used.user, rating=5)
    schema.ensure(world.database)
    assert used.found(filter=terms(of_status(used.user), "pending")) == ""
    assert used.found(filter=terms(of_response("rating"), "5")) == "b"


def test_making_our_tables_twice_changes_nothing(used):
    before = counted(used.world.database)
    schema.ensure(used.world.database)
    assert counted(used.world.database) == before
    check(used)


def counted(database):
    with database.reading() as connection:
        return [
            rows(connection, f"SELECT count(*) AS n FROM prefkit_{name}")[0].n
            for name in ("docs", "terms", "numbers", "responses", "vectors")
        ]


def test_argillas_migrations_pass_down_and_up_beside_our_tables(used, empty_url):
    environment = {**os.environ, "ARGILLA_DATABASE_URL": empty_url}
    command = [sys.executable, "-m", "argilla_server", "database"]
    for step in (["revisions"], ["migrate", "--revision", "2.4"], ["migrate"]):
        done = subprocess.run(
            [*command, *step], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    schema.ensure(used.world.database)
    assert used.found("apple") == "a"
    assert used.found(filter=terms(of_status(used.user), "pending")) == "b"


def test_an_unmigrated_database_is_refused_by_name(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(RuntimeError, match="migrate it first"):
        schema.ensure(database)
    database.engine.dispose()


def test_a_search_answers_while_another_writer_holds_the_lock(world, monkeypatch):
    if not world.database.is_sqlite:
        pytest.skip("PostgreSQL has no single writer")
    monkeypatch.setattr("prefkit_argilla.engine.engine._PATIENCE", 0.1)
    made = world.dataset()
    made.add("a", "indexed")
    assert made.found("indexed") == "a"
    made.add("b", "indexed too late")
    with world.database.writing():
        assert made.found("indexed") == "a"
        with pytest.raises(Busy), world.database.writing(wait=0.05):
            pass
    assert made.found("indexed") == "a b"


def test_many_writers_and_searches_at_once_lose_nothing(world):
    made = world.dataset()
    failures = []

    def write(number):
        try:
            for part in range(5):
                made.add(f"r{number}-{part}", f"word{number} common")
                made.search(f"word{number}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(made.search("common")) == 30
    assert len(made.search("word3")) == 5
