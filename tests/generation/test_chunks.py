import itertools
import re

from handbook import parsed
from hypothesis import given
from hypothesis import strategies as st

from prefkit.generation.chunks import count_tokens, cut_chunks

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
    from made_files import pdf

    from prefkit.generation.blocks import ParsedDocument, place
    from prefkit.generation.formats.pdf import read_pdf
    from prefkit.records import Document

    blocks = read_pdf(pdf(["First page text."], ["Second page text."])).blocks
    text, placed = place(blocks)
    document = Document(text=text, source="a.pdf", sha256="0")
    pages = [chunk.page for chunk in cut_chunks(ParsedDocument(document, placed), 5)]
    assert pages == [1, 2]
