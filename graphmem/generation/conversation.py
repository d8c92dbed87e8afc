"""Conversations: every turn is read into the memory, and questions are answered from it; sessions are persistent.

    session = model.session("ada")
    session.say("Ada Lovelace moved to Surrey.")        # written through the write gate
    session.say("Where does she live?").text            # answered from the memory and the last turns

A session keeps three time scales: a working buffer (the last turns, in one node of kind ``session``), episodes (each
turn that states something, with its time, in nodes of kind ``episode``), and facts. Ordinary searches skip the two
kinds. Facts and buffer are separate journal entries, so that a fact can be undone after later turns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from graphmem.core import arguments
from graphmem.core.edits import AddNode, JournalEntry
from graphmem.core.errors import InvalidValue
from graphmem.core.names import check_name
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.generation.attribution import Answer
from graphmem.generation.decoding import generate_plain, prompt_ids
from graphmem.reading.candidates import check_text
from graphmem.reasoning.calibration import confidence_of
from graphmem.text.sentences import is_question, sentences
from graphmem.writing.decider import free_record
from graphmem.writing.deduplication import is_mark
from graphmem.writing.pipeline import WritePlan, read_text, shipped_extractor

_QUESTION = re.compile(
    r"(who|whom|whose|what|where|when|why|which|how|is|are|was|were|do|does|did|has|have|had|can|could|will|would"
    r"|tell me|name)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"\bI['’]m\b|\bI\b|\b(?:my|me|myself|mine)\b", re.IGNORECASE)
_NEAR = 100
"""Characters before a word that show whether it is a numeral."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of a session.

    Attributes:
        max_turns: size of the working buffer; the oldest turns leave first.
        max_characters: of each turn in the buffer.
        min_answerability: answerability, 0..1, below which a question is answered from the buffer instead, where no
            evidence is read; else the answer's status decides.
        max_new_tokens: longest answer.
        speaker: name of the user, which replaces the first person ("I live in Rome"). None takes the name that the
            session was held under before; without one, sentences in the first person are not read.
    """

    max_turns: int = 8
    max_characters: int = 500
    min_answerability: float = 0.3
    max_new_tokens: int = 48
    speaker: str | None = None

    def __post_init__(self) -> None:
        for name in ("max_turns", "max_characters", "max_new_tokens"):
            arguments.whole(getattr(self, name), name)
        if self.speaker is not None:
            check_name(self.speaker, "speaker")
        arguments.number(self.min_answerability, "min_answerability", "a probability, 0..1", 0, 1)


class Turn(NamedTuple):
    """One turn: ``role`` is ``user`` or ``model``, ``at`` an ISO time."""

    role: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Result of a turn.

    Attributes:
        text: the answer; empty for a turn without a question.
        answer: the answer with its facts and sources; None without a question, or where the buffer answered.
        plan: the facts read and the decisions.
        entry: the journal entry of the facts written; None where there were none.
    """

    text: str
    answer: Answer | None
    plan: WritePlan
    entry: JournalEntry | None = None

    def __str__(self) -> str:
        return self.text


class Session:
    """A conversation. Made by ``model.session(name)``; the same name resumes it, in any process.

    Raises:
        InvalidName: ``name`` is not valid.
    """

    def __init__(self, model: Any, name: str, config: SessionConfig | None = None) -> None:
        self.model, self.name = model, check_name(name, "name of a session")
        arguments.instance(config, (SessionConfig, type(None)), "config", "a SessionConfig or None")
        if not hasattr(model.memory, "store"):
            raise InvalidValue("a session is kept in the memory: attach a GraphMemory, which can be written")
        self.config = config or SessionConfig()
        self.node = f"session:{self.name}"  # holds the state
        self.count, self.turns = 0, tuple[Turn, ...]()
        self._resume()

    def say(self, text: str, *, at: Time | None = None, trust: float = 1.0) -> Reply:
        """Process a turn of the user: write its facts, answer its question. Writes.

        Args:
            text: the turn; blank text writes nothing.
            at: its time, and the moment of asking; now when None.
            trust: in the user's statements, 0..1.

        Raises:
            InvalidValue: ``text`` is not text or too long, or ``trust`` is outside 0..1.
            InvalidTime: ``at`` cannot be read.
        """
        arguments.text(check_text(text), "text")
        arguments.moment(at, "at")
        when = from_micros(to_micros(at)) or from_micros(to_micros(datetime.now(UTC))) or ""
        text, before = resolve_first_person(text.replace("\0", " "), self.config.speaker), self.context()
        known = text if self.config.speaker is not None else without_first_person(text)
        plan = read_text(self.model, known, context=before, source=self.node, trust=trust, at=at)
        if not text.strip():
            return Reply("", None, plan)
        memory = self.model.memory
        entry = memory.apply(plan, note=text.strip()[:200]) if plan.edits else None
        entry = entry if any(not is_mark(edit) for edit in plan.edits) else None
        self._remember(Turn("user", text.strip(), when), stated=bool(plan.decisions) and entry is not None)
        question = extract_question(text, stated=bool(plan.facts))
        if not question:
            return Reply("", None, plan, entry)
        response, answer = self._answer(question, before, at)
        self._remember(Turn("model", response, when), stated=False)
        return Reply(response, answer, plan, entry)

    def context(self) -> str:
        """The user's turns in the buffer, oldest first."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "user")

    def _answer(self, question: str, before: str, at: Time | None) -> tuple[str, Answer | None]:
        """From the memory; where it does not hold the answer, from the last turns, where they do.

        Without an evidence encoder the base answers in the second case, with the last turns in its prompt.
        """
        if before.strip():
            question = shipped_extractor(self.model).resolve_pronouns(question, before)
        answer = self.model.ask(question, max_new_tokens=self.config.max_new_tokens, at=at)
        reader = getattr(self.model.memory, "evidence_reader", None)
        unknown = answer.status == "not_known" if reader else answer.answerable < self.config.min_answerability
        if not unknown or not before.strip():
            return answer.text, answer
        if reader is not None:
            weighed = reader.read_text(question, before)
            known, least = confidence_of(weighed)
            return (weighed.answers[0].text, None) if known >= least and weighed.answers else (answer.text, answer)
        prompt = prompt_ids(self.model, question, before)
        return generate_plain(self.model, prompt, self.config.max_new_tokens), None

    def _remember(self, turn: Turn, *, stated: bool) -> None:
        kept = Turn(turn.role, turn.text[: self.config.max_characters], turn.at)
        self.count += 1
        self.turns = (*self.turns, kept)[-self.config.max_turns :]
        name = f"{self.node} #{self.count}: {' '.join(turn.text.split())}"[:160]
        name = free_record(self.model.memory.store, name, "episode")
        episode = AddNode(name, "episode", turn.text[:100_000], (), {"source": self.node, "at": turn.at})
        state = {"turns": [list(turn) for turn in self.turns], "count": self.count, "speaker": self.config.speaker}
        edits = [AddNode(self.node, "session", attributes=state), *([episode] if stated else [])]
        self.model.memory.store.apply(edits, action="session", note=self.name[:200])

    def _resume(self) -> None:
        found = self.model.memory.node(self.node)
        if found is None:
            return
        turns, count = found.attributes.get("turns"), found.attributes.get("count")
        if found.kind != "session" or not isinstance(turns, list) or not isinstance(count, int):
            raise InvalidValue(f"the node {self.node!r} is no session of graphmem; choose another name for the session")
        self.count = count
        self.turns = tuple(Turn(*map(str, turn)) for turn in turns)[-self.config.max_turns :]
        speaker = found.attributes.get("speaker")
        if self.config.speaker is None and isinstance(speaker, str):
            self.config = replace(self.config, speaker=speaker)

    def __repr__(self) -> str:
        return f"Session({self.name!r}, turns={self.count})"


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


def extract_question(text: str, *, stated: bool) -> str:
    """The question in a turn: its last sentence with a question mark, or all of it if it begins like a question.

    Of a turn with ``stated`` facts only a sentence with a question mark is a question.
    """
    marked = [sentence for a, b in sentences(text) if is_question(sentence := text[a:b].strip())]
    if marked:
        return marked[-1]
    return text.strip() if not stated and _QUESTION.match(text.strip()) else ""
