"""Distant supervision: real sentences labelled by the facts that a data set holds about their entities.

spaCy finds the names. A pair is labelled where the data set holds its fact and both names stand near each other. The
labels of all other pairs are unknown, and these are not trained on.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from graphmem.core.names import normalise
from graphmem.core.paths import DATA
from graphmem.core.splits import data_split
from graphmem.datasets.files import read_rows
from graphmem.datasets.plain_text import passages
from graphmem.datasets.wikimovies import load_facts
from graphmem.reading.temporal_expressions import parse_time
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, GoldMention
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation
from graphmem.text.sentences import sentences

Facts = dict[str, list[tuple[str, str]]]
"""(relation, object) pairs of each subject's normalised name."""
Span = tuple[int, int, str]
"""Characters of a text, with a kind or a relation."""
_DATA = json.loads((DATA / "distant_supervision.json").read_text(encoding="utf-8"))
_EVIDENCE: dict[str, str] = _DATA["evidence"]
"""Relation names of 2Wiki's evidence, and the lexicon's."""
_CUES = [(re.compile(rf"\b(?:{cue})(?: the)? ?[\"“]? ?$"), relation) for cue, relation in _DATA["cues"].items()]
"""Words that end where a name of the relation's object starts."""
_DISAMBIGUATION = re.compile(r" \([^)]*\)$")
_DATE = r"(?:\d{1,2} [A-Z][a-z]+ |[A-Z][a-z]+ \d{1,2}, )?\d{4}"
_LIVED = re.compile(rf"\(\s*(?:born )?(?P<born>{_DATE})(?:\s*[–-]\s*(?P<died>{_DATE}))?\s*[;)]")
_SENTENCES, _CHARACTERS = 2, 320
_DEMONYMS = "|".join(load("profiles")["demonyms"])
_NATION = re.compile(
    rf"\b(?:is|was) an? (?:[a-z-]+ |(?P<year>\d{{4}}) )?(?P<nation>{_DEMONYMS})\b(?!-)(?P<rest>[^.,;()]*)"
)
_ROLE = re.compile(
    r"^(?:[- ][A-Z]\w+)? (?P<role>[a-z-]+(?: [a-z-]+)?)(?=$|,| who| and | from | for | of | best| born| in )"
)
_WORKS = re.compile(
    r"\b(film|series|album|song|novel|band|magazine|newspaper|company|musical|book|sitcom|drama|single|play|short)"
    r"(?= directed| by| starring| from| in| of| about| written| produced| that| which| released| based| set| and|\s*$)"
)


def evidence_facts(path: Path) -> Facts:
    """Evidence triples of a 2Wiki file whose subjects are of the train split, by the lexicon's relation names."""
    found: Facts = defaultdict(list)
    for row in read_rows(path):
        for subject, relation, value in row["evidence"]:
            if relation in _EVIDENCE and data_split(subject) == "train":
                found[normalise(subject)].append((_EVIDENCE[relation], value))
    return found


def film_facts() -> Facts:
    """Facts of WikiMovies about films of the train split."""
    found: Facts = defaultdict(list)
    for subject, relation, value in load_facts():
        if data_split(subject) == "train" and relation != "has tags":
            name = "screenplay by" if relation == "written by" else relation
            found[normalise(subject)].append((name, value))
    return found


def distant_examples(facts: Facts, relations: Sequence[Relation], count: int, seed: int) -> list[AnnotatedText]:
    """At most ``count`` introductions of encyclopaedia passages of the train split that state a known fact."""
    from graphmem.adapters.spacy import named_spans

    known = {relation.relation for relation in relations}
    rows = list(passages("train"))
    Random(seed).shuffle(rows)
    drafts = [draft for row in rows if (draft := _draft(*row, facts, known))][:count]
    spans = named_spans([text for text, _, _ in drafts])
    found = [
        _example(text, topic, [*stated, *_by_cues(text, topic[1], own, known)], own)
        for (text, topic, stated), own in zip(drafts, spans, strict=True)
    ]
    return [example for example in found if example.facts]


def _draft(title: str, passage: str, facts: Facts, known: set[str]) -> tuple[str, Span, list[Span]] | None:
    """A passage's introduction, its topic's span, and the spans of the objects of known facts about it."""
    bounds, name = sentences(passage)[:_SENTENCES], _DISAMBIGUATION.sub("", title)
    text = passage[: bounds[-1][1]].strip()[:_CHARACTERS] if bounds else ""
    start = text.casefold().find(name.casefold())
    if not 0 <= start <= 60:
        return None
    end = start + len(name)
    own = [(r, v) for r, v in facts.get(normalise(title), facts.get(normalise(name), [])) if r in known]
    stated = [(*place, r) for r, v in own if (place := _place(text, v, end))]
    stated += [span for span in (*_life_dates(text, end), *_nation(text, end)) if span[2] in known]
    return text, (start, end, "entity"), stated


def _by_cues(text: str, after: int, spans: Sequence[Span], known: set[str]) -> Iterable[Span]:
    """Names of the first sentence after cues such as "directed by", and those listed with them."""
    stop = next((end for _, end in sentences(text)), len(text))
    relation, last = "", 0
    for start, end, kind in spans:
        if not after <= start < stop or kind != "entity":
            continue
        cue = next((r for pattern, r in _CUES if pattern.search(text[after:start])), "")
        listed = relation in ("starred actors", "directed by") and text[last:start].strip() in (",", "and", ", and")
        relation, last = cue or (relation if listed else ""), end
        if relation in known:
            yield start, end, relation


def _nation(text: str, after: int) -> Iterable[Span]:
    """The nationality and the occupation in "X is an American writer"."""
    match = _NATION.search(text, after)
    if match is None or match.start() > after + 90:
        return
    work = bool(_WORKS.search(match["rest"]))
    if match["year"]:
        yield (*match.span("year"), "release year")
    yield (*match.span("nation"), "country of origin" if work else "nationality")
    role = _ROLE.match(match["rest"])
    if role and not work:
        yield role.start("role") + match.start("rest"), role.end("role") + match.start("rest"), "has occupation"


def _place(text: str, value: str, after: int) -> tuple[int, int] | None:
    """Span of an object in a text: its name, or any form of its date."""
    match = re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text[after:], re.IGNORECASE)
    if match is None and (time := parse_time(value)) is not None:
        dates = (m for m in re.finditer(_DATE, text[after:]) if parse_time(m.group()) == time)
        match = next(dates, None)
    return (match.start() + after, match.end() + after) if match else None


def _life_dates(text: str, after: int) -> Iterable[Span]:
    """Dates of birth and death in the bracket after a name."""
    match = _LIVED.search(text[: after + 90], after)
    for group, relation in (("born", "date of birth"), ("died", "date of death")):
        if match and match[group] and (group == "died" or match["died"] or "born" in match.group()):
            yield (*match.span(group), relation)


def _example(text: str, topic: Span, stated: Sequence[Span], spans: Sequence[Span]) -> AnnotatedText:
    own = {(a, b) for a, b, _ in (topic, *stated)}
    kinds = {(a, b): "literal" if parse_time(text[a:b]) else "entity" for a, b in own}
    free = [s for s in spans if all(s[1] <= a or s[0] >= b for a, b in own)]
    places: list[Span] = []
    for place in sorted([*((a, b, kind) for (a, b), kind in kinds.items()), *free]):
        if not places or place[0] >= places[-1][1]:
            places.append(place)
    mentions = [GoldMention(a, b, kind, number) for number, (a, b, kind) in enumerate(places)]
    number_of = {(a, b): number for number, (a, b, _) in enumerate(places)}
    subject = number_of.get(topic[:2], -1)
    relations = {(a, b): r for a, b, r in reversed(stated) if (a, b) in number_of and number_of[a, b] != subject}
    facts = [GoldFact(subject, r, number_of[place]) for place, r in relations.items()]
    return AnnotatedText(text, mentions, facts if subject >= 0 else [], partial=True)
