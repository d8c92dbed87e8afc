"""Documents of office and web formats as Markdown text: pypdf, mammoth, markdownify.

Headings, lists and tables stay what they are; pages of a PDF follow each other as plain text.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from graphmem.core.errors import InvalidValue, MissingExtra

MAX_BYTES = 64 << 20
"""Longest file."""

MAX_UNPACKED = 256 << 20
"""Bytes of the parts of a packed file, at most."""


TEXT_ENDINGS = (".txt", ".md", ".markdown", ".jsonl", ".ndjson")
"""Files that are read as they are; JSON lines hold one document each."""


@dataclass(frozen=True, slots=True)
class ConvertedText:
    """Markdown text of a file; ``title`` as the file itself gives it, empty where it gives none."""

    text: str
    title: str = ""


def convert(path: Path) -> ConvertedText:
    """The text of a file by its ending, one of ``CONVERTERS``.

    Raises:
        MissingExtra: the extra ``documents`` is not installed.
        InvalidValue: another ending, a file that cannot be read as what its ending says, that is too long, locked by a
            password, or without text (scanned pages).
    """
    read = CONVERTERS.get(path.suffix.lower())
    if read is None:
        raise InvalidValue(f"{path}: only {', '.join(CONVERTERS)} files are converted")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidValue(f"{path} has more than {MAX_BYTES >> 20} MiB; split it")
        with path.open("rb") as file:
            found = read(file)
    except ImportError as error:
        raise MissingExtra(
            f"{path.suffix} files need the extra documents: pip install 'graphmem[documents]' ({error})"
        ) from None
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error}") from None
    except RecursionError:
        raise InvalidValue(f"{path} is nested too deeply") from None
    if not found.text.strip():
        raise InvalidValue(f"{path} holds no text; scanned pages need a text layer first")
    return found


def is_readable(path: Path) -> bool:
    """Whether a file is of a kind that is read, by its ending."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    return plain.suffix.lower() in (*TEXT_ENDINGS, *CONVERTERS)


def _pdf(file: BinaryIO) -> ConvertedText:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(file)
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise InvalidValue(f"{file.name} is locked by a password")
        pages = [page.extract_text() for page in reader.pages]
        title = reader.metadata.title if reader.metadata else None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, NotImplementedError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(f"{file.name} is no readable PDF: {type(error).__name__}: {error}") from None
    return ConvertedText("\n\n".join(_clean(page) for page in pages if page.strip()), _one_line(title))


def _docx(file: BinaryIO) -> ConvertedText:
    import mammoth

    try:
        with zipfile.ZipFile(file) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED:
                raise InvalidValue(f"{file.name} unpacks to more than {MAX_UNPACKED >> 20} MiB")
        file.seek(0)
        without = mammoth.images.img_element(lambda image: {"src": ""})
        html = mammoth.convert_to_html(file, convert_image=without).value
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, TypeError, SyntaxError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(f"{file.name} is no readable Word file: {type(error).__name__}: {error}") from None
    return _markdown(html)


def _html(file: BinaryIO) -> ConvertedText:
    return _markdown(file.read())


def _markdown(html: str | bytes) -> ConvertedText:
    """HTML as Markdown, without scripts, styles, links and pictures."""
    from bs4 import BeautifulSoup
    from markdownify import ATX, MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    title = _one_line(soup.title.get_text() if soup.title else "")
    for tag in soup(("script", "style", "head", "nav", "template", "noscript", "svg")):
        tag.decompose()
    for terms in soup("dl"):
        _define(soup, terms)
    for table in soup("table"):
        _head(table)
    options: dict[str, Any] = {
        "heading_style": ATX, "strip": ["a", "img"], "bullets": "-", "escape_underscores": False,
        "escape_asterisks": False, "strong_em_symbol": "",
    }  # fmt: skip
    return ConvertedText(_clean(MarkdownConverter(**options).convert_soup(soup)), title)


def _head(table: Any) -> None:
    """Mark the first row of a table as its head: where it is bold, or where there are more than two columns."""
    for text in table.find_all(string=lambda text: bool(text) and "|" in text):
        text.replace_with(text.replace("|", "\\|"))
    first = table.find("tr")
    cells = first(("td", "th")) if first is not None else []
    if table("th") or not cells:
        return
    bold = all(_one_line("".join(b.get_text() for b in cell(("b", "strong")))) == _one_line(cell.get_text())
               for cell in cells)  # fmt: skip
    if bold or len(cells) > 2:
        for cell in cells:
            cell.name = "th"


def _define(soup: Any, terms: Any) -> None:
    """A list of terms as paragraphs "term: definition"."""
    lines = []
    for term in terms("dt"):
        value = term.find_next_sibling("dd")
        if value is not None:
            lines.append(f"{_one_line(term.get_text()).rstrip(':')}: {_one_line(value.get_text())}")
    made = soup.new_tag("ul")
    for line in lines:
        item = soup.new_tag("li")
        item.string = line
        made.append(item)
    terms.replace_with(made)


def _clean(text: str) -> str:
    """A text without lone surrogates and NUL, which cannot be stored."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8").strip()


def _one_line(text: str | None) -> str:
    return " ".join(_clean(text or "").split())


CONVERTERS: dict[str, Callable[[BinaryIO], ConvertedText]] = {
    ".pdf": _pdf,
    ".docx": _docx,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
}
"""What reads a file, by its ending."""
