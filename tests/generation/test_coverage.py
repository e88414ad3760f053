import json

from handbook import parsed
from hypothesis import given
from hypothesis import strategies as st
from teacher import engines, teach

from prefkit import runs
from prefkit.config import GenerateConfig
from prefkit.generation.chunks import count_tokens, cut_chunks
from prefkit.generation.coverage import Coverage
from prefkit.generation.examples import passages_of
from prefkit.generation.run import plan_generate, run_generate

TEXT = "# Book\n\n## One\n\n" + "Four words are here. " * 30 + "\n\n## Two\n\n" + "Five. " * 20


def passages(text=TEXT, overlap=0):
    document = parsed(text)
    return document, passages_of(document, cut_chunks(document, 40, overlap=overlap))


def example(passage, start, end):
    return {"quotes": [{"chunk_id": passage.chunk.id, "start": start, "end": end}]}


@given(st.integers(0, 20))
def test_words_of_an_overlap_count_once(overlap):
    document, found = passages(overlap=overlap)
    coverage = Coverage(found)
    words = coverage.shares()["words"]
    # Headings lie in chunks too; blank lines hold no word.
    assert words.whole == count_tokens(document.document.text)
    assert words.part == 0


def test_an_example_covers_its_chunk_its_headings_and_its_quoted_words():
    _, found = passages()
    coverage = Coverage(reversed(found))
    start = found[0].chunk.text.index("Four")
    coverage.count([example(found[0], start, start + len("Four words are here."))] * 2)
    shares = coverage.shares()
    assert (shares["chunks"].part, shares["chunks"].whole) == (1, len(found))
    assert (shares["headings"].part, shares["headings"].whole) == (2, 3)  # Book, Book > One
    assert shares["words quoted"].part == 5
    assert shares["words"].part == count_tokens(found[0].chunk.text)
    assert coverage.chunks[0].examples == 2


def test_a_quote_in_an_overlap_counts_for_the_chunk_that_is_quoted_and_its_words_once():
    _, found = passages(overlap=20)
    coverage = Coverage(found)
    first, second = found[0].chunk, found[1].chunk
    assert second.start < first.end
    coverage.count([example(found[1], 0, first.end - second.start)])
    assert [cover.examples for cover in coverage.chunks[:2]] == [0, 1]
    assert coverage.shares()["words quoted"].part == count_tokens(
        second.text[: first.end - second.start]
    )


def test_states_tell_dropped_from_nothing_and_from_not_tried():
    _, found = passages()
    coverage = Coverage(found)
    ids = [p.chunk.id for p in found]
    coverage.count([example(found[0], 0, 20), {"quotes": []}])
    coverage.count_drafts(ids[:3], {ids[0]: 1, ids[1]: 2, "unknown": 1})
    states = [cover.state for cover in coverage.chunks]
    assert states[:4] == ["covered", "dropped only", "nothing", "not tried"]
    assert coverage.unquoted == 1
    stored = json.loads(json.dumps(coverage.as_json()))
    assert [chunk["state"] for chunk in stored["chunks"]] == states
    assert stored["documents"][0]["dropped"] == 3


HOSTILE = '<script>alert("x")</script> & `code`'


def test_a_run_shows_its_coverage_and_escapes_what_documents_say(tmp_path, workspace, chat_server):
    chat_server.reply = lambda asked: (
        teach(asked) if "Heron0" in asked.text or "Heron1" in asked.text else '{"items": []}'
    )
    folder = engines(tmp_path / "docs", parts=4)
    (folder / "2.md").write_text(f"# {HOSTILE}\n\nThe Heron21 engine is old and it is blue.\n")
    config = GenerateConfig(
        model="openai:tiny", base_url=chat_server.url, mix="factual", chunk_tokens=64, probe=False
    )
    run = run_generate(plan_generate(str(folder), config, workspace), runs.Settings(workspace))
    stored = json.loads((run.path / "coverage.json").read_text())
    share = stored["shares"]["chunks"]
    assert share["n"] == run.manifest.outputs["chunks"]
    assert share["covered"] == 4
    page = (run.path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<rect") == share["n"] + 4  # and the legend
    assert "Headings without an example" in page
    card = (run.path / "README.md").read_text()
    assert "| 3.md | 2 | 0 | 0 | 0 |" in card
    assert f"{share['share']:.1%} of {share['n']} chunks" in card


def test_what_the_total_left_out_is_not_called_a_gap(tmp_path, workspace, chat_server):
    chat_server.reply = teach
    folder = engines(tmp_path / "docs", parts=24)
    config = GenerateConfig(
        model="openai:tiny",
        base_url=chat_server.url,
        mix="factual",
        chunk_tokens=64,
        total=4,
        concurrency=1,
        probe=False,
    )
    run = run_generate(plan_generate(str(folder), config, workspace), runs.Settings(workspace))
    states = [c["state"] for c in json.loads((run.path / "coverage.json").read_text())["chunks"]]
    assert states.count("not tried") > 24
    assert "not tried" in (run.path / "report.html").read_text()
