"""Conversations: each turn is read into the memory, questions are answered out of it, and the session survives.

    session = model.session("ada")
    session.say("Ada Lovelace moved to Surrey.")        # written through the gate
    session.say("Where does she live?").text            # answered out of memory and of what was said lately

Three time scales meet here: the working buffer (the last turns, kept in one node of kind ``session``), episodes (what
was said, when and by whom, nodes of kind ``episode``), and facts. The two kinds are left out of ordinary searches.
Facts and buffer are separate journal entries, so that a fact can be undone whatever was said after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.edits import AddNode, Edit, JournalEntry
from graphmem.core.errors import InvalidValue
from graphmem.core.names import check_name
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.validation import require
from graphmem.generation.attribution import Answer
from graphmem.reading.candidates import check_text
from graphmem.text.sentences import sentences
from graphmem.writing.deduplication import is_mark
from graphmem.writing.pipeline import WritePlan, read_text, shipped_extractor

_ASKING = re.compile(
    r"(who|whom|whose|what|where|when|why|which|how|is|are|was|were|do|does|did|has|have|had|can|could|will|would"
    r"|tell me|name)\b",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\bI['’]m\b|\bI\b|\b(?:my|me|myself|mine)\b", re.IGNORECASE)
_MARKS = ("?", "？", "؟")


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How a session goes.

    Attributes:
        turns: how many turns the working buffer holds; the oldest leave first.
        characters: so much of each turn is kept in the buffer.
        episodes: keep every turn that states something as an episode too.
        sure: least certainty of the memory, 0..1, below which an answer is looked for in the buffer instead.
        max_new_tokens: longest answer.
        speaker: name of who speaks, so that "I live in Rome" can be noted; None leaves the first person alone.
    """

    turns: int = 8
    characters: int = 500
    episodes: bool = True
    sure: float = 0.3
    max_new_tokens: int = 48
    speaker: str | None = None

    def __post_init__(self) -> None:
        for name in ("turns", "characters", "max_new_tokens"):
            require(getattr(self, name) > 0, name, getattr(self, name), "positive")
        if self.speaker is not None:
            check_name(self.speaker, "speaker")
        require(0 <= self.sure <= 1, "sure", self.sure, "in [0, 1]")


@dataclass(frozen=True, slots=True)
class Turn:
    """What was said: ``role`` is ``user`` or ``model``, ``at`` ISO time."""

    role: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a turn led to.

    Attributes:
        text: the answer; empty where nothing was asked.
        answer: the answer with its facts and sources; None where nothing was asked or the buffer answered.
        plan: what was read and decided.
        entry: the journal entry of the facts written; None where there were none.
    """

    text: str
    answer: Answer | None
    plan: WritePlan
    entry: JournalEntry | None = None

    def __str__(self) -> str:
        return self.text


class Session:
    """One conversation. Made by ``model.session(name)``; the same name goes on where it stopped, in any process.

    Args:
        model: a ``GraphMemoryModel``.
        name: of the session; sessions of a namespace are told apart by it.
        config: sizes.

    Raises:
        InvalidName: ``name`` is no name.
    """

    def __init__(self, model: Any, name: str, config: SessionConfig | None = None) -> None:
        self.model, self.name = model, check_name(name, "name of a session")
        self.config = config or SessionConfig()
        self.count, self.turns = 0, tuple[Turn, ...]()
        self._resume()

    @property
    def node(self) -> str:
        """Name of the node that holds the session's state."""
        return f"session:{self.name}"

    def say(self, text: str, *, at: Time | None = None, trust: float = 1.0) -> Reply:
        """Take a turn of the user's: write what it states, answer what it asks. Writes.

        Args:
            text: what is said; of blank text nothing comes and nothing is written.
            at: when; now when None.
            trust: how far the speaker is to be trusted, 0..1.

        Raises:
            InvalidValue: ``text`` is no text or too long, or ``trust`` lies outside 0..1.
            InvalidTime: ``at`` cannot be read.
        """
        check_text(text)
        when = from_micros(to_micros(at)) or from_micros(to_micros(datetime.now(UTC))) or ""
        text, before = first_person(text.replace("\0", " "), self.config.speaker), self.context()
        plan = read_text(self.model, text, context=before, source=self.node, trust=trust, at=at)
        if not text.strip():
            return Reply("", None, plan)
        memory = self.model.memory
        entry = memory.apply(plan, note=text.strip()[:200]) if plan.edits else None
        entry = entry if any(not is_mark(edit) for edit in plan.edits) else None
        self._remember(Turn("user", text.strip(), when), stated=bool(plan.decisions) and entry is not None)
        asked = question_in(text, stated=bool(plan.facts))
        if not asked:
            return Reply("", None, plan, entry)
        said, answer = self._answer(asked, before)
        self._remember(Turn("model", said, when), stated=False)
        return Reply(said, answer, plan, entry)

    def context(self) -> str:
        """What the user said lately, oldest first."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "user")

    def forget(self) -> None:
        """Empty the working buffer; facts and episodes stay. Writes one entry."""
        self.turns = ()
        self._save([])

    # ---------------------------------------------------------------- answering

    def _answer(self, question: str, before: str) -> tuple[str, Answer | None]:
        """Out of the memory; where it is not sure, out of the buffer."""
        if before.strip():
            question = shipped_extractor(self.model).resolve_pronouns(question, before)
        answer = self.model.ask(question, max_new_tokens=self.config.max_new_tokens)
        if answer.answerable >= self.config.sure or not before.strip():
            return answer.text, answer
        return self._out_of_buffer(question, before), None

    def _out_of_buffer(self, question: str, before: str) -> str:
        """The base model with the last turns in its prompt."""
        model, tokenizer = self.model, self.model.tokenizer
        prompt = chat_prompt(tokenizer, question, before)
        inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").to(model.base.device)
        with model.memory_disabled():
            out = model.generate(**inputs, do_sample=False, max_new_tokens=self.config.max_new_tokens)
        return str(tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).strip()

    # ---------------------------------------------------------------- the buffer, in the file

    def _remember(self, turn: Turn, *, stated: bool) -> None:
        kept = Turn(turn.role, turn.text[: self.config.characters], turn.at)
        self.count += 1
        self.turns = (*self.turns, kept)[-self.config.turns :]
        self._save([self._episode(turn)] if stated and self.config.episodes else [])

    def _save(self, more: list[Edit]) -> None:
        turns = [[turn.role, turn.text, turn.at] for turn in self.turns]
        state = AddNode(self.node, "session", attributes={"turns": turns, "count": self.count})
        self.model.memory.store.apply([state, *more], action="session", note=self.name[:200])

    def _episode(self, turn: Turn) -> AddNode:
        name = f"{self.node} #{self.count}: {' '.join(turn.text.split())}"[:160]
        return AddNode(name, "episode", turn.text[:100_000], (), {"source": self.node, "at": turn.at})

    def _resume(self) -> None:
        found = self.model.memory.node(self.node)
        if found is None:
            return
        turns, count = found.attributes.get("turns"), found.attributes.get("count")
        if found.kind != "session" or not isinstance(turns, list) or not isinstance(count, int):
            raise InvalidValue(f"the node {self.node!r} is no session of graphmem; take another name for the session")
        self.count = count
        self.turns = tuple(Turn(*map(str, turn)) for turn in turns)[-self.config.turns :]

    def __repr__(self) -> str:
        return f"Session({self.name!r}, turns={self.count})"


def first_person(text: str, speaker: str | None) -> str:
    """``text`` with I, me and my as the speaker's name; what the verb then sounds like does not matter."""
    if speaker is None:
        return text
    own = f"{speaker}'s"
    forms = {"my": own, "mine": own, "i'm": f"{speaker} is", "i’m": f"{speaker} is"}

    def named(match: re.Match[str]) -> str:
        numeral = match[0] == "I" and re.search(r"[^.!?\s]\s+[A-Z]\w*\s$", text[: match.start()])
        return match[0] if numeral else forms.get(match[0].casefold(), speaker)  # "World War I" is nobody

    return _FIRST.sub(named, text)


def question_in(text: str, *, stated: bool) -> str:
    """What a turn asks: its last sentence with a question mark, or all of it where it begins like a question.

    Args:
        text: the turn.
        stated: whether it states something; then only a question mark makes a question.
    """
    asked = [text[a:b].strip() for a, b in sentences(text)]
    marked = [sentence for sentence in asked if sentence.rstrip("\"'”’) ").endswith(_MARKS)]
    if marked:
        return marked[-1]
    return text.strip() if not stated and _ASKING.match(text.strip()) else ""


def chat(session: Session, turns: Iterable[str], **options: Any) -> Iterator[Reply]:
    """Take turns from any iterable as they come, one reply a turn. Writes turn by turn."""
    for turn in turns:
        yield session.say(turn, **options)
