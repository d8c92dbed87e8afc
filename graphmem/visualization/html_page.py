"""HTML page that the pictures share: one file, light and dark colours, never in place of a file of another kind."""

from __future__ import annotations

import html
import os
from pathlib import Path

from graphmem.core.errors import InvalidValue
from graphmem.core.files import check_target, replacing

_BEGIN = "<!doctype html>"

_STYLE = """
:root { --ink:#1c2330; --paper:#fbfaf7; --dim:#5b6475 }
@media (prefers-color-scheme: dark) { :root { --ink:#e9ecf2; --paper:#161a21; --dim:#9aa4b5 } }
body { margin:0; padding:24px; background:var(--paper); color:var(--ink); font:15px/1.45 system-ui,sans-serif }
main { max-width:1080px; margin:auto } h1 { font-size:20px; margin:0 0 2px } p { margin:2px 0 10px; color:var(--dim) }
svg { width:100%; height:auto } table { border-collapse:collapse; width:100%; margin-top:14px }
td,th { text-align:left; padding:4px 10px 4px 0 } th { color:var(--dim); font-weight:500 }
"""


def page(title: str, style: str, body: str) -> str:
    """A page with a heading; ``style`` is added to the shared CSS, ``body`` is HTML."""
    heading = html.escape(title)
    return (
        f'{_BEGIN}<html lang="en"><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{_STYLE}{style}</style><main><h1>{heading}</h1>{body}</main></html>"
    )


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a page and return its file, which appears whole. A page that is there already is replaced.

    Raises:
        InvalidValue: another file, or anything that is no file, has that name.
    """
    target = check_target(path, force=True)
    if target.exists():
        with target.open("rb") as file:
            if file.read(len(_BEGIN)) not in (b"", _BEGIN.encode()):
                raise InvalidValue(f"{target} exists and is no page of HTML, so it is kept; name another file")
    with replacing(target) as new:
        new.write_text(text, encoding="utf-8")
    return target


def shorten(text: str, max_length: int) -> str:
    """The text, cut to ``max_length`` characters with an ellipsis."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"
