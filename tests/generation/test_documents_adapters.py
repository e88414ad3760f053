"""Optional readers; those whose package is absent are skipped here and tried by hand."""

import pytest
from made_files import docx, pdf

from prefkit.config import GenerateConfig
from prefkit.generation.adapters.docling import needs_weights
from prefkit.generation.documents import read_sources


def test_kreuzberg_keeps_headings_tables_and_pages(tmp_path, workspace):
    pytest.importorskip("kreuzberg")
    docx(tmp_path / "a.docx")
    (tmp_path / "b.rtf").write_bytes(rb"{\rtf1\ansi Hello {\b rich} text.\par Next.}")
    (tmp_path / "c.pdf").write_bytes(pdf([("Boat", 20, True), "First page."], ["Second page."]))
    (tmp_path / "d.odt").write_bytes(b"PK no zip")
    read = read_sources(
        tmp_path, GenerateConfig(reader=("kreuzberg",), exclude=("workspace",)), workspace
    )
    texts = {parsed.document.source: parsed.document.text for parsed in read.documents}
    assert "| Heron | 31 kg |" in texts["a.docx"]
    assert texts["b.rtf"] == "Hello rich text.\n\nNext."
    assert [placed.block.page for placed in read.documents[2].blocks] == [1, 1, 2]
    assert [dropped.record_id for dropped in read.dropped] == ["d.odt"]


def test_docling_reads_office_files_without_a_network(tmp_path, workspace):
    pytest.importorskip("docling")
    docx(tmp_path / "a.docx")
    read = read_sources(tmp_path, GenerateConfig(reader=("docling",)), workspace)
    assert "31 kg" in read.documents[0].document.text


def test_weights_that_are_not_there_are_told_from_a_broken_file():
    class LocalEntryNotFoundError(Exception):
        """As huggingface_hub calls it."""

    behind = RuntimeError("pipeline failed")
    behind.__cause__ = LocalEntryNotFoundError("layout model")
    assert needs_weights(behind)
    assert not needs_weights(ValueError("broken xref table"))
