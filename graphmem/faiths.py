"""Faiths by their nouns: "the Methodist faith" is Methodism."""

from __future__ import annotations

import re
from typing import Final

_BODY: Final = re.compile(r"\s+(?:faith|religion|denomination|beliefs|teachings)\b")
_WITH_BODY: Final = re.compile(r"\s(?:faith|religion|denomination)$")
_NOUNS: Final = dict(pair.split("/") for pair in (
    "Christian/Christianity Islamic/Islam Muslim/Islam Jewish/Judaism Hindu/Hinduism Sikh/Sikhism Jain/Jainism "
    "Confucian/Confucianism Catholic/Catholicism Lutheran/Lutheranism Anglican/Anglicanism Mormon/Mormonism "
    "Presbyterian/Presbyterianism Protestant/Protestantism Puritan/Puritanism Quaker/Quakerism Sufi/Sufism "
    "Zoroastrian/Zoroastrianism Unitarian/Unitarianism Pentecostal/Pentecostalism Evangelical/Evangelicalism "
    "Pagan/Paganism"
).split())  # fmt: skip
_IST: Final = re.compile(r"[A-Z]\w{2,}ist$")


def faith_named(text: str, start: int, end: int) -> str | None:
    """The noun for a faith of which ``text[start:end]`` is the adjective, where a word says that a faith is meant.

    Returns:
        "Methodism" for "Methodist" before "faith", or for "Methodist faith"; else None. "The Methodist Church" keeps
        its name.
    """
    words = text[start:end]
    body = _WITH_BODY.search(words)
    adjective = words[: body.start()] if body else words
    if not body and not _BODY.match(text, end):
        return None
    return _NOUNS.get(adjective) or (f"{adjective[:-3]}ism" if _meant(adjective) else None)


def _meant(adjective: str) -> bool:
    return bool(_IST.match(adjective)) and adjective != "Baptist"
