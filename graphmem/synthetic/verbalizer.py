"""Facts put into words: statements, changes, endings, denials, rumours, and streams of them for a memory to hear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from graphmem.core.types import Triple
from graphmem.synthetic.grammar import (
    CHATTER,
    CHECKS,
    CONJUNCTIONS,
    CORRECTIONS,
    DENIALS,
    PRONOUN_FORMS,
    PRONOUNS,
    RUMOURS,
    agree,
    capitalise,
    clause,
    fill,
    moment,
    pronoun,
    short_name,
)
from graphmem.text.lexicon import Relation

Mention = tuple[int, int, str]

KINDS: Final = ("statement", "update", "end", "negation", "question", "hearsay", "chatter")
_KIND_WEIGHTS: Final = (60, 10, 7, 6, 6, 6, 5)
ASSERTING: Final = frozenset({"statement", "update", "end"})
"""Kinds whose triples the text vouches for; the others only speak of them."""


@dataclass(frozen=True, slots=True)
class SyntheticText:
    """A short text and what it says.

    Attributes:
        text: one to several sentences.
        mentions: (start, end, name) of each span that names something; a surname alone bears the full name.
        triples: what the text speaks of; vouched for only where ``kind`` is in ``ASSERTING``.
        kind: one of ``KINDS``.
        valid_from: for each triple, ISO time from which the text says it holds, or None.
        former: for each triple, the object that an update names as outdated, or None.
    """

    text: str
    mentions: tuple[Mention, ...]
    triples: tuple[Triple, ...]
    kind: str
    valid_from: tuple[str | None, ...] = ()
    former: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """One passage that a memory hears, and what it should do with each of its triples.

    Attributes:
        passage: what is heard.
        labels: ``skip``, ``add``, ``update`` or ``retire`` for each triple.
        trust: how far its source is to be trusted, 0..1.
        reason: new, duplicate, paraphrase, change, ending, rumour or chatter.
        before: objects by (subject, relation) that the memory holds of the triples' subjects beforehand.
        after: the same afterwards.
        removed: facts that end here.
        added: facts that begin here.
    """

    passage: SyntheticText
    labels: tuple[str, ...]
    trust: float
    reason: str
    before: Mapping[tuple[str, str], tuple[str, ...]]
    after: Mapping[tuple[str, str], tuple[str, ...]]
    removed: tuple[Triple, ...]
    added: tuple[Triple, ...]


def replay(
    known: Iterable[Triple], events: Iterable[LabelledEvent]
) -> Iterator[tuple[LabelledEvent, frozenset[Triple]]]:
    """Yield each event with all facts that hold before it, starting from ``known``."""
    state = set(known)
    for event in events:
        yield event, frozenset(state)
        state.difference_update(event.removed)
        state.update(event.added)


class Draft:
    """A text under construction: sentences, the names in them, and what they say."""

    def __init__(self) -> None:
        self.text = ""
        self.mentions: list[Mention] = []
        self.facts: list[tuple[Triple, str | None, str | None]] = []

    def add(self, template: str, values: Mapping[str, str], shown: Mapping[str, str]) -> None:
        """Append a filled template. ``shown`` replaces a slot's value by its surface; a pronoun is no mention."""
        text, spans = fill(template, {**values, **shown})
        hidden = {slot for slot, surface in shown.items() if surface in PRONOUN_FORMS}
        gap = " " if self.text and not self.text.endswith((" ", "(")) else ""
        base = len(self.text) + len(gap)
        self.text += gap + capitalise(text)
        self.mentions += [(base + a, base + b, values[slot]) for a, b, slot in spans if slot not in hidden]

    def passage(self, kind: str) -> SyntheticText:
        """Return the finished passage."""
        triples = tuple(fact[0] for fact in self.facts)
        times, former = tuple(fact[1] for fact in self.facts), tuple(fact[2] for fact in self.facts)
        return SyntheticText(self.text, tuple(sorted(self.mentions)), triples, kind, times, former)


class Verbalizer:
    """Puts the facts of one world into words.

    Args:
        kind_of: the type of each name.
        triples: the world's facts.
        relations: the relations of those facts, by name.
    """

    def __init__(
        self, kind_of: Mapping[str, str], triples: Sequence[Triple], relations: Mapping[str, Relation]
    ) -> None:
        self.kind_of, self.relations, self.triples = kind_of, relations, list(triples)
        self.about: dict[str, list[Triple]] = defaultdict(list)
        self.members: dict[str, list[str]] = defaultdict(list)
        for name, kind in kind_of.items():
            self.members[kind].append(name)
        for triple in triples:
            self.about[triple[0]].append(triple)
        self.subjects = list(self.about)

    def statements(self, rng: Random, n: int, facts: tuple[int, int]) -> list[SyntheticText]:
        """Return ``n`` passages of all kinds."""
        if not self.triples:
            return []
        return [self._one(rng, rng.choices(KINDS, _KIND_WEIGHTS)[0], facts) for _ in range(n)]

    def _one(self, rng: Random, kind: str, facts: tuple[int, int]) -> SyntheticText:
        if kind == "chatter":
            return self.chatter(rng)
        triple = rng.choice(self.triples)
        if kind == "statement":
            own = self.about[triple[0]]
            return self.state(rng, rng.sample(own, min(len(own), rng.randint(*facts))))
        if kind == "update":
            other = self.other_object(rng, triple)
            made = self.change(rng, (triple[0], triple[1], other), triple[2]) if other else None
            return made or self.state(rng, [triple])
        if kind == "end":
            return self.end(rng, triple) or self.state(rng, [triple])
        other = self.other_object(rng, triple) if rng.random() < 0.5 else None
        return self.wrap(rng, (triple[0], triple[1], other or triple[2]), kind)

    def other_object(self, rng: Random, triple: Triple) -> str | None:
        """Return another name of the object's type that the fact could have had, or None."""
        subject, relation, object = triple
        pool = self.members[self.kind_of[object]]
        taken = {o for s, r, o in self.about[subject] if r == relation}
        tried = (rng.choice(pool) for _ in range(8))
        return next((name for name in tried if name != subject and name not in taken), None)

    # ---------------------------------------------------------------- statements

    def state(self, rng: Random, triples: Sequence[Triple]) -> SyntheticText:
        """Return a passage that states facts, those of one subject joined and shortened as people do."""
        draft, queue, told = Draft(), list(triples), ""
        while queue:
            triple = queue.pop(0)
            if (
                queue
                and queue[0][0] == triple[0]
                and rng.random() < 0.3
                and self._joined(rng, draft, triple, queue[0], told)
            ):
                queue.pop(0)
            else:
                self._sentence(rng, draft, triple, told)
            told = triple[0]
        return draft.passage("statement")

    def _sentence(self, rng: Random, draft: Draft, triple: Triple, told: str) -> None:
        template, values = rng.choice(self.relations[triple[1]].statements), {"s": triple[0], "o": triple[2]}
        when = None
        dated = self.kind_of[triple[2]] in ("year", "date", "number") or any(c.isdigit() for c in template)
        if template.startswith("{s} ") and not dated and rng.random() < 0.25:
            lead, when = moment(rng, template[3:])
            template = lead + template
        shown: dict[str, str] = {}
        if told == triple[0]:
            template, shown = self._shortened(rng, template, triple[0], draft)
        draft.add(template, values, shown)
        draft.facts.append((triple, when, None))

    def _shortened(self, rng: Random, template: str, name: str, draft: Draft) -> tuple[str, dict[str, str]]:
        """Return the template and the surface for a subject that was named before: a pronoun, a surname or the name."""
        kind, chance = self.kind_of[name], rng.random()
        if chance < 0.55:
            word = pronoun(name, kind)
            lead, _, rest = template.partition("{s}")
            if rest.startswith("'s ") and (not lead or lead.endswith(", ")):
                own = PRONOUNS[word]
                return lead + "{s}" + rest[2:], {"s": own.lower() if lead else own}
            agreed = agree(rest) if word == "They" else rest
            if not lead and rest.startswith(" ") and agreed is not None:
                return "{s}" + agreed, {"s": word}
        elif chance < 0.75 and kind == "person" and len(name.split()) > 1:
            last = short_name(name)
            rivals = {short_name(other) for _, _, other in draft.mentions if other != name}
            if last not in rivals:
                return template, {"s": last}
        return template, {}

    def _joined(self, rng: Random, draft: Draft, first: Triple, second: Triple, told: str) -> bool:
        """Put two facts of one subject into one sentence; False where no templates of theirs fit together."""
        one, two = (
            [
                t[4:-1]
                for t in self.relations[x[1]].statements
                if t.startswith("{s} ") and t.endswith(".") and ";" not in t
            ]
            for x in (first, second)
        )
        one = [rest for rest in one if "," not in rest]
        if not one or not two or first[1] == second[1]:
            return False
        left, right = rng.choice(one), rng.choice(two).replace("{o}", "{p}")
        who = "who" if self.kind_of[first[0]] in ("person", "character") else "which"
        clause = rng.random() < 0.5 and "," not in right
        template = f"{{s}}, {who} {left}, {right}." if clause else f"{{s}} {left} {rng.choice(CONJUNCTIONS)} {right}."
        word = pronoun(first[0], self.kind_of[first[0]])
        shown: dict[str, str] = {"s": word} if told == first[0] and not clause and word != "They" else {}
        draft.add(template, {"s": first[0], "o": first[2], "p": second[2]}, shown)
        draft.facts += [(first, None, None), (second, None, None)]
        return True

    # ---------------------------------------------------------------- other kinds

    def canonical(self, triple: Triple) -> SyntheticText:
        """Return the plainest statement of one fact."""
        draft = Draft()
        draft.add(self.relations[triple[1]].statements[0], {"s": triple[0], "o": triple[2]}, {})
        draft.facts.append((triple, None, None))
        return draft.passage("statement")

    def change(self, rng: Random, triple: Triple, old: str) -> SyntheticText | None:
        """Return a passage in which the object ``old`` gives way to the triple's; None where it cannot change."""
        templates = self.relations[triple[1]].updates
        if not templates:
            return None
        template, when = rng.choice(templates), None
        if template.startswith("{s} ") and rng.random() < 0.35:
            lead, when = moment(rng, template[3:])
            template = lead + template
        draft = Draft()
        draft.add(template, {"s": triple[0], "o": triple[2], "old": old}, {})
        draft.facts.append((triple, when, old))
        return draft.passage("update")

    def end(self, rng: Random, triple: Triple) -> SyntheticText | None:
        """Return a passage that says a fact no longer holds; None where it cannot end."""
        templates = self.relations[triple[1]].ends
        if not templates:
            return None
        draft = Draft()
        draft.add(rng.choice(templates), {"s": triple[0], "o": triple[2]}, {})
        draft.facts.append((triple, None, None))
        return draft.passage("end")

    def wrap(self, rng: Random, triple: Triple, kind: str) -> SyntheticText:
        """Return a passage that denies, asks about or only rumours one fact."""
        draft, relation = Draft(), self.relations[triple[1]]
        values = {"s": triple[0], "o": triple[2]}
        if kind == "question" and rng.random() < 0.5:
            draft.add(rng.choice(relation.questions), values, {})
            return draft.passage(kind)
        frame = rng.choice({"negation": DENIALS, "hearsay": RUMOURS, "question": CHECKS}[kind])
        draft.add(frame.format(clause(rng.choice(relation.statements))), values, {})
        draft.facts.append((triple, None, None))
        return draft.passage(kind)

    def correction(self, rng: Random, triple: Triple) -> SyntheticText:
        """Return a passage that states one fact as a correction of what was held before."""
        draft = Draft()
        body = rng.choice(self.relations[triple[1]].statements)
        draft.add(rng.choice(CORRECTIONS).format(clause(body) + "."), {"s": triple[0], "o": triple[2]}, {})
        draft.facts.append((triple, None, None))
        return draft.passage("statement")

    def chatter(self, rng: Random) -> SyntheticText:
        """Return talk that says nothing worth keeping."""
        draft = Draft()
        one, two = rng.sample(self.subjects, 2) if len(self.subjects) > 1 else (self.subjects[0],) * 2
        draft.add(rng.choice(CHATTER), {"s": one, "o": two}, {})
        return draft.passage("chatter")

    def stream(self, rng: Random, n: int, known: Sequence[Triple]) -> list[LabelledEvent]:
        """Return ``n`` events for a memory that holds ``known``."""
        from graphmem.synthetic.event_streams import EventStream

        stream = EventStream(self, rng, known)
        return [stream.event() for _ in range(n)] if self.triples else []
