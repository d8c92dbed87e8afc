"""People's questions about their own facts and documents: answers, refusals, extraction, conversations.

A set is a folder with ``facts.tsv`` (subject, relation, object, valid from, valid to), ``docs.jsonl``,
``questions.jsonl``, ``unknown.jsonl``, ``chats.jsonl``, and a README that names the day on which it is asked. Parts:

- ``ask``: facts and documents (with their dates) are loaded; each question is asked by itself, on the set's day where
  ``ask`` takes one. An answer is right if every wanted string occurs as a whole phrase in its first 40 words (case,
  accents, articles and punctuation ignored); yes/no answers must begin with it; of several answers at least half must
  be acceptable, except in lists, counts and comparisons. "Not known" is never right.
- ``unknown``: questions that the set does not answer; right if refused (status "not_known").
- ``read``: documents are read one after the other. Facts count as pairs of ends (subject, object), names resolved by
  the memory; an object also matches a phrase that holds it, or lies in it, with at least half of its words.
- ``chat``: conversations; answers are scored as in ``ask``, statements by the facts that hold right after the turn.

The calibration error compares ``confidence`` with the share of questions that were answered rightly, over ``ask`` and
``unknown`` together: nothing is right where nothing is known, so a refusal should come with a low confidence.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphmem.core.errors import GraphMemError, InvalidName, InvalidTime, InvalidValue
from graphmem.core.types import Fact
from graphmem.datasets.files import read_lines, read_rows
from graphmem.evaluation.answers import PromptedBase, ask_on, is_refused
from graphmem.evaluation.report import markdown_table
from graphmem.evaluation.statistics import calibration_error, mean, percentile_interval, resampled_means
from graphmem.memory import GraphMemory
from graphmem.text.phrases import HEAD_WORDS, is_acceptable, is_similar, plain, wanted_strings

PARTS = ("ask", "unknown", "read", "chat")

Values = Mapping[str, Sequence[float]]
"""One figure a question (or fact, or turn) by measure."""
Ends = tuple[str, str]
"""Subject and object of a fact, normalised."""
Attach = Callable[[GraphMemory], Any]

_MONTHS = ["", *"January February March April May June July August September October November December".split()]
_UNCHECKED = ("list", "count", "comparison")
"""Kinds of question whose answers may hold more than what is wanted."""
_REFUSABLE = ("1-hop", "reverse", "when", "docs")
"""Kinds over which false refusals are counted."""
GROUPS = {
    "1-hop and reverse": ("1-hop", "reverse"),
    "several facts": ("2-hop", "3-hop", "both", "time-scoped", "comparison"),
    "operations": ("yes", "count", "list", "comparison", "both", "negation"),
}
"""Kinds that are also counted together."""
CALIBRATION, PROMPTED = "calibration error", "in the prompt"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % bootstrap interval over ``n`` questions."""

    value: float
    n: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.n})"


@dataclass(frozen=True)
class PeopleReport:
    """Estimates by set and measure, and means over the sets; a measure without questions is left out.

    For the intervals of the means, questions are resampled within each set; the mean calibration error is that of the
    questions of all sets. ``answers`` holds one mapping a question.
    """

    sets: dict[str, dict[str, Estimate]]
    mean: dict[str, Estimate]
    answers: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, values: Mapping[str, Values], answers: Sequence[dict[str, Any]] = ()) -> PeopleReport:
        """The report of the figures of each set."""
        sets = {name: {key: estimate([rows]) for key, rows in own.items() if rows} for name, own in values.items()}
        for name, own in sets.items():
            own |= _calibration([row for row in answers if row["set"] == name])
        keys = sorted(dict.fromkeys(key for own in sets.values() for key in own), key=lambda key: ":" in key)
        groups = {key: [own[key] for own in values.values() if own.get(key)] for key in keys}
        means = {key: estimate(rows) if rows else _calibration(answers)[key] for key, rows in groups.items()}
        return cls(sets, means, list(answers))

    def table(self) -> str:
        """A Markdown table: a row a measure, a column a set, then the mean over the sets."""
        columns = self.sets if len(self.sets) == 1 else {**self.sets, "mean": self.mean}
        return markdown_table(
            [{"measure": key, **{name: own.get(key) for name, own in columns.items()}} for key in self.mean]
        )

    def json(self) -> str:
        """Sets and means as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


def estimate(groups: Sequence[Sequence[float]]) -> Estimate:
    """The mean over groups of their means; questions are resampled within each group."""
    means = [resampled_means(rows, seed) for seed, rows in enumerate(groups)]
    low, high = percentile_interval(sum(means[1:], means[0]) / len(means))
    return Estimate(mean([mean(rows) for rows in groups]), sum(map(len, groups)), low, high)


def _calibration(answers: Sequence[Mapping[str, Any]]) -> dict[str, Estimate]:
    """The calibration error of answers, if they have a confidence."""
    known = [row for row in answers if row["confidence"] is not None]
    if not known:
        return {}
    pairs = [(float(row["confidence"]), float(row["right"] and row["part"] == "ask")) for row in known]
    error, low, high = calibration_error(pairs)
    return {CALIBRATION: Estimate(error, len(pairs), low, high)}


def evaluate_people(
    attach: Attach, folders: Iterable[Path], parts: Sequence[str] = PARTS, *, baseline: bool = False,
    options: Mapping[str, Any] | None = None, log: Callable[[str], None] | None = None,
) -> PeopleReport:  # fmt: skip
    """Run the parts on the sets of all folders, each in a fresh memory.

    Args:
        attach: makes a ``GraphMemoryModel`` of a memory; it is detached after each part.
        folders: one a set.
        parts: of ``PARTS``.
        baseline: ask the base too, with what the memory retrieves in its prompt.
        options: of ``GraphMemory.open``, for each memory.
        log: gets a line for each failure.

    Raises:
        InvalidValue: a part that there is not, a folder without ``facts.tsv``, or two of the same name.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise InvalidValue(f"no part {unknown[0]!r}; choose of {', '.join(PARTS)}")
    values: dict[str, Values] = {}
    answers: list[dict[str, Any]] = []
    for folder in folders:
        if not (folder / "facts.tsv").exists():
            raise InvalidValue(f"{folder} holds no facts.tsv")
        task = PeopleTask(folder, log or (lambda line: None), options)
        if task.name in values:
            raise InvalidValue(f"two of the folders are named {task.name}; a set is known by the name of its folder")
        own: dict[str, Sequence[float]] = {}
        for part in (part for part in PARTS if part in parts):
            with task.attached(attach, documents=part != "read") as model:
                own |= getattr(task, part)(model)
                if baseline and part == "ask":
                    own |= {f"{PROMPTED}: {key}": rows for key, rows in task.ask(PromptedBase(model), PROMPTED).items()}
        values[task.name] = own
        answers += task.answers
    return PeopleReport.of(values, answers)


class PeopleTask:
    """The set of one folder: loads its memory, opened with ``options``, and scores each part.

    ``log`` gets a line for each failure, ``answers`` a mapping for each question.
    """

    def __init__(self, folder: Path, log: Callable[[str], None], options: Mapping[str, Any] | None = None) -> None:
        self.folder, self.name, self.log, self.options = folder, folder.resolve().name, log, dict(options or {})
        self.answers: list[dict[str, Any]] = []
        readme = folder / "README.md"
        self.day = asking_day(readme.read_text(encoding="utf-8")) if readme.exists() else None

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines of a file of the set; none where the file is missing."""
        path = self.folder / name
        return read_rows(path) if path.exists() else []

    @contextmanager
    def attached(self, attach: Attach, *, documents: bool = True) -> Iterator[Any]:
        """A model with a memory in RAM that holds the facts, and the documents as passages."""
        with GraphMemory.open(":memory:", **self.options) as memory:
            self.write_facts(memory)
            if documents:
                self.write_documents(memory)
            model = attach(memory)
            try:
                yield model
            finally:
                model.detach()

    def write_facts(self, memory: GraphMemory) -> None:
        """Write ``facts.tsv``: facts with their validity, ``also known as`` as aliases. Writes."""
        for line in read_lines(self.folder / "facts.tsv"):
            if line.startswith("#"):
                continue
            subject, relation, value, begin, end = (line.split("\t") + [""] * 4)[:5]
            if relation == "also known as":
                try:
                    memory.add_alias(subject, value)
                    continue
                except GraphMemError:  # an alias of another node is written as a fact
                    pass
            try:
                memory.add(subject, relation, value, valid_from=begin or None, valid_to=end or None, source="facts.tsv")
            except InvalidTime as error:
                self.log(f"  {subject} | {relation} | {value}: {error}")
                memory.add(subject, relation, value, source="facts.tsv")

    def write_documents(self, memory: GraphMemory) -> None:
        """Write ``docs.jsonl`` as passages with their dates. Writes."""
        for document in self.rows("docs.jsonl"):
            passage = [(document["title"], document["text"])]
            try:
                memory.add_passages(passage, source="docs", date=document.get("date") or None)
            except InvalidTime as error:
                self.log(f"  {document['title']}: {error}")
                memory.add_passages(passage, source="docs")

    def put(self, model: Any, part: str, question: str) -> Any:
        """The answer to a question on the set's day, with what is kept of it."""
        answer = ask_on(model, question, self.day)
        kept = {"set": self.name, "part": part, "question": question, "text": str(answer.text)}
        self.answers.append({**kept, "refused": is_refused(answer), "confidence": getattr(answer, "confidence", None)})
        return answer

    def ask(self, model: Any, part: str = "ask") -> Values:
        """Right answers, by where they lie and by kind; false refusals; CPU seconds an answer."""
        values: defaultdict[str, list[float]] = defaultdict(list)
        for q in self.rows("questions.jsonl"):
            started = time.process_time()
            answer = self.put(model, part, q["question"])
            seconds, refused = time.process_time() - started, is_refused(answer)
            acceptable = [is_acceptable(str(name), wanted_strings(q["answers"])) for name in answer.answers]
            guessed = len(acceptable) > 1 and q["kind"] not in _UNCHECKED and 2 * sum(acceptable) < len(acceptable)
            right = is_acceptable(answer.text, q["answers"]) and not refused and not guessed
            kind = "docs" if q["needs"] != "facts" else re.split("[/ ]", q["kind"])[0]
            self.answers[-1] |= {"kind": kind, "right": right}
            values["ask"].append(right)
            values["ask docs" if kind == "docs" else "ask facts"].append(right)
            if kind in _REFUSABLE:
                values["false refusals"].append(refused)
            values["CPU s/answer"].append(seconds)
            for name in (kind, *(group for group, kinds in GROUPS.items() if kind in kinds)):
                values[f"ask: {name}"].append(right)
            if not right:
                self.log(f"  {part} [{q['kind']}] {q['question']} → {answer.text[:90]!r}, wanted {q['answers'][:2]}")
        return values

    def unknown(self, model: Any) -> Values:
        """Refusals of questions that the set does not answer."""
        refusals = []
        for q in self.rows("unknown.jsonl"):
            answer = self.put(model, "unknown", q["question"])
            refusals.append(float(is_refused(answer)))
            self.answers[-1] |= {"kind": q.get("kind", ""), "right": bool(refusals[-1])}
            if not refusals[-1]:
                self.log(f"  unknown {q['question']} → {answer.text[:90]!r}")
        return {"unknown refused": refusals}

    def read(self, model: Any) -> Values:
        """Facts written from the documents, against those that hold on the set's day."""
        memory, documents = model.memory, self.rows("docs.jsonl")
        of = lambda fact, value="object": ends(memory, fact["subject"], fact.get(value, ""))
        before, failed = current_ends(memory, self.day), [0.0] * len(documents)
        for number, document in enumerate(documents):
            try:
                model.read(document["text"], at=document.get("date") or None, apply=True, source=document["id"])
            except GraphMemError as error:
                self.log(f"  read {document['id']}: {error}")
                failed[number] = 1.0
        entries = [entry for entry in memory.journal(sys.maxsize) if not entry.undone]
        recorded_facts = memory.store.facts_by_id(list({edge for entry in entries for edge in entry.edge_ids}))
        after, recorded = current_ends(memory, self.day), ends_of(memory, recorded_facts)
        facts = [fact for document in documents for fact in document["facts"]]
        current, past = ({of(fact) for fact in facts if fact["status"] == kind} for kind in ("current", "past"))
        written, gold = after - before, current - before
        for pair in sorted(pair for pair in written if not matches(pair, current)):
            self.log(f"  read, false: {pair}")
        for pair in sorted(pair for pair in gold if not matches(pair, written)):
            self.log(f"  read, missed: {pair}")
        changes = [fact for fact in facts if fact.get("changes") and fact["status"] == "current"]
        return {
            "read precision": [matches(pair, current) for pair in written] or [0.0],
            "read recall": [matches(pair, written) for pair in gold],
            "past recall": [matches(pair, recorded) for pair in past],
            "wrongly current": [matches(of(fact), written) for fact in facts if self.not_current(fact)],
            "changed": [matches(of(fact), after) and of(fact, "old") not in after for fact in changes],
            "changes answered": [self.answers_change(model, fact) for fact in changes],
            "read failures": failed,
        }

    def chat(self, model: Any) -> Values:
        """Right answers in conversations, and statements that hold as facts right after their turn."""
        from graphmem.generation.conversation import SessionConfig

        answers, writes = [], []
        for chat in self.rows("chats.jsonl"):
            session = model.session(chat["id"], SessionConfig(speaker=chat.get("speaker")))
            for turn in chat["turns"]:
                text, refused, wanted = "", False, turn.get("answers")
                try:
                    reply = session.say(turn["user"], at=chat.get("date"))
                    text, refused = reply.text, bool(reply.answer and is_refused(reply.answer))
                except GraphMemError as error:
                    self.log(f"  chat {chat['id']}: {error}")
                if wanted is not None:
                    answers.append(float(is_acceptable(text, wanted) if wanted else refused))
                    if not answers[-1]:
                        self.log(f"  chat {turn['user']} → {text[:80]!r}, wanted {wanted[:2]}")
                stated = [w for w in turn.get("writes") or () if w.get("status", "current") == "current"]
                current = current_ends(model.memory, None) if stated else set()
                writes += [matches(ends(model.memory, w["subject"], w["object"]), current) for w in stated]
        return {"chat answers": answers, "chat writes": writes}

    def not_current(self, fact: Mapping[str, Any]) -> bool:
        """Whether a document's fact must not become a current one: negated, reported, or planned for later."""
        if fact["status"] in ("current", "past"):
            return False
        started = bool(self.day) and "" < date_of(fact["valid_from"]) <= str(self.day)
        return fact["status"] in ("negated", "reported") or not started

    def answers_change(self, model: Any, fact: Mapping[str, Any]) -> bool:
        """Whether the new value of a change is generated, and not after the old one."""
        text = ask_on(model, f"What is {fact['subject']}'s {fact['relation']} now?", self.day).text
        head = f" {plain(' '.join(text.split()[:HEAD_WORDS]))} "
        new, old = (head.find(f" {plain(name)} ") if name else -1 for name in (fact["object"], fact.get("old", "")))
        return new >= 0 and not 0 <= old < new


def holds(fact: Fact, day: str | None) -> bool:
    """Whether a fact is valid on a day (ISO date); with None, whether it has no end."""
    begin, end = date_of(fact.valid_from), date_of(fact.valid_to)
    return not (day and begin > day) and not (end and (not day or end <= day))


def current_ends(memory: GraphMemory, day: str | None) -> set[Ends]:
    """Ends of the facts that hold on a day; with None, of those without an end."""
    facts = memory.facts() + (memory.facts(as_of=day) if day else [])
    return ends_of(memory, [fact for fact in facts if holds(fact, day)])


def ends_of(memory: GraphMemory, facts: Iterable[Fact]) -> set[Ends]:
    """Ends of facts."""
    return {ends(memory, fact.subject, fact.object) for fact in facts}


def ends(memory: GraphMemory, subject: str, object: str) -> Ends:
    """Subject and object by the names of their nodes, normalised."""
    return _name(memory, subject), _name(memory, object)


def _name(memory: GraphMemory, name: str) -> str:
    try:
        node = memory.node(name)
    except InvalidName:
        node = None
    return plain(node.name if node is not None else name)


def matches(pair: Ends, pairs: set[Ends]) -> bool:
    """Whether a pair of ends is among others, or one with its subject and a similar object is."""
    return pair in pairs or any(pair[0] == subject and is_similar(pair[1], object) for subject, object in pairs)


def date_of(value: object) -> str:
    """The first ten characters of an ISO time; empty where it does not begin with a year."""
    text = str(value or "")[:10]
    return text if text[:4].isdigit() else ""


def asking_day(readme: str) -> str | None:
    """The ISO date on which a set is to be asked, from "as of ..." in its README."""
    pattern = r"as of (?:the )?(end of |beginning of )?(?:(\d{1,2}) )?(?:([A-Z][a-z]+|spring) )?(\d{4})"
    if not (found := re.search(pattern, readme)):
        return None
    part, day, month, year = found.groups()
    number = 5 if month == "spring" else _MONTHS.index(month) if month in _MONTHS else 1
    return f"{year}-{number:02d}-{int(day) if day else 28 if part == 'end of ' else 15:02d}"
