import itertools
import re

import pytest
from handbook import parsed
from hypothesis import given
from hypothesis import strategies as st
from made_files import docx, pdf

from prefkit.errors import PrefkitError
from prefkit.generation.chunks import count_tokens, cut_chunks
from prefkit.generation.documents import read_documents
from prefkit.generation.measure import measuring, of_tokenizer
from prefkit.generation.sentences import sentence_spans

LINES = st.sampled_from(
    [
        "# Part",
        "## Section",
        "### Detail",
        "The engine burns 4 litres an hour. It is loud! Is it old?",
        "A short line.",
        "Steps:",
        "- one item here\n- another item there",
        "| A | B |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
        "```\ncode here\nmore code\n```",
        "word " * 60,
        "Ünïcode “quotes” — and Dr. Smith’s 3.5 km.",
    ]
)
DOCUMENTS = st.lists(LINES, min_size=1, max_size=14).map("\n\n".join)


@given(DOCUMENTS, st.integers(8, 120))
def test_a_chunk_is_an_exact_slice_and_the_chunks_cover_all_text(text, budget):
    document = parsed(text)
    chunks = cut_chunks(document, budget)
    whole = document.document.text
    for chunk in chunks:
        assert whole[chunk.start : chunk.end] == chunk.text
        assert chunk.document_id == document.document.id
    for before, after in itertools.pairwise(chunks):
        assert before.end <= after.start
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    for placed in document.blocks:
        if placed.block.kind != "heading":
            for found in re.finditer(r"\S", placed.block.text):
                assert placed.start + found.start() in covered


@given(DOCUMENTS, st.integers(40, 120))
def test_a_chunk_keeps_to_its_budget_but_for_headings(text, budget):
    for chunk in cut_chunks(parsed(text), budget):
        body = re.sub(r"^#.*$|^Steps:$", "", chunk.text, flags=re.MULTILINE)
        assert count_tokens(body) <= budget


def test_a_section_starts_a_chunk_and_gives_its_headings():
    text = "# Book\n\n## One\n\n" + "a word here. " * 20 + "\n\n## Two\n\n" + "more words. " * 20
    one, two = cut_chunks(parsed(text), 100)
    assert one.headings == ("Book", "One")
    assert two.headings == ("Book", "Two")
    assert two.text.startswith("## Two")


def test_short_sections_share_a_chunk_and_its_common_headings():
    (chunk,) = cut_chunks(parsed("# Book\n\n## One\n\nShort.\n\n## Two\n\nAlso short."), 100)
    assert chunk.headings == ("Book",)


def test_a_table_stays_whole_and_with_the_line_that_introduces_it():
    table = "| A | B |\n|---|---|\n" + "\n".join(f"| {n} | {n} |" for n in range(5))
    text = "some words. " * 15 + "\n\nThe sizes are:\n\n" + table
    first, second = cut_chunks(parsed(text), 70)
    assert first.text.endswith("words.")
    assert second.text == "The sizes are:\n\n" + table


def test_a_long_paragraph_is_cut_between_sentences():
    chunks = cut_chunks(parsed("One two three four five. " * 10), 20)
    assert all(chunk.text.endswith("five.") for chunk in chunks)
    assert len(chunks) == 4


def test_a_chunk_knows_its_page():
    from prefkit.generation.blocks import ParsedDocument, place
    from prefkit.generation.formats.pdf import read_pdf
    from prefkit.records import Document

    blocks = read_pdf(pdf(["First page text."], ["Second page text."])).blocks
    text, placed = place(blocks)
    document = Document(text=text, source="a.pdf", sha256="0")
    pages = [chunk.page for chunk in cut_chunks(ParsedDocument(document, placed), 5)]
    assert pages == [1, 2]


@given(DOCUMENTS, st.integers(24, 120), st.integers(1, 12))
def test_an_overlap_repeats_whole_sentences_and_loses_or_reorders_nothing(text, budget, overlap):
    document = parsed(text)
    whole = document.document.text
    plain = cut_chunks(document, budget - overlap)
    chunks = cut_chunks(document, budget, overlap=overlap)
    assert [chunk.end for chunk in chunks] == [chunk.end for chunk in plain]
    assert [chunk.headings for chunk in chunks] == [chunk.headings for chunk in plain]
    for chunk, alone in zip(chunks, plain, strict=True):
        assert whole[chunk.start : chunk.end] == chunk.text
        assert chunk.text.endswith(alone.text)
        repeated = whole[chunk.start : alone.start]
        assert count_tokens(repeated) <= overlap
        assert "|" not in repeated or repeated.count("|---") == 1  # a whole table or none
        assert repeated.count("```") in (0, 2)
        assert not repeated.startswith("#")
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start


def test_an_overlap_stays_inside_its_section():
    text = "# One\n\n" + "First words here. " * 20 + "\n\n# Two\n\n" + "Second words here. " * 20
    chunks = cut_chunks(parsed(text), 40, overlap=8)
    assert [chunk.text.startswith("#") for chunk in chunks].count(True) == 2
    inside = [(b, a) for b, a in itertools.pairwise(chunks) if not a.text.startswith("#")]
    assert inside
    for before, after in inside:
        (name,) = before.headings
        sentence = f"{'First' if name == 'One' else 'Second'} words here."
        assert before.text[after.start - before.start :] == f"{sentence} {sentence}"


def test_an_overlap_beyond_half_a_chunk_is_refused():
    with pytest.raises(PrefkitError, match="more than half"):
        cut_chunks(parsed("Some words."), 40, overlap=21)


FORMATS = {
    "a.md": b"# Book\n\n## One\n\n" + b"The engine burns 4 litres. " * 20 + b"\n\n- a\n- b\n",
    "b.txt": b"BOOK\n====\n\n" + b"Plain lines of text here.\n" * 20,
    "c.html": b"<html><body><article><h1>Hut</h1>"
    + b"<p>The hut has four beds and one stove. It is cold.</p>" * 12
    + b"</article></body></html>",
}


@pytest.mark.parametrize("overlap", [0, 9])
@pytest.mark.parametrize("name", [*FORMATS, "d.pdf", "e.docx"])
def test_offsets_point_into_what_every_reader_returns(tmp_path, name, overlap):
    if name == "d.pdf":
        data = pdf(["The first page says this. It goes on."] * 3, ["The second page says that."])
        (tmp_path / name).write_bytes(data)
    elif name == "e.docx":
        docx(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(FORMATS[name])
    (document,) = read_documents(tmp_path / name).documents
    chunks = cut_chunks(document, 32, overlap=overlap)
    assert chunks
    for chunk in chunks:
        assert document.document.text[chunk.start : chunk.end] == chunk.text


SPOKEN = {
    "de": ("Die Pumpe, z. B. die im Keller, läuft. Sie braucht 4,5 Liter. Wer prüft sie?", 3),
    "fr": ("La pompe est dans la cave. Elle consomme 4,5 litres ! Qui la vérifie ?", 3),
    "es": ("La bomba está en el sótano. ¿Quién la revisa? Consume 4,5 litros.", 3),
    "zh": ("水泵在地下室。每小时消耗4.5升燃料！谁来检查它？", 3),
}


@pytest.mark.parametrize("language", SPOKEN)
def test_sentences_end_where_a_language_ends_them(language):
    text, count = SPOKEN[language]
    spans = list(sentence_spans(text))
    assert len(spans) == count
    assert "".join(text[start:end] for start, end in spans).replace(" ", "") == text.replace(
        " ", ""
    )


def test_a_text_without_spaces_is_cut_to_its_budget():
    document = parsed("水泵在地下室每小时消耗燃料" * 12 + "。\n\n谁来检查它？" * 30)
    chunks = cut_chunks(document, 40, overlap=7)
    assert len(chunks) > 6
    assert all(count_tokens(chunk.text) <= 40 for chunk in chunks)


@pytest.fixture
def pieces():
    """A tokenizer that makes a token of every three letters, and says where each stands."""

    def tokenize(text, **how):
        assert how["return_offsets_mapping"]
        assert not how["add_special_tokens"]
        spans = [m.span() for m in re.finditer(r"\w{1,3}|[^\w\s]", text)]
        return {"offset_mapping": [(0, 0), *spans]}

    return tokenize


def test_a_budget_can_be_in_the_tokens_of_a_tokenizer(pieces):
    document = parsed("Considerable machinery everywhere. " * 20)
    chunks = cut_chunks(document, 40, overlap=14, measuring=of_tokenizer(pieces))
    sizes = [
        len(pieces(c.text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"])
        - 1
        for c in chunks
    ]
    assert max(sizes) <= 40
    assert len(chunks) > len(cut_chunks(document, 40, overlap=14))


def test_an_endpoint_does_not_show_its_tokenizer():
    with pytest.raises(PrefkitError, match="does not show the tokenizer"):
        measuring("model", "openai:big")


@pytest.mark.model
def test_the_embedded_model_measures_with_its_own_tokenizer():
    document = parsed("The harbourmaster inspects the pumps. " * 40)
    measure = measuring("model", "embedded")(document.document.text)
    chunks = cut_chunks(document, 60, overlap=10, measuring=measuring("model", "embedded"))
    sizes = [measure.count(chunk.start, chunk.end) for chunk in chunks]
    assert max(sizes) <= 60
    assert measure.count(0, len(document.document.text)) != count_tokens(document.document.text)
