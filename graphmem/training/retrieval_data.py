"""Examples to train retrieval on: a question with its topic blanked, the relation paths there are, the right ones.

A relation path is up to three arc texts walked from the topic (``directed by``, then ``inverse of written by``). Which
paths exist is the graph's business; which of them a question asks for is what the gates learn. Three sources: the
WikiMovies questions, worlds made from the lexicon, and questions made over FB15k-237, WN18RR and UMLS.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from graphmem.graph import normalise
from graphmem.splits import Split
from graphmem.wikimovies import Question, load_facts, load_questions
from graphmem.worlds import Relation, World, split_relations

HOPS = 3
MARK = "it"
"""What stands in a question where its topic was."""

Path_ = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """Arc texts by number: the relation's name as a graph may hold it, and the direction it is walked in."""

    names: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def code(self, name: str, direction: int) -> int:
        """Number of an arc text; ``2 * relation + direction``."""
        if name not in self.known:
            self.known[name] = len(self.names)
            self.names.append(name)
        return 2 * self.known[name] + direction


@dataclass(frozen=True, slots=True)
class Example:
    """One question.

    Attributes:
        asked: the question, topic blanked.
        paths: int32 [P, HOPS], arc texts of every path there is; -1 past its end.
        gold: bool [P], the paths asked for; none where the graph holds no answer.
    """

    asked: str
    paths: np.ndarray
    gold: np.ndarray


class Adjacency:
    """A graph as ``node -> arc code -> ends``, for walking in plain Python."""

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        self.relations: dict[str, int] = {}
        self.arcs: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for subject, relation, object_ in triples:
            code = 2 * self.relations.setdefault(relation, len(self.relations))
            s, o = normalise(subject), normalise(object_)
            self.arcs[s][code].add(o)
            self.arcs[o][code + 1].add(s)

    def walk(self, topic: str, path: Sequence[int]) -> set[str]:
        """All ends of a path of arc codes but the topic itself."""
        frontier = {topic}
        for code in path:
            frontier = {end for node in frontier for end in self.arcs[node].get(code, ())}
        return frontier - {topic}

    def paths(self, topic: str, rng: Random, *, frontier: int = 64, most: int = 400) -> list[Path_]:
        """Paths of up to ``HOPS`` arcs from a topic; of many nodes or paths a sample."""
        found: list[Path_] = []
        layer: list[tuple[Path_, list[str]]] = [((), [topic])]
        for _ in range(HOPS):
            layer = [step for path, nodes in layer for step in self._steps(path, nodes, rng, frontier)]
            layer = layer if len(layer) <= most else rng.sample(layer, most)
            found += [path for path, nodes in layer if nodes != [topic]]
        return found

    def _steps(self, path: Path_, nodes: list[str], rng: Random, frontier: int) -> Iterator[tuple[Path_, list[str]]]:
        ends: dict[int, list[str]] = defaultdict(list)
        for node in nodes:
            for code, reached in self.arcs[node].items():
                ends[code] += list(reached)[:frontier]
        for code, targets in sorted(ends.items()):
            yield (*path, code), targets if len(targets) <= frontier else rng.sample(targets, frontier)


def make_example(asked: str, paths: Iterable[Path_], gold: set[Path_]) -> Example:
    """Pack paths of any length into arrays; gold paths and their beginnings are always among them."""
    every = sorted(set(paths) | {path[:length] for path in gold for length in range(1, len(path) + 1)})
    packed = np.full((len(every), HOPS), -1, np.int32)
    for row, path in enumerate(every):
        packed[row, : len(path)] = path
    return Example(asked, packed, np.asarray([path in gold for path in every], bool))


def without_gold(example: Example, rng: Random) -> Example:
    """The same question where the graph lacks the answer: every path that begins with the gold ones' steps is gone."""
    gold = example.paths[example.gold]
    if not len(gold):
        return example
    depth = rng.randint(1, int((gold[0] >= 0).sum()))
    starts = (example.paths[:, None, :depth] == gold[None, :, :depth]).all(-1).any(1)
    keep = ~(starts | example.gold)
    return Example(example.asked, example.paths[keep], example.gold[keep])


# ---------------------------------------------------------------- WikiMovies


def wikimovies_examples(texts: Texts, split: Split, rng: Random, *, each: int = 14) -> list[Example]:
    """``each`` questions of every wording, with the path that best explains the wording's answers."""
    graph = Adjacency(load_facts())
    codes = [texts.code(name, direction) for name in graph.relations for direction in (0, 1)]
    wordings: dict[tuple[str, int], list[Question]] = defaultdict(list)
    for question in load_questions(split):
        wordings[question.question.replace(question.topic, MARK), question.hops].append(question)
    examples = []
    for (asked, hops), questions in sorted(wordings.items()):
        chosen = rng.sample(questions, min(each, len(questions)))
        gold = _best_path(graph, chosen, hops)
        for question in chosen:
            found = set(graph.paths(normalise(question.topic), rng))
            if gold in found or graph.walk(normalise(question.topic), gold):
                mapped = [tuple(codes[step] for step in path) for path in found]
                examples.append(make_example(asked, mapped, {tuple(codes[step] for step in gold)}))
    return examples


def _best_path(graph: Adjacency, questions: Sequence[Question], hops: int) -> Path_:
    """The path of that length whose ends agree best with the answers, by mean F1 over the questions."""
    scores: dict[Path_, float] = defaultdict(float)
    for question in questions:
        answers = {normalise(answer) for answer in question.answers}
        for path, ends in _reaching(graph, normalise(question.topic), answers, hops).items():
            scores[path] += 2 * len(ends & answers) / (len(ends) + len(answers))
    return max(scores, key=lambda path: (scores[path], path))


def _reaching(graph: Adjacency, topic: str, answers: set[str], hops: int) -> dict[Path_, set[str]]:
    """Paths of exactly ``hops`` arcs that end at some answer, with all their ends."""
    layer: dict[Path_, set[str]] = {(): {topic}}
    for _ in range(hops):
        after: dict[Path_, set[str]] = defaultdict(set)
        for path, nodes in layer.items():
            for node in list(nodes)[:2000]:
                for code, ends in graph.arcs[node].items():
                    after[(*path, code)] |= ends
        layer = {path: ends for path, ends in after.items() if len(ends) < 20_000}
    return {path: ends - {topic} for path, ends in layer.items() if ends & answers}


# ---------------------------------------------------------------- worlds of the lexicon


def world_examples(
    texts: Texts, split: Split, rng: Random, *, worlds: int, questions: int, unanswerable: float = 0.1
) -> list[Example]:
    """Questions over random worlds whose relations belong to ``split``; each world names its relations its own way."""
    pool = split_relations(split)
    examples = []
    for _ in range(worlds):
        relations = rng.sample(pool, min(rng.randint(12, 60), len(pool)))
        world = World.sample(rng.randrange(2**31), relations=relations, entities=rng.choice((100, 200, 400)))
        graph = Adjacency(world.triples)
        naming = {name: _name_in_graph(world.relations[name], rng) for name in graph.relations}
        codes = [texts.code(naming[name], direction) for name in graph.relations for direction in (0, 1)]
        for asked in world.questions(rng, questions, unanswerable=unanswerable):
            topic = normalise(asked.topic)
            gold = tuple(
                2 * graph.relations[name] + direction for name, direction in asked.path if name in graph.relations
            )
            found = graph.paths(topic, rng)
            golds = _equal_ends(graph, world, topic, gold) if asked.answers else set()
            mapped = [tuple(codes[step] for step in path) for path in found]
            chained = rng.random() < 0.35
            wording = _chained(world, asked.path, rng) if chained else _blanked(asked.question, asked.topic)
            examples.append(make_example(
                wording, mapped, {tuple(codes[s] for s in path) for path in golds}
            ))  # fmt: skip
    return examples


def _equal_ends(graph: Adjacency, world: World, topic: str, gold: Path_) -> set[Path_]:
    """The gold path, and those that differ only in the direction of a symmetric relation."""
    names = list(graph.relations)
    paths: set[Path_] = {()}
    for step in gold:
        both = {step, step ^ 1} if world.relations[names[step // 2]].symmetric else {step}
        paths = {(*path, choice) for path in paths for choice in both}
    return {path for path in paths if graph.walk(topic, path)}


def _chained(world: World, path: Sequence[tuple[str, int]], rng: Random) -> str:
    """The path as a chain of noun phrases: ``the mayor of it 's birthplace``."""
    phrase = MARK
    for name, direction in path:
        relation = world.relations[name]
        simple = [n for n in (relation.noun, *relation.paraphrases) if len(n.split()) < 4 and not n.startswith(_VERBAL)]
        if direction or not simple or rng.random() < 0.3:
            phrase = relation.phrase(phrase, direction)
        else:
            phrase = rng.choice(_NOUN_PHRASES[0]).format(a=phrase, r=rng.choice(simple))
    question = rng.choice(_QUESTIONS).format(phrase)
    return question + " ?" if rng.random() < 0.3 else question


def _name_in_graph(relation: Relation, rng: Random) -> str:
    """A name the relation may bear in somebody's graph: its own, a noun, a paraphrase, or one with underscores."""
    name = rng.choice((relation.relation, relation.relation, relation.noun, *relation.paraphrases))
    return name.replace(" ", "_") if rng.random() < 0.1 else name


def _blanked(question: str, topic: str) -> str:
    start = question.casefold().find(topic.casefold())
    return question if start < 0 else question[:start] + MARK + question[start + len(topic) :]


# ---------------------------------------------------------------- knowledge-graph completion sets


@dataclass(frozen=True, slots=True)
class PlainGraph:
    """Facts with relations named in several ways: how graphs write them, and the noun a question uses."""

    triples: list[tuple[str, str, str]]
    names: dict[str, list[str]]
    nouns: dict[str, str]
    verbs: bool = False


def plain_graphs(folder: Path) -> list[PlainGraph]:
    """FB15k-237, WN18RR and UMLS from a ``kgc`` folder."""
    with zipfile.ZipFile(folder / "fb15k237" / "FB15k-237.zip") as archive:
        lines = archive.read("FB15k-237/train.txt").decode().splitlines()
    return [
        _freebase([_triple(line) for line in lines]),
        _underscored(_read(folder / "wn18rr" / "text_train.txt"), verbs=False),
        _underscored(_read(folder / "umls" / "train.txt"), verbs=True),
    ]


def _read(path: Path) -> list[tuple[str, str, str]]:
    return [_triple(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _triple(line: str) -> tuple[str, str, str]:
    subject, relation, object_ = line.split("\t")[:3]
    return subject, relation, object_


def _freebase(triples: list[tuple[str, str, str]]) -> PlainGraph:
    names, nouns = {}, {}
    for relation in {relation for _, relation, _ in triples}:
        parts = [part.replace("_", " ") for part in relation.replace(".", "").split("/") if part]
        nouns[relation] = parts[-1]
        names[relation] = [parts[-1], parts[-1], " ".join(parts[-2:]), " ".join(dict.fromkeys(parts)), relation]
    return PlainGraph(triples, names, nouns)


def _underscored(triples: list[tuple[str, str, str]], *, verbs: bool) -> PlainGraph:
    relations = {relation for _, relation, _ in triples}
    nouns = {relation: relation.strip("_").replace("_", " ") for relation in relations}
    return PlainGraph(triples, {relation: [nouns[relation], relation] for relation in relations}, nouns, verbs)


def plain_examples(texts: Texts, graph: PlainGraph, rng: Random, *, questions: int) -> list[Example]:
    """Questions made from random walks: ``what is the R2 of the R1 of it``, in several wordings."""
    walkable = Adjacency(graph.triples)
    relations = list(walkable.relations)
    topics = sorted(walkable.arcs)
    examples: list[Example] = []
    while len(examples) < questions:
        topic = rng.choice(topics)
        path = _random_walk(walkable, topic, rng)
        if not path or len(walkable.walk(topic, path)) > 50:
            continue
        naming = [rng.choice(graph.names[relation]) for relation in relations]
        found = walkable.paths(topic, rng, frontier=24, most=150)
        mapped = [tuple(texts.code(naming[step // 2], step % 2) for step in other) for other in found]
        asks = [(graph.nouns[relations[step // 2]], step % 2) for step in path]
        same = {
            tuple(texts.code(naming[step // 2], step % 2) for step in other) for other in [*found, path]
            if [(graph.nouns[relations[step // 2]], step % 2) for step in other] == asks
        }  # fmt: skip
        examples.append(make_example(_worded(asks, graph.verbs, rng), mapped, same))
    return examples


def _random_walk(graph: Adjacency, topic: str, rng: Random) -> Path_:
    path: list[int] = []
    here = topic
    for _ in range(rng.choice((1, 1, 2, 2, 2, 3))):
        steps = [
            (code, end) for code, ends in graph.arcs[here].items() if len(ends) <= 40 for end in list(ends)[:1]
            if end != topic and (not path or code != path[-1] ^ 1)
        ]  # fmt: skip
        if not steps:
            return ()
        code, here = rng.choice(steps)
        path.append(code)
    return tuple(path)


def _worded(asks: Sequence[tuple[str, int]], verbs: bool, rng: Random) -> str:
    phrase = MARK
    for noun, direction in asks:
        phrase = rng.choice(_VERB_PHRASES[direction] if verbs else _NOUN_PHRASES[direction]).format(a=phrase, r=noun)
    question = rng.choice(_QUESTIONS).format(phrase)
    return question + " ?" if rng.random() < 0.3 else question


_NOUN_PHRASES = (
    ("the {r} of {a}", "{a} 's {r}", "{a}'s {r}", "{r} of {a}", "the {r} that {a} has"),
    ("the one whose {r} is {a}", "what {a} is the {r} of", "that which has {a} as {r}", "the thing with {r} {a}",
     "everything that has {r} {a}"),
)  # fmt: skip
_VERBAL = ("was ", "is ", "has ", "have ", "were ", "are ", "can ", "did ", "does ")
_VERB_PHRASES = (
    ("what {a} {r}", "the thing that {a} {r}", "that which {a} {r}"),
    ("what {r} {a}", "the thing that {r} {a}", "whatever {r} {a}"),
)
_QUESTIONS = (
    "what is {}", "who is {}", "{}", "name {}", "which is {}", "tell me {}", "what are {}", "who are {}", "where is {}",
    "do you know {}", "what was {}", "i want to know {}",
)  # fmt: skip
