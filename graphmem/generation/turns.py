"""Turns of a conversation: the first person, the questions in a turn, and what a turn does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from graphmem.questions.turn_form import TurnForm
from graphmem.reasoning.question_rewriting import Completion
from graphmem.reasoning.turn_evidence import Statement
from graphmem.text.sentences import is_question, sentences

_FIRST_PERSON = re.compile(r"\bI['’]m\b|\bI\b|\b(?:my|me|myself|mine)\b", re.IGNORECASE)
_NEAR = 100
"""Characters before a word that show whether it is a numeral."""

MAX_SENTENCES = 24
"""Last sentences of a turn in which questions are looked for."""

ASKS, ASKS_THOUGH_STATED, CORRECTS = 0.5, 0.8, 0.25
"""Probabilities from which a sentence asks, asks in a turn that states facts, and corrects; on held-out templates and
dialogues one in five hundred others is above the last."""


class Turn(NamedTuple):
    """One turn of a conversation.

    Attributes:
        role: ``user`` or ``model``.
        text: with the speaker's name in the place of the first person.
        at: an ISO time.
        form: ``states``, ``corrects`` or ``asks``.
        stated: the sentences that ask nothing, a line each, in the words of the turn.
    """

    role: str
    text: str
    at: str
    form: str = "states"
    stated: str = ""


class Question(NamedTuple):
    """A question of a turn.

    Attributes:
        text: with the speaker's name in the place of the first person.
        refers: probability that it needs the turns before it.
        lacks: probability that it says only of whom something is asked.
        options: ways to read it, where these are known.
        beside: the sentences of its turn that ask nothing.
        spoken: the question in the words of the turn.
    """

    text: str
    refers: float
    lacks: float = 0.0
    options: tuple[Completion, ...] = ()
    beside: str = ""
    spoken: str = ""


def resolve_first_person(text: str, speaker: str | None) -> str:
    """``text`` with I, me and my replaced by the speaker's name; verb forms are left as they are."""
    if speaker is None:
        return text
    own = f"{speaker}'s"
    forms = {"my": own, "mine": own, "i'm": f"{speaker} is", "i’m": f"{speaker} is"}

    def replacement(match: re.Match[str]) -> str:
        before = text[max(0, match.start() - _NEAR) : match.start()]
        numeral = match[0] == "I" and re.search(r"[^.!?\s]\s+(?!I\s)[A-Z]\w*\s$", before)
        return match[0] if numeral else forms.get(match[0].casefold(), speaker)  # "World War I" is no person

    return _FIRST_PERSON.sub(replacement, text)


def without_first_person(text: str) -> str:
    """The sentences of a text that do not speak of I, me or my; a text without any is left as it is."""
    if resolve_first_person(text, "") == text:
        return text
    spoken = (text[a:b] for a, b in sentences(text))
    return " ".join(sentence.strip() for sentence in spoken if resolve_first_person(sentence, "") == sentence)


def last_sentences(text: str) -> list[str]:
    """The last ``MAX_SENTENCES`` sentences of a turn; questions are looked for in these."""
    return [text[a:b].strip() for a, b in sentences(text)[-MAX_SENTENCES:]]


def statements(turns: Sequence[Turn]) -> list[Statement]:
    """The sentences of the user's turns that ask nothing, the oldest first; those of a correction are one statement."""
    found: list[Statement] = []
    for turn in turns:
        lines = [line for line in turn.stated.split("\n") if line]
        if turn.role == "user" and turn.form == "corrects":
            found += [Statement(" ".join(lines), corrects=True)] if lines else []
        elif turn.role == "user" and turn.form != "asks":
            found += map(Statement, lines)
    return found


def form_of(spoken: Sequence[str], forms: Sequence[TurnForm], *, stated: bool) -> str:
    """Form of a turn: ``asks``, ``corrects`` or ``states``.

    A turn that states no facts asks where a sentence has a question mark or every sentence is clearly a question.
    """
    marked = any(map(is_question, spoken))
    if not stated and (marked or all(form.asks > ASKS_THOUGH_STATED for form in forms)):
        return "asks"
    return "corrects" if any(form.corrects > CORRECTS for form in forms) else "states"


def asking(spoken: Sequence[str], forms: Sequence[TurnForm], *, stated: bool) -> list[bool]:
    """Whether each sentence of a turn asks something.

    Args:
        stated: whether the turn states facts; a sentence without a question mark must be a clear question then.
    """
    least = ASKS_THOUGH_STATED if stated else ASKS
    return [is_question(text) or form.asks > least for text, form in zip(spoken, forms, strict=True)]


def questions_of(spoken: Sequence[str], forms: Sequence[TurnForm], *, stated: bool) -> list[Question]:
    """The questions among the sentences of a turn; ``stated`` as for ``asking``."""
    asks = asking(spoken, forms, stated=stated)
    beside = " ".join(text for text, one in zip(spoken, asks, strict=True) if not one)
    return [
        Question(text, form.refers, form.lacks, beside=beside, spoken=text)
        for text, form, one in zip(spoken, forms, asks, strict=True) if one
    ]  # fmt: skip
