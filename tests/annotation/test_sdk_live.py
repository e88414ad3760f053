"""Argilla's own SDK at the embedded server: what people know works as they know it."""

import importlib

import pytest

pytestmark = [
    pytest.mark.argilla,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # the SDK's own, of pydantic and datasets
]


@pytest.fixture
def rg():
    """The SDK: imported here, where its warnings are no errors."""
    return importlib.import_module("argilla")


@pytest.fixture
def dataset(rg, argilla_server, dataset_name):
    client = rg.Argilla(api_url=argilla_server.url, api_key=argilla_server.api_key)
    settings = rg.Settings(
        fields=[rg.TextField(name="text"), rg.ChatField(name="chat", required=False)],
        questions=[
            rg.LabelQuestion(name="label", labels=["good", "bad"]),
            rg.RatingQuestion(name="stars", values=[1, 2, 3, 4, 5], required=False),
        ],
        metadata=[rg.IntegerMetadataProperty(name="length"), rg.TermsMetadataProperty(name="kind")],
        vectors=[rg.VectorField(name="place", dimensions=2)],
    )
    made = rg.Dataset(name=dataset_name, workspace="default", settings=settings, client=client)
    made.create()
    made.records.log(
        [
            rg.Record(
                id=str(number),
                fields={
                    "text": f"the keeper has {number} keys",
                    "chat": [{"role": "user", "content": "Is the hut <b>open</b>?"}],
                },
                metadata={"length": number, "kind": "even" if number % 2 == 0 else "odd"},
                vectors={"place": [1.0, float(number)]},
                suggestions=[rg.Suggestion("stars", number % 5 + 1, score=number / 50, agent="m")],
                responses=[rg.Response("label", "good", client.me.id, status="submitted")]
                if number < 10
                else [],
            )
            for number in range(50)
        ]
    )
    yield made
    made.delete()
    client.api.http_client.close()  # the SDK leaves it open


def ids(records):
    return [record.id for record in records]


def test_the_sdk_logs_reads_and_updates_records(rg, dataset):
    assert len(list(dataset.records)) == 50
    dataset.records.log([rg.Record(id="7", fields={"text": "the keeper lost a key"})])
    assert len(list(dataset.records)) == 50
    assert ids(dataset.records(rg.Query(query="lost"))) == ["7"]


def test_the_sdk_searches_filters_and_sorts(rg, dataset):
    even = rg.Filter([("metadata.kind", "==", "even"), ("metadata.length", "<=", 6)])
    found = dataset.records(rg.Query(query="keeper keys", filter=even))
    assert sorted(ids(found)) == ["0", "2", "4", "6"]
    answered = rg.Query(filter=rg.Filter([("response.status", "==", "submitted")]))
    assert len(list(dataset.records(answered))) == 10
    good = rg.Filter([("label.response", "==", "good"), ("stars.suggestion", "==", 3)])
    assert sorted(ids(dataset.records(rg.Query(filter=good)))) == ["2", "7"]


def test_the_sdk_finds_what_is_similar(rg, dataset):
    nearest = list(dataset.records(rg.Query(similar=rg.Similar("place", [1.0, 20.0]))))
    assert nearest[0][0].id == "20"
    assert nearest[0][1] == pytest.approx(1.0, abs=1e-5)


def test_the_sdk_sees_progress(dataset):
    progress = dataset.progress()
    assert (progress["total"], progress["completed"], progress["pending"]) == (50, 10, 40)
