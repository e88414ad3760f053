import time
from pathlib import Path

import pytest
from made_files import docx, pdf

from prefkit.generation.formats.markdown import plain, read_markdown
from prefkit.generation.formats.pdf import read_pdf
from prefkit.generation.formats.plain import read_plain
from prefkit.generation.formats.web import read_html
from prefkit.generation.formats.word import read_docx
from prefkit.generation.sentences import sentence_spans


def texts(parsed):
    return [(block.kind, block.text) for block in parsed.blocks]


def test_markdown_structure_is_kept_and_lines_of_a_paragraph_join():
    parsed = read_markdown(
        "---\ntitle: Front\n---\nTitle\n=====\nOne line\nand more.\n\n## Part *two* ##\n"
        "1. First\n   goes on\n2. Second\n   - nested\n\n---\n\n"
        "| A | B |\n|:--|--:|\n| 1 | *2* |\n\n"
        "```python\n# not a heading\n```\n> quoted\n> text\n\n[ref]: http://x.example\n"
    )
    assert parsed.title == "Front"
    assert texts(parsed) == [
        ("heading", "# Title"),
        ("paragraph", "One line and more."),
        ("heading", "## Part two"),
        ("list", "1. First goes on\n2. Second\n  - nested"),
        ("table", "| A | B |\n|---|---|\n| 1 | 2 |"),
        ("code", "```python\n# not a heading\n```"),
        ("paragraph", "quoted text"),
    ]


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("**bold** and *thin* and __strong__", "bold and thin and strong"),
        ("a [link](http://x.example/a_b) here", "a link here"),
        ("keep snake_case_names and 2 * 3 * 4", "keep snake_case_names and 2 * 3 * 4"),
        ("`**not bold**` stays", "`**not bold**` stays"),
        (r"escaped \*stars\* and \[brackets\]", "escaped *stars* and [brackets]"),
        ("![alt text](x.png) shown", "alt text shown"),
    ],
)
def test_inline_marks_go_and_words_stay(marked, words):
    assert plain(marked) == words


def test_plain_text_headings_tables_and_lists():
    parsed = read_plain(
        "HANDBOOK OF HUTS\n\nWater\n=====\n\nLines of a\nparagraph.\n\nFilters\n~~~~~~~\n"
        "Text below.\n\n  Name     Height\n  ------   ------\n  Corrin   1140 m\n\n- one\n- two\n"
        "  goes on\n"
    )
    assert texts(parsed) == [
        ("heading", "# HANDBOOK OF HUTS"),
        ("heading", "# Water"),
        ("paragraph", "Lines of a paragraph."),
        ("heading", "## Filters"),
        ("paragraph", "Text below."),
        ("table", "| Name | Height |\n|---|---|\n| Corrin | 1140 m |"),
        ("list", "- one\n- two goes on"),
    ]


def test_html_keeps_the_article_and_leaves_the_menu():
    sentence = "The winter room opens on 1 October and holds eight beds. "
    page = (
        "<html><head><title>Huts &amp; more</title></head><body><nav><a href='/'>Home</a>"
        "<a href='/c'>Cookies</a></nav><article><h1>Winter</h1>"
        f"<p>{sentence * 4}</p><h2>Rules</h2><ul><li>Close the door.</li><li>Sweep.</li></ul>"
        f"<p>{sentence * 3}</p><table><tr><th>Hut</th><th>Beds</th></tr>"
        "<tr><td>Corrin</td><td>6</td></tr></table></article><footer>Imprint</footer></body></html>"
    )
    parsed = read_html(page)
    kinds = [block.kind for block in parsed.blocks]
    whole = "\n".join(block.text for block in parsed.blocks)
    assert parsed.title == "Huts & more"
    assert "# Winter" in whole
    assert "- Close the door." in whole
    assert "| Corrin | 6 |" in whole
    assert "table" in kinds
    assert "Cookies" not in whole
    assert "Imprint" not in whole


def test_docx_is_read_in_body_order(tmp_path: Path):
    parsed = read_docx(docx(tmp_path / "a.docx").read_bytes())
    assert texts(parsed) == [
        ("heading", "# Boat manual"),
        ("heading", "## Engines"),
        ("paragraph", "The Heron engine burns 4 litres an hour."),
        ("list", "1. Close the tap.\n2. Wait a minute."),
        ("table", "| Part | Weight |\n|---|---|\n| Heron | 31 kg |"),
        ("list", "1. Clean the filter.\n- Spare parts"),
    ]


def test_pdf_paragraphs_cross_pages_without_the_running_lines():
    pages = [
        [
            ("Boat manual", 20, True),
            "The first line of a long paragraph that goes",
            "on over the page and",
            "@Boat manual, page 1 of 2",
        ],
        ["ends here.", "", "A second paragraph.", "@Boat manual, page 2 of 2"],
    ]
    parsed = read_pdf(pdf(*pages))
    assert [(b.kind, b.text, b.page) for b in parsed.blocks] == [
        ("heading", "# Boat manual", 1),
        (
            "paragraph",
            "The first line of a long paragraph that goes on over the page and ends here.",
            1,
        ),
        ("paragraph", "A second paragraph.", 2),
    ]


def test_pdf_headings_by_type_size_tables_by_columns_and_lists_by_marks():
    parsed = read_pdf(
        pdf(
            [
                ("Boat manual", 20, True),
                ("Engines", 14, True),
                "The Heron engine burns four litres an hour at sea.",
                "",
                "Name\tWeight",
                "Heron\t31 kg",
                "",
                "1. Close the tap.",
                "2. Wait a minute.",
            ]
        )
    )
    assert texts(parsed) == [
        ("heading", "# Boat manual"),
        ("heading", "## Engines"),
        ("paragraph", "The Heron engine burns four litres an hour at sea."),
        ("table", "| Name | Weight |\n|---|---|\n| Heron | 31 kg |"),
        ("list", "1. Close the tap.\n2. Wait a minute."),
    ]


def test_pdf_words_cut_at_a_line_end_are_joined_as_the_document_writes_them():
    parsed = read_pdf(
        pdf(
            [
                "A low-stretch rope is a rope for res-",
                "cue work, and a low-",
                "stretch rope lasts.",
            ]
        )
    )
    assert parsed.blocks[0].text == (
        "A low-stretch rope is a rope for rescue work, and a low-stretch rope lasts."
    )


def test_pdf_lines_of_a_contents_page_are_left_out():
    parsed = read_pdf(pdf(["1 Engines . . . . . . . . 12", "", "The text of the manual."]))
    assert texts(parsed) == [("paragraph", "The text of the manual.")]


@pytest.mark.parametrize("piece", ["[", "*a ", "**a ", "`", "\\", "-|", "<!--", "a. ", ".", "#"])
def test_reading_takes_time_in_proportion_to_length(piece):
    """A hostile document must not hold the reader up: 60 kB of marks read in a moment."""
    text = piece * (60_000 // len(piece))
    began = time.monotonic()
    for read in (read_markdown, read_plain):
        for block in read(text).blocks:
            list(sentence_spans(block.text))
    assert time.monotonic() - began < 10
