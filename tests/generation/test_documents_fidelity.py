"""Every piece of a document with known content is found, in order, in each format."""

import datetime
import io
import zipfile

import pytest
from made_files import docx, pdf
from made_packages import epub, pptx, shape, slide_table, zipped

from prefkit.generation.blocks import has_words, place
from prefkit.generation.readers import readers

HEBREW, ACCENTS = "שלום עולם", "Prüfung – “naïve” ½ 東京"
SUFFIXES = readers().by_suffix


def read(suffix, data):
    data = data.encode() if isinstance(data, str) else data
    return SUFFIXES[suffix].read(data)


def shown(parsed):
    return [(block.kind, block.text) for block in parsed.blocks]


MANUAL = [
    ("heading", "# Boat manual"),
    ("paragraph", f"Words of a boat. {ACCENTS} and {HEBREW}."),
    ("heading", "## Engines"),
    ("list", "- Close the tap.\n  - When cold\n- Wait a minute."),
    ("heading", "### Parts"),
    ("table", "| Part | Weight |\n|---|---|\n| Heron | 31 kg |\n| Tern | 28 kg |"),
    ("code", "```\nstart --now\n  loop\n```"),
    ("paragraph", "The end of it."),
]

MARKDOWN = f"""# Boat manual

Words of a boat.
{ACCENTS} and {HEBREW}.

## Engines

- Close the tap.
  - When cold
- Wait a minute.

### Parts

| Part | Weight |
|------|--------|
| Heron | 31 kg |
| Tern | 28 kg |

```
start --now
  loop
```

The end of it.
"""

RESTRUCTURED = f"""===========
Boat manual
===========

.. a comment
   of two lines

Words of a *boat*.
{ACCENTS} and {HEBREW}.

Engines
-------

* Close the
  tap.

  - When cold

* Wait a minute.

Parts
~~~~~

+-------+--------+
| Part  | Weight |
+=======+========+
| Heron | 31 kg  |
+-------+--------+
| Tern  | 28 kg  |
+-------+--------+

::

  start --now
    loop

The end of it.
"""

INSIDE = f"""<h1>Boat manual</h1><p>Words of a <em>boat</em>.
{ACCENTS} and {HEBREW}.</p><h2>Engines</h2>
<ul><li>Close the tap.<ul><li>When cold</li></ul></li><li><p>Wait a minute.</p></li></ul>
<script>var hidden = 1;</script><h3>Parts</h3>
<table><thead><tr><th>Part</th><th>Weight</th></tr></thead>
<tbody><tr><td>Heron</td><td>31&nbsp;kg</td></tr>
<tr><td>Tern</td><td>28 kg</td></tr></tbody></table>
<pre>start --now
  loop</pre><div>The end of it.</div>"""


@pytest.mark.parametrize(
    ("suffix", "data"),
    [(".md", MARKDOWN), (".rst", RESTRUCTURED), (".epub", epub({"one.xhtml": INSIDE}))],
)
def test_structured_text_is_kept_piece_by_piece(suffix, data):
    assert shown(read(suffix, data)) == MANUAL


def test_html_keeps_the_same_pieces():
    sentence = "The winter room opens on 1 October and holds eight beds. "
    page = f"<html><body><article>{INSIDE}<p>{sentence * 5}</p></article></body></html>"
    text = place(read(".html", page).blocks)[0]
    wanted = ["# Boat manual", HEBREW, "## Engines", "Close the tap.", "When cold", "### Parts"]
    places = [text.index(piece) for piece in [*wanted, "| Heron | 31 kg |", "The end of it."]]
    assert places == sorted(places)


def test_html_loses_no_section_of_the_part_that_a_page_marks_as_its_text():
    sections = "".join(
        f"<section><h2>Part {n}<a class='headerlink' href='#p{n}'>¶</a></h2>"
        f"<div class='box'><p>Rule number {n} of the house says sweep.</p></div></section>"
        for n in range(40)
    )
    page = (
        "<html><body><nav><ul><li><a href='/'>Start page</a></li></ul></nav><div role='main'>"
        f"<h1>Rules</h1>{sections}<aside class='footnote'><p>[1] A footnote of the house.</p>"
        "</aside><aside><p>You may also like boats.</p></aside></div>"
        "<footer><p>Imprint of the house</p></footer></body></html>"
    )
    text = place(read(".html", page).blocks)[0]
    assert [n for n in range(40) if f"## Part {n}\n\nRule number {n} of" not in text] == []
    assert "A footnote of the house." in text
    assert not [word for word in ("Start page", "Imprint", "¶", "also like") if word in text]


def test_docx_gives_footnotes_after_the_text_and_text_boxes_once(tmp_path):
    import docx as word

    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    path = docx(tmp_path / "a.docx")
    document = word.Document(path)
    document.add_paragraph("A box: BOX")
    document.save(path)
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    box = (
        "</w:t></w:r><w:r><mc:AlternateContent xmlns:mc="
        '"http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="wps">'
        "<w:t>inside</w:t></mc:Choice><mc:Fallback><w:t>inside</w:t></mc:Fallback>"
        "</mc:AlternateContent></w:r><w:r><w:t>"
    )
    parts["word/document.xml"] = parts["word/document.xml"].replace(b"BOX", box.encode())
    parts["word/footnotes.xml"] = (
        f'<w:footnotes xmlns:w="{space}"><w:footnote w:type="separator" w:id="0"/><w:footnote '
        'w:id="1"><w:p><w:r><w:t>See the law.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    ).encode()
    assert shown(read(".docx", zipped(parts)))[-2:] == [
        ("paragraph", "A box: inside"),
        ("paragraph", "[1] See the law."),
    ]


def test_docx_keeps_unicode_and_text_of_both_directions(tmp_path):
    import docx as word

    document = word.Document(docx(tmp_path / "a.docx"))
    document.add_paragraph(f"{ACCENTS} and {HEBREW}.")
    document.save(tmp_path / "b.docx")
    parsed = read(".docx", (tmp_path / "b.docx").read_bytes())
    assert shown(parsed)[-1] == ("paragraph", f"{ACCENTS} and {HEBREW}.")
    assert shown(parsed)[0] == ("heading", "# Boat manual")


def test_pptx_keeps_titles_bullets_tables_notes_and_slide_numbers():
    parsed = read(
        ".pptx",
        pptx(
            [
                shape(["Boat manual"], "ctrTitle") + shape(["For crews"], "subTitle"),
                shape(["Close the tap.", ("When cold", 1), "Wait."], "body")
                + shape(["Engines"], "title")
                + shape(["7"], "sldNum")
                + slide_table([["Part", "Weight"], ["Heron", "31 kg"]])
                + shape([f"{ACCENTS} {HEBREW}"]),
                "hidden" + shape(["Old prices"], "title"),
            ],
            {2: "Say it slowly."},
        ),
    )
    assert [(b.page, b.kind, b.text) for b in parsed.blocks] == [
        (1, "heading", "# Boat manual"),
        (1, "paragraph", "For crews"),
        (2, "heading", "## Engines"),
        (2, "list", "- Close the tap.\n  - When cold\n- Wait."),
        (2, "table", "| Part | Weight |\n|---|---|\n| Heron | 31 kg |"),
        (2, "paragraph", f"{ACCENTS} {HEBREW}"),
        (2, "paragraph", "Notes: Say it slowly."),
    ]
    assert [reason.detail for reason in parsed.lost] == ["hidden slides 3 are left out"]


def test_a_book_is_read_in_the_order_of_its_spine_with_printed_pages():
    mark = '<span epub:type="pagebreak" title="12"/>'
    parsed = read(".epub", epub({"b.xhtml": "<p>First.</p>", "a.xhtml": f"{mark}<p>Second.</p>"}))
    assert parsed.title == "A book"
    assert [(b.text, b.page) for b in parsed.blocks] == [("First.", None), ("Second.", 12)]


def workbook(fill):
    import openpyxl

    book = openpyxl.Workbook()
    fill(book)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def test_xlsx_keeps_sheets_dates_and_percentages_and_names_what_is_left_out():
    def fill(book):
        sheet = book.active
        sheet.title = "Engines"
        sheet.append(["All engines of the yard"])
        sheet.append([])
        sheet.append(["Part", None, "Weight", "Since", "Load"])
        sheet.append(["Heron", None, 31.5, datetime.datetime(2021, 4, 3), 0.25])
        sheet["E4"].number_format = "0%"
        sheet.append(["Sum", None, "=SUM(C4:C4)"])
        hidden = book.create_sheet("Drafts")
        hidden.append(["secret", "text"])
        hidden.sheet_state = "hidden"

    parsed = read(".xlsx", workbook(fill))
    assert shown(parsed) == [
        ("heading", "# Engines"),
        ("paragraph", "All engines of the yard"),
        (
            "table",
            "| Part | Weight | Since | Load |\n|---|---|---|---|\n"
            "| Heron | 31.5 | 2021-04-03 | 25% |\n| Sum |  |  |  |",
        ),
    ]
    assert [reason.rule for reason in parsed.lost] == ["hidden-part", "no-value"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read_whatever_parts_its_cells(delimiter):
    rows = [["Part", "Weight"], ["Heron", "31 kg"], ["Tern", '28 kg "dry"'], [HEBREW, ACCENTS]]
    lines = [delimiter.join(f'"{c.replace(chr(34), 2 * chr(34))}"' for c in row) for row in rows]
    (block,) = read(".tsv" if delimiter == "\t" else ".csv", "\r\n".join(lines)).blocks
    assert block.text.split("\n") == [
        "| Part | Weight |",
        "|---|---|",
        *(f"| {a} | {b} |" for a, b in rows[1:]),
    ]


def test_every_piece_of_a_long_table_repeats_the_header_and_no_row_is_lost():
    rows = [f"boat {n},{n},{n * n}" for n in range(500)]
    blocks = read(".csv", "\n".join(["Name,Berth,Fee in euro", *rows])).blocks
    heads = {tuple(block.text.split("\n")[:2]) for block in blocks}
    body = [line for block in blocks for line in block.text.split("\n")[2:]]
    assert len(blocks) > 10
    assert heads == {("| Name | Berth | Fee in euro |", "|---|---|---|")}
    assert body == [f"| boat {n} | {n} | {n * n} |" for n in range(500)]


def test_a_table_of_numbers_without_a_header_gets_numbered_columns():
    parsed = read(".csv", "1,2\n3,4\n")
    assert parsed.blocks[0].text.startswith("| column 1 | column 2 |")
    assert "header" in parsed.notes


def test_rows_of_json_are_documents_with_their_own_ids():
    lines = [
        '{"id": "a7", "text": "First text.", "title": "One", "source": "https://x.example"}',
        '{"body": "# Head\\n\\nSecond text.", "license": "CC-BY-4.0"}',
        '{"wrong": 1}',
        "not json",
    ]
    parts = read(".jsonl", "\n".join(lines))
    assert [part.name for part in parts] == ["a7", "line 2", "line 3", "line 4"]
    assert (parts[0].parsed.title, parts[0].parsed.notes["source"]) == ("One", "https://x.example")
    assert [b.kind for b in parts[1].parsed.blocks] == ["heading", "paragraph"]
    assert parts[1].parsed.license == "CC-BY-4.0"
    assert [part.parsed.rule for part in parts[2:]] == ["no-text-field", "broken-json"]
    assert "wrong" in parts[2].parsed.detail


@pytest.mark.parametrize("text", ['[{"text": "A b."}]', '{"rows": [{"text": "A b."}]}', '["A b."]'])
def test_json_is_an_array_of_rows_or_holds_one(text):
    (part,) = read(".json", text)
    assert part.parsed.blocks[0].text == "A b."


def test_a_field_that_is_named_is_the_text():
    chosen = readers(text_field="summary").by_suffix[".json"]
    assert chosen.read(b'{"text": "No.", "summary": "Yes."}').blocks[0].text == "Yes."


def test_restructured_directives_give_their_text_and_nothing_is_included():
    parsed = read(
        ".rst",
        """
.. |boat| replace:: motor boat
.. _target: https://x.example

Term
    Its meaning, see :ref:`the parts <parts>` and `a link <https://y.example>`_.

.. note:: Mind the |boat|.

.. include:: /etc/passwd

.. code-block:: python

   print("hi")

.. list-table:: Weights
   :header-rows: 1

   * - Part
     - Weight
   * - Heron
     - 31 kg

=====  ======
Name   Height
=====  ======
Corr   1140 m
in
=====  ======

:Author: nobody
:Date: 2021

1. One::

     literal

2. Two [1]_

.. [1] A footnote.
.. [#]
   An unnamed one.
""",
    )
    assert shown(parsed) == [
        ("paragraph", "Term: Its meaning, see the parts and a link."),
        ("paragraph", "Note: Mind the motor boat."),
        ("code", '```python\nprint("hi")\n```'),
        ("paragraph", "Weights"),
        ("table", "| Part | Weight |\n|---|---|\n| Heron | 31 kg |"),
        ("table", "| Name | Height |\n|---|---|\n| Corr | 1140 m |\n| in |  |"),
        ("list", "- Author: nobody\n- Date: 2021"),
        ("list", "1. One:"),
        ("code", "```\nliteral\n```"),
        ("list", "2. Two [1]"),
        ("paragraph", "[1] A footnote."),
        ("paragraph", "An unnamed one."),
    ]


def test_pdf_mends_running_lines_and_hyphens_before_paragraphs_cross_pages():
    pages = [
        ["@Boat manual 1", "Prüfung: a paragraph on pre- and post-flight res-", "cue work that"],
        ["@Boat manual 2", "goes on over the page.", "", "Next one."],
        ["@Boat manual 3", "Third page here."],
    ]
    parsed = read(".pdf", pdf(*pages))
    first = "Prüfung: a paragraph on pre- and post-flight rescue work that goes on over the page."
    assert [(b.text, b.page) for b in parsed.blocks] == [
        (first, 1),
        ("Next one.", 2),
        ("Third page here.", 3),
    ]
    assert parsed.notes == {"running-lines": "3"}


@pytest.mark.parametrize("suffix", [".md", ".rst", ".epub"])
def test_offsets_are_exact(suffix):
    data = {".md": MARKDOWN, ".rst": RESTRUCTURED, ".epub": epub({"a.xhtml": INSIDE})}[suffix]
    blocks = read(suffix, data).blocks
    text, placed = place(blocks)
    assert has_words(blocks)
    assert all(text[p.start : p.end] == p.block.text for p in placed)
