import os
from pathlib import Path

import pytest
from made_files import docx, pdf

from prefkit.errors import PrefkitError
from prefkit.generation.documents import decode, read_documents

WORDS = "The café opens at 08:00 – every day."
LOCKED = Path(__file__).parent / "data" / "locked.pdf"
PAGE = f"<html><head><title>T</title></head><body><article><h1>Opening</h1><p>{WORDS * 6}</p>"


def folder_with(tmp_path: Path, **files: bytes) -> Path:
    for name, data in files.items():
        (tmp_path / name.replace("_", ".")).write_bytes(data)
    return tmp_path


def test_every_format_becomes_a_document_whose_blocks_lie_where_they_say(tmp_path):
    folder_with(
        tmp_path,
        a_md=f"# One\n\n{WORDS}".encode(),
        b_txt=b"Two\n===\n\nA line of text.",
        c_html=PAGE.encode(),
        d_pdf=pdf([("Four", 20, True), "A line of text in a file."]),
    )
    docx(tmp_path / "e.docx")
    read = read_documents(tmp_path)
    assert [p.document.title for p in read.documents] == [
        "One",
        "Two",
        "Opening",
        "Four",
        "Boat manual",
    ]
    assert read.dropped == []
    for parsed in read.documents:
        for placed in parsed.blocks:
            assert parsed.document.text[placed.start : placed.end] == placed.block.text


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (WORDS.encode("utf-8"), "utf-8"),
        (WORDS.encode("utf-8-sig"), "utf-8"),
        (WORDS.encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + WORDS.encode("utf-16-be"), "utf-16-be"),
        (WORDS.encode("utf-32"), "utf-32-le"),
        (WORDS.encode("cp1252"), "windows-1252"),
        (b'<meta charset="iso-8859-5">' + "Привет".encode("iso-8859-5"), "iso-8859-5"),
    ],
)
def test_text_is_decoded_and_the_encoding_is_noted(data, encoding):
    text, found = decode(data)
    assert found == encoding
    assert WORDS in text or "Привет" in text


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("empty.md", b"", "empty"),
        ("blank.txt", b" \n\t\n", "empty"),
        ("headings.md", b"# Only\n\n## Headings", "no-text"),
        ("binary.txt", b"abc\0def", "binary"),
        ("noise.txt", bytes(range(1, 32)) * 20 + b"\xff\xfe\x81", "binary"),
        ("broken.txt", b"\xff\xfea", "wrong-encoding"),
        ("huge.md", b"word " * 300_000, "too-large"),
        ("picture.png", b"\x89PNG", "unknown-format"),
        ("noname", b"text", "unknown-format"),
        ("locked.pdf", LOCKED.read_bytes(), "locked"),
        ("broken.pdf", b"%PDF-1.4 and then nothing", "broken-pdf"),
        ("scan.pdf", pdf([""]), "no-text"),
        ("locked.docx", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "locked"),
        ("broken.docx", b"PK\x03\x04 no zip", "broken-docx"),
        ("menu.html", b"<html><body><script>var a;</script></body></html>", "no-text"),
    ],
)
def test_a_bad_file_is_dropped_with_its_reason_and_the_others_are_read(tmp_path, name, data, rule):
    (tmp_path / name).write_bytes(data)
    (tmp_path / "zz-good.md").write_text(WORDS, encoding="utf-8")
    read = read_documents(tmp_path, largest=1_000_000)
    assert [p.document.source for p in read.documents] == ["zz-good.md"]
    (dropped,) = read.dropped
    assert (dropped.rule, dropped.record_id) == (rule, name)
    assert dropped.detail.startswith(f"{name}: ")


def test_a_zip_with_an_absurd_content_is_not_unpacked(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", b"0" * 5_000_000)
    (tmp_path / "good.md").write_text(WORDS, encoding="utf-8")
    assert [d.rule for d in read_documents(tmp_path).dropped] == ["too-large"]


def test_a_docx_without_its_parts_is_dropped(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "odd.docx", "w") as package:
        package.writestr("hello.txt", "not a document")
    (tmp_path / "good.md").write_text(WORDS, encoding="utf-8")
    assert [d.rule for d in read_documents(tmp_path).dropped] == ["broken-docx"]


def test_the_same_text_counts_once(tmp_path):
    folder_with(tmp_path, a_md=WORDS.encode(), b_txt=WORDS.encode())
    read = read_documents(tmp_path)
    assert [p.document.source for p in read.documents] == ["a.md"]
    assert read.dropped[0].rule == "duplicate-document"


def test_hidden_files_and_links_in_circles_are_no_documents(tmp_path):
    (tmp_path / "a.md").write_text(WORDS, encoding="utf-8")
    (tmp_path / ".hidden.md").write_text("A secret line.", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.md").write_text("Another secret line.", encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    os.mkfifo(tmp_path / "pipe.md")
    read = read_documents(tmp_path)
    assert [p.document.source for p in read.documents] == ["a.md"]
    rules = {d.record_id: d.rule for d in read.dropped}
    assert rules == {"loop": "link-to-folder", "gone.md": "missing", "pipe.md": "missing"}


def test_order_and_digest_do_not_depend_on_the_file_system(tmp_path):
    for folder, order in (("one", (1, 2, 3)), ("two", (3, 1, 2))):
        (tmp_path / folder).mkdir()
        for number in order:
            (tmp_path / folder / f"{number}.md").write_text(f"Text {number}.", encoding="utf-8")
    one, two = (read_documents(tmp_path / name) for name in ("one", "two"))
    assert [p.document.id for p in one.documents] == [p.document.id for p in two.documents]
    assert one.sha256 == two.sha256


def test_a_single_file_and_a_limit(tmp_path):
    folder_with(tmp_path, a_md=b"First text here.", b_md=b"Second text here.")
    assert len(read_documents(tmp_path / "b.md").documents) == 1
    assert len(read_documents(tmp_path, limit=1).documents) == 1


@pytest.mark.parametrize("files", [{}, {"a_png": b"x"}, {"a_md": b""}])
def test_a_folder_without_a_usable_document_says_why(tmp_path, files):
    folder_with(tmp_path, **files)
    with pytest.raises(PrefkitError, match="no usable document") as caught:
        read_documents(tmp_path)
    assert ".docx" in caught.value.hint


def test_a_missing_folder_is_named():
    with pytest.raises(PrefkitError, match="nowhere: no such file or folder"):
        read_documents(Path("nowhere"))


def test_invisible_characters_cannot_hide_text(tmp_path):
    (tmp_path / "a.txt").write_text("vis\u200bible \u202etext\u2069 here", encoding="utf-8")
    assert read_documents(tmp_path).documents[0].document.text == "visible text here"
