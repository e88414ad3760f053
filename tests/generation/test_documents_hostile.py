"""Damaged and malicious files: a reason for each, no crash, no flood of memory, no long wait."""

import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_packages import epub, pptx, shape, zipped

from prefkit.generation.blocks import Parsed, Part, Unreadable, one_line, place, visible
from prefkit.generation.documents import read_documents
from prefkit.generation.readers import readers

SUFFIXES = readers().by_suffix
LAUGHS = '<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
DEEP_XML = "<a>" * 5000 + "</a>" * 5000
GOOD = "The café opens at eight."


def rules(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    (tmp_path / "zz.md").write_text(GOOD, encoding="utf-8")
    read = read_documents(tmp_path)
    assert [p.document.source for p in read.documents][-1] == "zz.md"
    return [dropped.rule for dropped in read.dropped]


def content_of(suffix, data):
    """What a reader finds, or why it refuses; anything else it raises fails the test."""
    try:
        return SUFFIXES[suffix].read(data)
    except Unreadable as reason:
        return reason


def package(kind):
    if kind == "epub":
        return epub({"a.xhtml": "<p>Text.</p>"})
    return pptx([shape(["Text."])])


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "epub"])
def test_what_is_no_package_or_a_locked_one_is_named(tmp_path, kind):
    assert rules(tmp_path, f"a.{kind}", b"no zip at all") == [f"broken-{kind}"]
    assert rules(tmp_path, f"a.{kind}", b"\xd0\xcf\x11\xe0" + b"\0" * 600) == ["locked"]
    assert rules(tmp_path, f"a.{kind}", zipped({"hello.txt": "hello"})) == [f"broken-{kind}"]


@pytest.mark.parametrize("kind", ["pptx", "epub"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_a_package_that_was_cut_is_dropped(tmp_path, kind, part):
    data = package(kind)
    assert rules(tmp_path, f"a.{kind}", data[: int(part * len(data))]) == [f"broken-{kind}"]


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "epub"])
def test_a_zip_bomb_is_not_unpacked(tmp_path, kind):
    path = tmp_path / f"bomb.{kind}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", b"0" * 50_000_000)
    data = path.read_bytes()
    tracemalloc.start()
    assert rules(tmp_path, path.name, data) == ["too-large"]
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.docx", {"[Content_Types].xml": LAUGHS}),
        ("a.xlsx", {"xl/workbook.xml": LAUGHS}),
        ("a.xlsx", {"xl/workbook.xml": LAUGHS.encode("utf-16")}),
        ("a.pptx", {"ppt/presentation.xml": LAUGHS}),
        ("a.epub", {"META-INF/container.xml": LAUGHS}),
    ],
)
def test_entities_that_a_file_defines_are_refused(tmp_path, name, parts):
    (rule,) = rules(tmp_path, name, zipped(parts))
    assert rule.startswith("broken-")


def test_a_book_page_does_not_expand_its_entities_or_read_files():
    page = (
        '<!DOCTYPE html [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY a "haha haha">]>'
        "<html><body><p>Before &f; &a; after&mdash;all.</p></body></html>"
    )
    parsed = SUFFIXES[".epub"].read(epub({}, **_only(page)))
    text = place(parsed.blocks)[0]
    assert "root:" not in text
    assert "haha" not in text
    assert "after—all." in text


def _only(page):
    return {
        "OPS/book.opf": '<package><manifest><item id="a" href="a.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine>'
        "</package>",
        "OPS/a.xhtml": page,
    }


def test_a_protected_book_is_locked():
    reference = "<CipherData><CipherReference URI='OPS/a.xhtml'/></CipherData>"
    locked = f"<encryption><EncryptedData>{reference}</EncryptedData></encryption>"
    with pytest.raises(Unreadable) as caught:
        SUFFIXES[".epub"].read(epub({"a.xhtml": "<p>x</p>"}, **{"META-INF/encryption.xml": locked}))
    assert caught.value.rule == "locked"


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".pptx", pptx([DEEP_XML])),
        (".epub", epub({"a.xhtml": "<div>" * 20_000 + "deep" + "</div>" * 20_000})),
        (".html", b"<div>" * 50_000 + b"words in the deep"),
        (".json", b"[" * 200_000),
        (".jsonl", b'{"text": ' + b"[" * 100_000),
        (".json", b'{"text": ' + b"9" * 6000 + b"}"),
        (".rst", "\n".join(" " * n + f"word {n}" for n in range(2000)).encode()),
        (".rst", "\n".join("  " * n + "- x" for n in range(500)).encode()),
        (".rst", b".. note:: " * 3000),
        (".csv", b'"' + b"a" * 3_000_000),
        (".csv", b"," * 2_000_000),
        (".md", b"> " * 200_000),
        (".md", b"- " * 100_000),
    ],
)
@pytest.mark.timeout(20)
def test_depth_and_endless_lines_end_in_words_or_a_reason(suffix, data):
    assert isinstance(content_of(suffix, data), Parsed | list | Unreadable)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".rst", ".csv", ".html", ".json", ".jsonl"])
@pytest.mark.parametrize("piece", ["word ", "`", "*a", "|", "_", "<p", ":a:`", "[a](", "\\", '"'])
@pytest.mark.timeout(20)
def test_a_line_of_megabytes_is_read_in_a_moment(suffix, piece):
    data = (piece * (1_000_000 // len(piece))).encode()
    assert isinstance(content_of(suffix, data), Parsed | list | Unreadable)


def test_half_a_character_does_not_reach_the_text(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"text": "left \\ud800 right", "title": "\\udfff"}')
    (found,) = read_documents(tmp_path).documents
    assert found.document.text == "left \ufffd right"
    assert found.document.json_line()


_MARKS = st.sampled_from([*"*-_=#~`|:.+>[]()<>\\\"',;\t\n\n  ", "..", "::", "\n  ", "\n\n"])
_TEXTS = st.lists(st.one_of(_MARKS, st.text(max_size=6)), max_size=80).map("".join)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".rst", ".csv", ".tsv", ".json", ".jsonl"])
@given(text=_TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused_and_offsets_are_exact(suffix, text):
    content = content_of(suffix, text.encode("utf-8", "surrogatepass"))
    parts = content if isinstance(content, list) else [Part("", content)]
    for parsed in (part.parsed for part in parts):
        if isinstance(parsed, Parsed):
            whole, placed = place(parsed.blocks)
            assert all(whole[p.start : p.end] == p.block.text for p in placed)


@given(
    text=_TEXTS, lead=st.sampled_from([".. ", ".. csv-table::\n   :delim: ", "+--+\n|", "== ==\n"])
)
@settings(max_examples=300, deadline=None)
def test_any_directive_or_table_of_restructured_text_is_read(text, lead):
    found = content_of(".rst", (lead + text).encode("utf-8", "surrogatepass"))
    assert isinstance(found, Parsed | Unreadable)


@given(words=st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1))
def test_no_word_of_plain_restructured_text_is_lost(words):
    paragraph = "Begin " + " ".join(words)
    text = place(SUFFIXES[".rst"].read(f"Title\n=====\n\n{paragraph}\n".encode()).blocks)[0]
    assert text == f"# Title\n\n{one_line(visible(paragraph))}"
