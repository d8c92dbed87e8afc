"""Conversion of files to Markdown."""

from __future__ import annotations

import builtins
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from graphmem.adapters import documents
from graphmem.adapters.documents import convert, is_readable
from graphmem.core.errors import InvalidValue, MissingExtra

HTML = """<html><head><title>The  Mill</title><style>p {}</style></head><body><nav>Menu</nav><h1>Brackwater Mill</h1>
<p>It was sold to <a href="x">Ann_Berg</a> in <b>2004</b>.</p><script>alert(1)</script>
<ul><li><b>Owner:</b> Jane Doe</li></ul><dl><dt>Opened:</dt><dd>1987</dd></dl>
<table><tr><td><b>Name</b></td><td><b>Role</b></td></tr><tr><td>Jo | Pike</td><td>nurse</td></tr></table>
<table><tr><td>Phone</td><td>12</td></tr></table></body></html>"""

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType=
"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
RELATIONS = """<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Target="word/document.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>"""


def docx(body: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("[Content_Types].xml", TYPES)
        file.writestr("_rels/.rels", RELATIONS)
        file.writestr("word/document.xml", f'<?xml version="1.0"?><w:document {W}><w:body>{body}</w:body></w:document>')
    return packed.getvalue()


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def pdf(text: str) -> bytes:
    """A PDF of one page with one line of text."""
    stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    data, starts = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        starts.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(parts) + 1, table)
    return data + head + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(parts) + 1, len(data))


def written(folder: Path, name: str, data: bytes) -> Path:
    (path := folder / name).write_bytes(data)
    return path


def test_html_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    found = convert(written(tmp_path, "mill.html", HTML.encode()))
    assert found.title == "The Mill"
    assert found.text.splitlines()[0] == "# Brackwater Mill"
    assert "It was sold to Ann_Berg in 2004." in found.text
    assert "- Owner: Jane Doe" in found.text and "- Opened: 1987" in found.text
    assert "| Name | Role |\n| --- | --- |\n| Jo \\| Pike | nurse |" in found.text
    assert "|  |  |\n| --- | --- |\n| Phone | 12 |" in found.text  # two columns without a head: fields
    assert "alert" not in found.text and "Menu" not in found.text


def test_word_files(tmp_path: Path) -> None:
    cells = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("Name", "Role", "Since"))
    table = f"<w:tbl><w:tr>{cells}</w:tr><w:tr>{cells.replace('Name', 'Jo')}</w:tr></w:tbl>"
    found = convert(written(tmp_path, "mill.docx", docx(paragraph("The mill was sold.") + table)))
    assert found.text.startswith("The mill was sold.")
    assert "| Name | Role | Since |\n| --- | --- | --- |\n| Jo | Role | Since |" in found.text


def test_pdf_pages_are_text(tmp_path: Path) -> None:
    assert convert(written(tmp_path, "mill.pdf", pdf("The mill was sold."))).text == "The mill was sold."


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pdf", b"nothing", "no readable PDF"),
        ("a.docx", b"nothing", "no readable Word"),
        ("a.docx", docx("")[:200], "no readable Word"),
        ("a.pdf", pdf(""), "no text"),
        ("a.html", b"<p></p>", "no text"),
        ("a.html", b"<div>" * 100_000 + b"x", "nested too deeply"),
        ("a.xls", b"x", "only .pdf"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        convert(written(tmp_path, name, data))


def test_files_that_are_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_UNPACKED", 100)
    with pytest.raises(InvalidValue, match="unpacks to more"):
        convert(written(tmp_path, "a.docx", docx(paragraph("x"))))
    monkeypatch.setattr(documents, "MAX_BYTES", 10)
    with pytest.raises(InvalidValue, match="split it"):
        convert(written(tmp_path, "a.html", HTML.encode()))
    with pytest.raises(InvalidValue, match="cannot be read"):
        convert(tmp_path / "none.pdf")


@pytest.mark.parametrize(("ending", "library"), [("pdf", "pypdf"), ("docx", "mammoth"), ("html", "bs4")])
def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, library: str) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ImportError(f"no {library}")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"graphmem\[documents\]"):
        convert(written(tmp_path, f"a.{ending}", b"x"))


@pytest.mark.parametrize(
    ("name", "readable"),
    [("a.md", True), ("a.TXT", True), ("a.pdf", True), ("a.jsonl.gz", True), ("a.xls", False), ("a", False)],
)
def test_readable_by_the_ending(name: str, readable: bool) -> None:
    assert is_readable(Path(name)) is readable
