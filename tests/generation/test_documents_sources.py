"""Where documents come from, and what is kept of them between runs."""

import json
import os
import re
from pathlib import Path

import pytest
from made_files import pdf, scanned_pdf

from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.document_cache import DocumentCache
from prefkit.generation.documents import read_documents, read_sources
from prefkit.generation.readers import readers
from prefkit.generation.sources.patterns import chosen, matches


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    for name in ("a.md", "docs/b.md", "docs/deep/c.rst", "docs/deep/d.md", "drafts/e.md"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Text of {name}.", encoding="utf-8")
    return folder


def names(read):
    return [parsed.document.source for parsed in read.documents]


@pytest.mark.parametrize(
    ("pattern", "name", "said"),
    [
        ("*.md", "docs/deep/d.md", True),
        ("*.md", "docs/deep/c.rst", False),
        ("docs", "docs/b.md", True),
        ("docs/", "docs/b.md", True),
        ("b.md/", "docs/b.md", False),
        ("docs/*.md", "docs/b.md", True),
        ("docs/*.md", "docs/deep/d.md", False),
        ("docs/**/*.md", "docs/b.md", True),
        ("docs/**/*.md", "docs/deep/d.md", True),
        ("/a.md", "a.md", True),
        ("/b.md", "docs/b.md", False),
        ("[!a].md", "docs/b.md", True),
        ("?.md", "docs/bb.md", False),
        ("a.md", "a-md", False),
    ],
)
def test_patterns_say_files_and_folders(pattern, name, said):
    assert matches(pattern, name) is said
    assert chosen(name, [pattern], []) is said
    assert chosen(name, [], [pattern]) is not said


def test_folders_files_and_patterns_are_read_once_each_under_one_root(library):
    sources = [library / "docs", f"{library}/**/*.md", library / "a.md"]
    read = read_documents(sources)
    assert names(read) == ["a.md", "docs/b.md", "docs/deep/c.rst", "docs/deep/d.md", "drafts/e.md"]
    assert names(read_documents(library / "docs")) == ["b.md", "deep/c.rst", "deep/d.md"]
    assert names(read_documents(f"{library}/docs/**/*.md")) == ["b.md", "deep/d.md"]


def test_include_and_exclude_choose_files_of_a_folder(library):
    assert names(read_documents(library, include=["*.md"], exclude=["drafts", "deep/"])) == [
        "a.md",
        "docs/b.md",
    ]


@pytest.mark.parametrize("source", ["nowhere/*.md", "*.nothing", "nowhere"])
def test_a_source_that_is_nothing_is_named(library, source, monkeypatch):
    monkeypatch.chdir(library)
    with pytest.raises(PrefkitError, match=r"no such file or folder|matches no file"):
        read_documents(source)


def test_a_file_called_like_a_pattern_is_that_file(library):
    (library / "odd[1].md").write_text("An odd name.", encoding="utf-8")
    assert names(read_documents(library / "odd[1].md")) == ["odd[1].md"]


def test_unchanged_files_are_not_read_again(library, workspace, monkeypatch):
    config = GenerateConfig()
    first = read_sources(library, config, workspace)
    assert (len(first.documents), first.unchanged) == (5, 0)
    (library / "a.md").write_text("Another text.", encoding="utf-8")
    again = read_sources(library, config, workspace)
    assert again.unchanged == 4
    assert again.documents[0].document.text == "Another text."
    assert again.documents[1:] == first.documents[1:]
    assert again.sha256 != first.sha256


def test_a_torn_or_edited_entry_is_read_anew(library, tmp_path):
    folder = tmp_path / "cache"
    read_documents(library, cache=DocumentCache(folder))
    entries = sorted(folder.rglob("*.json"))
    assert len(entries) == 5
    entries[0].write_bytes(entries[0].read_bytes()[:-7])
    entries[1].write_bytes(b"")
    entries[2].write_bytes(entries[2].read_bytes().replace(b"Text", b"Lies"))
    os.truncate(entries[3], 3)
    cache = DocumentCache(folder)
    read = read_documents(library, cache=cache)
    assert cache.hits == 1
    assert [p.document.text for p in read.documents] == [f"Text of {name}." for name in names(read)]


def test_what_cannot_be_read_is_remembered_too(library, tmp_path):
    (library / "scan.pdf").write_bytes(scanned_pdf("", ""))
    cache = DocumentCache(tmp_path / "cache")
    for _ in range(2):
        (dropped,) = read_documents(library, cache=cache).dropped
        assert dropped.rule == "no-text"
    assert cache.hits == 6


def test_a_full_or_locked_disk_costs_only_the_cache(library, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be", encoding="utf-8")
    read = read_documents(library, cache=DocumentCache(tmp_path / "cache"))
    assert len(read.documents) == 5
    assert read.documents[4].document.text == "Text of drafts/e.md."


def test_a_file_that_changes_during_the_work_is_an_error_that_names_it(library, tmp_path):
    read = read_documents(library, cache=DocumentCache(tmp_path / "cache"))
    (library / "a.md").write_text("Other words.", encoding="utf-8")
    with pytest.raises(PrefkitError, match=r"a\.md: changed while"):
        _ = read.documents[0]


def test_another_option_or_reader_does_not_find_what_the_first_one_left(tmp_path):
    (tmp_path / "a.json").write_text('{"text": "One.", "body": "Two."}', encoding="utf-8")
    cache = DocumentCache(tmp_path / ".cache")
    for field, text in (("text", "One."), ("body", "Two."), ("text", "One.")):
        read = read_documents(tmp_path, readers=readers(text_field=field), cache=cache)
        assert read.documents[0].document.text == text


def test_rows_of_one_file_are_documents_with_names_and_a_license(tmp_path, workspace):
    rows = [{"id": n, "text": f"Row number {n}.", "license": "MIT"} for n in range(3)]
    lines = [json.dumps(row) for row in [*rows, {"text": "Row number 0."}, {"none": 1}]]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    read = read_sources(str(tmp_path / "a.jsonl"), GenerateConfig(), workspace)
    assert names(read) == ["a.jsonl#0", "a.jsonl#1", "a.jsonl#2"]
    assert read.documents[2].document.license == "MIT"
    assert {d.record_id: d.rule for d in read.dropped} == {
        "a.jsonl#line 4": "duplicate-document",
        "a.jsonl#line 5": "no-text-field",
    }


def test_scanned_pages_are_named_and_the_others_are_read(tmp_path):
    (tmp_path / "a.pdf").write_bytes(scanned_pdf("Words here.", "", "", "More words.", ""))
    read = read_documents(tmp_path)
    (dropped,) = read.dropped
    assert dropped.rule == "scanned-pages"
    assert "scanned pages 2-3, 5 of 5: no text; OCR them with" in dropped.detail
    assert [placed.block.page for placed in read.documents[0].blocks] == [1, 4]


def test_a_pdf_without_words_or_pictures_says_so(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(["\t"], [""]))
    (tmp_path / "b.md").write_text("Words.", encoding="utf-8")
    assert "2 pages without text or pictures" in read_documents(tmp_path).dropped[0].detail


READER = """
from prefkit.generation.blocks import Block, Parsed, Unreadable

class Reader:
    suffixes = (".log", ".md")

    def read(self, data):
        if b"bad" in data:
            raise Unreadable("bad-log", "it says so")
        if b"crash" in data:
            return 1 / 0
        return Parsed([Block("paragraph", data.decode().upper())])

class Wrong:
    suffixes = ("log",)
    def read(self, data):
        return "text"

class Odd:
    suffixes = (".log",)
    def read(self, data):
        return "text"
"""


@pytest.fixture
def plugin(workspace):
    (workspace.root / "readers").mkdir()
    (workspace.root / "readers" / "loud.py").write_text(READER, encoding="utf-8")
    return workspace


@pytest.mark.parametrize("name", ["loud", "readers/loud.py:Reader"])
def test_a_reader_of_the_workspace_goes_before_the_bundled_one(plugin, tmp_path, name):
    folder = tmp_path / "logs"
    folder.mkdir()
    for file, text in (("a.log", "one"), ("b.md", "two"), ("c.log", "bad"), ("d.log", "crash")):
        (folder / file).write_text(text, encoding="utf-8")
    read = read_sources(folder, GenerateConfig(reader=(name,)), plugin)
    assert [p.document.text for p in read.documents] == ["ONE", "TWO"]
    assert {d.record_id: d.rule for d in read.dropped} == {
        "c.log": "bad-log",
        "d.log": "broken-log",
    }
    (taken,) = read.readers
    assert len(taken.sha256) == 64
    assert taken.origin.startswith(("workspace", "path"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lod", "no reader called `lod`"),
        ("readers/loud.py:Wrong", "declares 'log'"),
        ("readers/loud.py:Odd", "gave str"),
        ("readers/loud.py:Nobody", "Nobody"),
        ("kreuzberg", "prefkit[kreuzberg]"),
        ("docling", "prefkit[docling]"),
    ],
)
def test_a_reader_that_is_none_is_named_with_what_to_do(plugin, tmp_path, name, words):
    (tmp_path / "a.log").write_text("one", encoding="utf-8")
    with pytest.raises(PrefkitError) as caught:
        read_sources(tmp_path / "a.log", GenerateConfig(reader=(name,)), plugin)
    assert words in str(caught.value)


def test_ocr_without_tesseract_says_how_to_get_it(tmp_path, workspace, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrefkitError, match="apt-get install tesseract-ocr"):
        read_sources(tmp_path, GenerateConfig(reader=("tesseract",)), workspace)


FAKE = """#!/bin/sh
case "$1" in
  --version) echo "tesseract 5.3.0" ;;
  --list-langs) printf 'List of languages:\\nosd\\neng\\n' ;;
  *) head -c 2 | grep -q P5 && printf 'Read from a pic-\\nture.\\n\\nSecond paragraph.\\n' ;;
esac
"""


def test_scanned_pages_are_read_by_ocr_in_their_places(tmp_path, workspace, monkeypatch):
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(FAKE, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    path = Path(tmp_path / "a.pdf")
    path.write_bytes(scanned_pdf("Words here.", "", "More words."))
    read = read_sources(path, GenerateConfig(reader=("tesseract",)), workspace)
    (parsed,) = read.documents
    assert [(p.block.text, p.block.page) for p in parsed.blocks] == [
        ("Words here.", 1),
        ("Read from a picture.", 2),
        ("Second paragraph.", 2),
        ("More words.", 3),
    ]
    assert parsed.document.metadata == {"ocr": "pages 2"}
    assert read.dropped == []


README = (Path(readers.__code__.co_filename).parent / "README.md").read_text(encoding="utf-8")
DOCUMENTS = README.partition("## Documents")[2].partition("\n## ")[0]


def test_the_reader_that_the_page_shows_reads(tmp_path, workspace):
    (tmp_path / "mine.py").write_text(
        re.findall(r"```python\n(.*?)```", DOCUMENTS, re.DOTALL)[0], encoding="utf-8"
    )
    (tmp_path / "a.log").write_text("one\ntwo", encoding="utf-8")
    (tmp_path / "b.log").write_text("\n", encoding="utf-8")
    config = GenerateConfig(reader=(f"{tmp_path}/mine.py:Reader",), include=("*.log",))
    read = read_sources(tmp_path, config, workspace)
    assert read.documents[0].document.text == "one\n\ntwo"


def test_the_commands_that_the_page_shows_plan_a_run(workspace, monkeypatch, capsys):
    from prefkit.cli import main

    monkeypatch.chdir(workspace.root)
    for name in ("documents/a.md", "docs/deep/b.rst", "docs/drafts/c.rst"):
        path = workspace.root / name
        path.parent.mkdir(parents=True)
        path.write_text(f"Text of {name} here.", encoding="utf-8")
    (workspace.root / "handbook.pdf").write_bytes(pdf(["The handbook opens with words."]))
    shown = re.findall(r"^prefkit (generate .*)$", DOCUMENTS, re.MULTILINE)
    counts = []
    for line in shown:
        with pytest.raises(SystemExit) as ended:
            main(line.replace("'", "").split())
        assert ended.value.code == 0
        counts.append(json.loads(capsys.readouterr().out)["counts"]["documents"])
    assert counts == [1, 2]


def test_the_page_names_every_optional_reader():
    from prefkit.generation.readers import OPTIONAL

    assert [name for name in OPTIONAL if f"| `{name}` |" not in DOCUMENTS] == []
