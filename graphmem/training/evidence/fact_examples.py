"""Examples whose evidence is facts: real questions over neighbourhoods of facts, tables, and the relation lexicon.

Where a set of questions has no graph, one is made: the asked fact, other facts of the same subject, the same relation
at other subjects. In a share of the examples the fact that answers is missing, and all other facts stay.
"""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from graphmem.core.splits import Split, Use, data_split, held, use_of
from graphmem.datasets.files import read_json, read_lines, read_rows
from graphmem.encoding.evidence_text import fact_text, relation_words
from graphmem.synthetic.templates import load
from graphmem.training.evidence.examples import (
    KEEP,
    NO,
    YES,
    Example,
    Unit,
    answer_unit,
    other_unit,
    random_dates,
    reworded,
    shuffled,
    with_part_of_name,
)
from graphmem.training.evidence.lexicon_examples import lexicon
from graphmem.training.evidence.table_examples import tables


class Graph:
    """Facts of FB15k-237's training part by relation and by subject, without entities that outside checks use."""

    def __init__(self, folder: Path) -> None:
        home = folder / "kgc" / "fb15k237"
        without = set(read_lines(folder / "kgc_inductive_grail" / "leave_out_fb15k237.txt"))
        names = dict(line.split("\t")[:2] for line in read_lines(home / "kgbert_entity2text.txt"))
        self.by_relation: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.by_subject: dict[str, list[tuple[str, str]]] = defaultdict(list)
        with zipfile.ZipFile(home / "FB15k-237.zip") as archive:
            lines = archive.read("FB15k-237/train.txt").decode().splitlines()
        for line in lines:
            subject, relation, object = line.split("\t")
            if subject in without or object in without or "./" in relation:
                continue
            if subject in names and object in names:
                self.by_relation[relation].append((names[subject], names[object]))
                self.by_subject[names[subject]].append((relation, names[object]))

    def others(self, subject: str, relation: str, count: int, rng: Random) -> list[tuple[str, str]]:
        """Facts of the subject with other relations, at most one a relation."""
        found: dict[str, str] = {}
        facts = self.by_subject.get(subject, [])
        for other, object in rng.sample(facts, len(facts)):
            if other != relation:
                found.setdefault(other, object)
        return list(found.items())[:count]


class Asked(NamedTuple):
    """A question with the place of its topic in words, the relation's names, and whether the subject is wanted."""

    question: str
    topic: str
    names: tuple[str, ...]
    backward: bool
    key: str


def _topic_in(question: str, name: str) -> str | None:
    """The words of the question that are the name, in the question's own spelling; None where it does not name it."""
    base = re.sub(r"\s*\(.*\)$", "", name.replace("_", " ")).strip()
    match = re.search(rf"(?<!\w){re.escape(base)}(?!\w)", question, re.IGNORECASE) if base else None
    return match.group() if match else None


def simple_questions(folder: Path, use: Use = "encoder") -> list[Asked]:
    """SimpleQuestions of one use whose topic stands in the question.

    Names of the relation are those of DBpedia and Freebase.
    """
    found = []
    for name in ("test", "valid"):
        for row in read_json(folder / "simplequestions" / f"{name}.json.gz")["Questions"]:
            topic = _topic_in(row["Query"], row["Subject"].rsplit("/", 1)[-1])
            predicates = row["PredicateList"]
            if topic is None or len(predicates) != 1 or use_of(row["Query"]) != use:
                continue
            freebase = row["FreebasePredicate"].removeprefix("www.freebase.com")
            names = (predicates[0]["Predicate"].rsplit("/", 1)[-1], freebase.rsplit("/", 1)[-1].replace("_", " "))
            backward = predicates[0]["Direction"] == "backward"
            found.append(Asked(row["Query"], topic, names, backward, freebase))
    return found


def over_simple_questions(folder: Path, graph: Graph, rng: Random, use: Use = "encoder") -> Iterator[Example]:
    """Questions of SimpleQuestions over facts of FB15k-237 where it has the relation, else over invented ones."""
    asked = simple_questions(folder, use)
    by_type: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        by_type[one.key.rsplit("/", 1)[0]].append(one)
    pool = sorted({object for rows in graph.by_relation.values() for _, object in rows})
    for one in asked:
        facts = graph.by_relation.get(one.key)
        relation = rng.choice(one.names)
        objects = [o for _, o in facts] if facts else pool
        siblings = [other for other in by_type[one.key.rsplit("/", 1)[0]] if other.key != one.key]
        if facts and rng.random() < 0.7:
            subject, object = rng.choice(facts)
            topic = object if one.backward else subject
            question = one.question.replace(one.topic, topic)
            beside = [(subject, relation_words(r), o) for r, o in graph.others(subject, one.key, 4, rng)]
        else:
            other, topic, question = rng.choice(objects), one.topic, one.question
            subject, object = (other, topic) if one.backward else (topic, other)
            value = lambda s: rng.choice(graph.by_relation.get(s.key, [("", rng.choice(pool))]))[1]
            drawn = rng.sample(siblings, min(3, len(siblings)))
            beside = [(subject, rng.choice(s.names), value(s)) for s in drawn]
        if len(subject) > 60 or len(object) > 60:
            continue
        elsewhere = [(s.topic, relation, rng.choice(objects)) for s in rng.sample(asked, 2)]
        if one.backward:  # the same two names the other way round, and the topic's own facts
            beside.append((topic, rng.choice(rng.choice(asked).names), rng.choice(pool)))
        text = fact_text(subject, relation, object, *random_dates(rng))
        gold = answer_unit(text, "subject" if one.backward else "object")
        units = [gold, *(other_unit(fact, rng) for fact in (*beside, *elsewhere))]
        question = with_part_of_name(question, topic, rng)
        yield shuffled(Example(reworded(question, rng), tuple(units), "simplequestions"), rng, KEEP)


TRIPLE = re.compile(r"(<[^>]+>|\?\w+)\s+<([^>]+)>\s+(<[^>]+>|\?\w+)")


def vquanda(folder: Path, rng: Random, held_out: bool = False) -> Iterator[Example]:
    """Questions of VQuAnDa with one triple: lookups in both directions, and questions for yes or no."""
    rows = []
    for name in ("train", "test"):
        found_rows = read_json(folder / "kgqa_vquanda" / f"{name}.json.gz")
        rows += [row for row in found_rows if held(row["question"]) == held_out]
    triples = {row["uid"]: TRIPLE.findall(row["query"]) for row in rows}
    relations = [_local(t[1]) for found in triples.values() for t in found if not t[1].endswith("#type")]
    things = [thing(end) for found in triples.values() for s, _, o in found for end in (s, o) if end[0] == "<"]
    for row in rows:
        found = [t for t in triples[row["uid"]] if not t[1].endswith("#type")]
        if len(found) != 1:
            continue
        (subject, predicate, object) = found[0]
        relation = _local(predicate)
        answers = re.findall(r"\[([^\]]+)\]", row["verbalized_answer"])
        beside = [(rng.choice(things), relation, rng.choice(things))]
        if row["query"].startswith("ASK"):
            s, o = thing(subject), thing(object)
            stated = rng.choice(things) if rng.random() < 0.5 else o
            units = [Unit(fact_text(s, relation, stated).text, (), True, YES if stated == o else NO)]
            units += [other_unit((s, rng.choice(relations), rng.choice(things)), rng) for _ in range(3)]
            yield shuffled(Example(reworded(row["question"], rng), tuple(units), "vquanda", True), rng, 0.85)
            continue
        if subject[0] == "?" and object[0] == "?" or "COUNT" in row["query"] or len(answers) != 1:
            continue
        values = [value.strip() for value in answers[0].split(",")][:3]
        if any(value in ("...", "", "answer") or len(value) > 60 for value in values):
            continue
        backward = subject[0] == "?"
        topic = thing(object if backward else subject)
        for value in values[:1]:
            ends = (value, topic) if backward else (topic, value)
            gold = answer_unit(fact_text(ends[0], relation, ends[1]), "subject" if backward else "object")
            more = [answer_unit(fact_text(*((v, relation, topic) if backward else (topic, relation, v))),
                                "subject" if backward else "object") for v in values[1:]]  # fmt: skip
            beside += [(topic, rng.choice(relations), rng.choice(things)) for _ in range(3)]
            if backward:
                beside.append((topic, relation, rng.choice(things)))
            units = [gold, *more, *(other_unit(fact, rng) for fact in beside)]
            yield shuffled(Example(reworded(row["question"], rng), tuple(units), "vquanda"), rng, KEEP)


def _local(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def thing(uri: str) -> str:
    """The name at the end of an address, without its parenthesis."""
    return re.sub(r"\s*\(.*\)$", "", uri.strip("<>").rsplit("/", 1)[-1].replace("_", " "))


def popqa(folder: Path, rng: Random) -> Iterator[Example]:
    """PopQA questions of the relations that may be trained on."""
    rows = [row for row in read_rows(folder / "popqa" / "dev.jsonl") if not held(row["relation"], 2)]
    for row in rows:
        beside = [(row["subject"], other["relation"], other["object"]) for other in rng.sample(rows, 3)
                  if other["relation"] != row["relation"]]  # fmt: skip
        same = [o for o in rows if o["relation"] == row["relation"] and o["subject"] != row["subject"]]
        beside += [(o["subject"], o["relation"], o["object"]) for o in rng.sample(same, min(2, len(same)))]
        gold = answer_unit(fact_text(row["subject"], row["relation"], row["object"]), "object")
        units = [gold, *(other_unit(fact, rng) for fact in beside)]
        yield shuffled(Example(reworded(row["question"], rng), tuple(units), "popqa"), rng, KEEP)


def wikimovies(folder: Path, rng: Random, count: int = 1500, split: Split = "train") -> Iterator[Example]:
    """One-hop questions of MetaQA whose topics are in a split, over the film's own facts."""
    by_name: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for line in read_lines(folder / "metaqa" / "kb.tsv.gz"):
        fact: Any = tuple(line.split("\t"))
        by_name[fact[0]].append(fact)
        by_name[fact[2]].append(fact)
    rows = [row for row in read_rows(folder / "metaqa" / "dev_1hop.jsonl") if data_split(row["topic"]) == split]
    for row in rng.sample(rows, min(count, len(rows))):
        facts, answers = by_name[row["topic"]], set(row["answers"])
        gold: list[tuple[Any, str]] = []
        rest: list[tuple[Any, str]] = []
        for fact in facts:
            other = fact[2] if fact[0] == row["topic"] else fact[0]
            field = "object" if other == fact[2] else "subject"
            (gold if other in answers else rest).append((fact, field))
        if not gold:
            continue
        golds = [answer_unit(fact_text(*fact), field) for fact, field in rng.sample(gold, min(2, len(gold)))]
        units = [*golds, *(Unit(fact_text(*fact).text) for fact, _ in rng.sample(rest, min(5, len(rest))))]
        yield shuffled(Example(reworded(row["question"], rng), tuple(units), "metaqa"), rng, 0.85)


def musique_steps(folder: Path, rng: Random) -> Iterator[Example]:
    """Single steps of MuSiQue's decompositions, ``subject >> relation``, asked for by templates."""
    forms, steps = load("questions"), []
    for row in read_rows(folder / "multihop_2wiki_musique" / "musique_dev_decomposed_clean.jsonl.gz"):
        if held(row["question"].lower()):
            continue
        for step in row["question_decomposition"]:
            subject, sign, relation = step["question"].partition(" >> ")
            if sign and "#" not in subject:
                steps.append((subject, relation.strip(), step["answer"]))
    for subject, relation, object in steps:
        question = rng.choice(forms["questions"]).format(
            rng.choice(forms["noun_phrases"][0]).format(a=subject, r=relation)
        )
        beside = [(subject, other[1], other[2]) for other in rng.sample(steps, 3) if other[1] != relation]
        beside += [(other[0], relation, other[2]) for other in rng.sample(steps, 2) if other[0] != subject]
        units = [answer_unit(fact_text(subject, relation, object), "object"), *(other_unit(f, rng) for f in beside)]
        yield shuffled(Example(reworded(question + "?", rng), tuple(units), "musique steps"), rng, KEEP)


def all_facts(folder: Path, rng: Random) -> Iterable[list[Example]]:
    """The examples of each set."""
    graph = Graph(folder)
    yield list(over_simple_questions(folder, graph, rng))
    yield list(lexicon(rng))
    for make in (vquanda, popqa, wikimovies, tables, musique_steps):
        yield list(make(folder, rng))
