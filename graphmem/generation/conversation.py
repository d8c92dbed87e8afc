"""Conversations: every turn is read into the memory, and questions are answered from it; sessions are persistent.

    session = model.session("ada")
    session.say("Ada Lovelace moved to Surrey.")        # written through the write gate
    session.say("Where does she live?").text            # answered from the memory and the last turns

A session keeps three time scales: a working buffer (the last turns, in one node of kind ``session``), episodes (each
turn that states something, with its time, in nodes of kind ``episode``), and facts. Ordinary searches skip the two
kinds. Facts and buffer are separate journal entries, so that a fact can be undone after later turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from graphmem.core import arguments
from graphmem.core.edits import AddNode, JournalEntry
from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.names import check_name
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.generation.answering import AskOptions, answer_question
from graphmem.generation.attribution import Answer, Explanation, Quote
from graphmem.generation.decoding import generate_plain, prompt_ids
from graphmem.generation.turns import (
    Question,
    Turn,
    asking,
    form_of,
    last_sentences,
    questions_of,
    resolve_first_person,
    statements,
    without_first_person,
)
from graphmem.questions.turn_form import TurnClassifier, TurnForm
from graphmem.reading.candidates import check_text
from graphmem.reasoning.question_rewriting import Completion, best_completion, completions, replaced, restricted
from graphmem.reasoning.turn_evidence import joined, read_turns
from graphmem.reasoning.values import typed
from graphmem.text.name_matching import match_names
from graphmem.text.sentences import is_question
from graphmem.writing.decider import free_record
from graphmem.writing.deduplication import is_mark
from graphmem.writing.gate_rules import WriteGateConfig
from graphmem.writing.pipeline import WritePlan, read_text, shipped_extractor

MAX_QUESTIONS = 4
"""Questions of a turn that are answered."""

MAX_TOPICS = 8
"""Topics that a session keeps."""

LACKS, RESTATED = 0.6, 0.3
"""Probabilities from which a question takes over what the former one asks, and a turn corrects the former question."""

TURNS = WriteGateConfig(min_sure=0.2, min_proposed=0.1)
"""Thresholds for what a user says, who is the source; chosen on people's conversations."""

NO_ANSWER = -8.0
"""Log-odds of an answer where there is none."""

STATED = 2.0
"""Log-odds of an answer in former turns from which no set is computed from the memory."""


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


@dataclass(frozen=True, slots=True)
class Reply:
    """Result of a turn.

    Attributes:
        text: the answers, one after the other; empty for a turn without a question.
        answer: the first answer that is known, else the last, with its facts and sources; None without a question.
            Where the question was completed from former turns, its ``explanation`` says how it was read.
        plan: the facts read and the decisions.
        entry: the journal entry of the facts written; None where there were none.
        answers: the answer to each question of the turn.
    """

    text: str
    answer: Answer | None
    plan: WritePlan
    entry: JournalEntry | None = None
    answers: tuple[Answer, ...] = ()

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
        self.topics: tuple[str, ...] = ()
        self.asked = ("", "")  # the former question as it was read, and its topic
        self._classifier: TurnClassifier | None = None
        if (reader := self._reader) is not None:
            with suppress(WeightsMismatch):  # without it a question mark shows a question
                self._classifier = TurnClassifier.load(reader.encoder.fingerprint)
        self._resume()

    @property
    def _reader(self) -> Any:
        return getattr(self.model.memory, "evidence_reader", None)

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
        spoken = text.replace("\0", " ").strip()
        text, before = resolve_first_person(spoken, self.config.speaker), self.context()
        known = text if self.config.speaker is not None else without_first_person(text)
        plan = read_text(
            self.model, known, context=before, source=self.node, trust=trust, at=at, keep=False, config=TURNS
        )
        if not text.strip():
            return Reply("", None, plan)
        memory = self.model.memory
        entry = memory.apply(plan, note=text.strip()[:200]) if plan.edits else None
        entry = entry if any(not is_mark(edit) for edit in plan.edits) else None
        forms = self._forms(parts := last_sentences(spoken))
        questions = self._questions(parts, forms, stated=bool(plan.facts))
        form = form_of(parts, forms, stated=bool(plan.facts))
        former = self.turns
        if not questions:
            self._mention(text)
        asks = asking(parts, forms, stated=bool(plan.facts))
        says = "\n".join(" ".join(part.split()) for part, one in zip(parts, asks, strict=True) if not one)
        self._remember(Turn("user", text.strip(), when, form, says), stated=bool(plan.decisions) and entry is not None)
        if not questions:
            return Reply("", None, plan, entry)
        answers = tuple(self._answer(question, former, before, at) for question in questions)
        given = [answer for answer in answers if answer.status != "not_known"] or [answers[-1]]
        response = "\n".join(answer.text for answer in given)
        self._remember(Turn("model", response, when), stated=False)
        return Reply(response, given[0], plan, entry, answers)

    def context(self) -> str:
        """The user's turns in the buffer, oldest first."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "user")

    def _questions(self, spoken: Sequence[str], forms: Sequence[TurnForm], *, stated: bool) -> list[Question]:
        """The questions of a turn; for a correction of the former question, that question with what corrects it."""
        found = questions_of(spoken, forms, stated=stated)
        if not found and self.turns and self.turns[-1].role == "model" and self.asked[0] and forms:
            if max(form.corrects for form in forms) > RESTATED:
                text = " ".join(spoken)
                options = replaced(*self.asked, self._names(text)) or [Completion(f"{self.asked[0]} {text}")]
                found = [Question(text, 0.0, options=tuple(options), spoken=text)]
        speaker = self.config.speaker
        own = lambda one: one._replace(
            text=resolve_first_person(one.text, speaker), beside=resolve_first_person(one.beside, speaker)
        )
        return [own(one) for one in found[:MAX_QUESTIONS]]

    def _forms(self, spoken: Sequence[str]) -> list[TurnForm]:
        if self._classifier is None:
            return [TurnForm(float(is_question(text)), 0.5, 0.0, 0.0) for text in spoken]
        return self._classifier.forms(self._reader.encoder, spoken)

    def _answer(self, question: Question, former: Sequence[Turn], before: str, at: Time | None) -> Answer:
        """From the memory and the statements of the last turns, side by side.

        Without an evidence encoder the memory answers, and where it does not, the base with the last turns in its
        prompt.
        """
        reader, store = self._reader, self.model.memory.store
        if reader is None:
            return self._generated(question.text, before, at)
        said = read_turns(reader, question.spoken, statements(former))
        odds = said.answers[0].weight if said.answers else NO_ANSWER
        chosen = self._completed(question, odds)
        options = AskOptions(
            self.config.max_new_tokens, at=at, sets=odds < STATED,
            revise=lambda weighed: joined(
                restricted(weighed, chosen.topic, store), said, 0.0 if chosen.topic else chosen.prior
            ),
        )  # fmt: skip
        answer = answer_question(self.model, chosen.text, options)
        self._follow(chosen, answer)
        from_turn = any(isinstance(item, Quote) and item.passage < 0 for item in answer.evidence[:1])
        if chosen.text == question.text or from_turn:
            return answer
        explained = answer.explanation or Explanation("lookup", "")
        return replace(answer, explanation=replace(explained, question=chosen.text))

    def _completed(self, question: Question, odds: float) -> Completion:
        """The question as it is read: the completion that the evidence answers best.

        It is left as it is where former turns answer it with higher log-odds, which are ``odds``.
        """
        retrieve, own = self.model.memory.retrieve, self._names(question.text)
        if question.options:
            return best_completion(self._reader, retrieve, question.options)[0]
        beside = self._names(question.beside) if question.beside else []
        topics = self._topical([*beside, *self.topics])
        lacks = question.lacks > LACKS and (bool(own) or is_question(question.text))
        if lacks and (others := replaced(*self.asked, own or topics)):
            return best_completion(self._reader, retrieve, others)[0]
        refers = min(question.refers, 0.5) if own else question.refers
        found = completions(question.text, [topic for topic in topics if topic not in own], refers)
        best, score = best_completion(self._reader, retrieve, found)
        return best if score > odds else found[0]

    def _topical(self, names: Sequence[str]) -> list[str]:
        """Those of some names, each once, of which facts say something, without the speaker; values are no topics."""
        store, kept = self.model.memory.store, []
        for name in dict.fromkeys(names):
            node = None if name == self.config.speaker else store.resolve(name)
            if node is None:
                continue
            facts = store.edges(store.fact_ids_around([node.id], limit=2))
            if any(edge.src == node.id for edge in facts) or (len(facts) > 1 and typed(name) is None):
                kept.append(name)
        return kept

    def _names(self, text: str) -> list[str]:
        """Names of the nodes that a text mentions, the last mentioned first."""
        store = self.model.memory.store
        seeds = self.model.memory.retrieve(text, top_k=1).seeds
        unclear = {name for name, _ in seeds.unclear}
        mentions = sorted(seeds.mentions, key=lambda one: -one.start)
        return list(dict.fromkeys(store.names([one.nodes[0] for one in mentions if one.text not in unclear])))

    def _mention(self, text: str) -> None:
        """Keep what a statement mentions as topics."""
        if self._reader is None:
            return
        store = self.model.memory.store
        others = [one.nodes[0] for one in match_names(text, store, lambda match: True) if len(one.nodes) == 1]
        names = [*self._names(text), *store.names(others), *self.topics]
        self.topics = tuple(self._topical(names))[:MAX_TOPICS]

    def _follow(self, chosen: Completion, answer: Answer) -> None:
        """Keep what a question was about, and its answer, as topics."""
        store = self.model.memory.store
        said = [node.name for text in answer.answers[:2] if (node := store.resolve(text[:200])) is not None]
        ends = [end for fact in answer.path for end in (fact.subject, fact.object)]
        own = self._names(chosen.text)
        fresh = [*said, *filter(None, [chosen.topic]), *own, *ends]
        self.topics = tuple(self._topical([*fresh, *self.topics]))[:MAX_TOPICS]
        self.asked = (chosen.text, chosen.topic or next(iter(own), ""))

    def _generated(self, question: str, before: str, at: Time | None) -> Answer:
        if before.strip():
            question = shipped_extractor(self.model).resolve_pronouns(question, before)
        answer: Answer = self.model.ask(question, max_new_tokens=self.config.max_new_tokens, at=at)
        if answer.answerable >= self.config.min_answerability or not before.strip():
            return answer
        prompt = prompt_ids(self.model, question, before)
        text = generate_plain(self.model, prompt, self.config.max_new_tokens)
        return replace(answer, text=text, answers=(text,), evidence=(), path=(), status="from_base", refused=False)

    def _remember(self, turn: Turn, *, stated: bool) -> None:
        most = self.config.max_characters
        kept = turn._replace(text=turn.text[:most], stated=turn.stated[:most])
        self.count += 1
        self.turns = (*self.turns, kept)[-self.config.max_turns :]
        name = f"{self.node} #{self.count}: {' '.join(turn.text.split())}"[:160]
        name = free_record(self.model.memory.store, name, "episode")
        episode = AddNode(name, "episode", turn.text[:100_000], (), {"source": self.node, "at": turn.at})
        state = {
            "turns": [list(turn) for turn in self.turns], "count": self.count, "speaker": self.config.speaker,
            "topics": list(self.topics), "asked": list(self.asked),
        }  # fmt: skip
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
        topics, asked = found.attributes.get("topics"), found.attributes.get("asked")
        self.topics = tuple(map(str, topics))[:MAX_TOPICS] if isinstance(topics, list) else ()
        if isinstance(asked, list) and len(asked) == 2:
            self.asked = (str(asked[0]), str(asked[1]))
        speaker = found.attributes.get("speaker")
        if self.config.speaker is None and isinstance(speaker, str):
            self.config = replace(self.config, speaker=speaker)

    def __repr__(self) -> str:
        return f"Session({self.name!r}, turns={self.count})"
