"""Examples whose evidence is chains of facts: a question of several hops is answered by a whole chain, not by a part.

Units are chains that begin at the question's topic: the right ones, their beginnings, the same beginnings with another
last fact, and walks elsewhere; all of one to three facts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from graphmem.core.splits import Split, data_split, held
from graphmem.core.types import Triple
from graphmem.datasets.files import read_json, read_lines, read_rows
from graphmem.encoding.evidence_text import chain_text
from graphmem.synthetic.worlds import World
from graphmem.training.evidence.examples import KEEP, Example, Unit, reworded, shuffled, with_part_of_name
from graphmem.training.evidence.fact_examples import TRIPLE, thing

Step = tuple[Triple, int]
"""A fact and its direction: 1 leads from the object to the subject."""
Arcs = Mapping[str, Sequence[Step]]

MAX_ARCS = 60
"""Facts of a node that a walk chooses from."""
MAX_ENDS = 3000
"""Nodes that a relation path may lead to while it is looked for."""


def end_of(step: Step) -> str:
    """The name that a step leads to."""
    (subject, _, object), direction = step
    return subject if direction else object


def arcs_of(facts: Iterable[Triple]) -> dict[str, list[Step]]:
    """Steps out of every name."""
    arcs: dict[str, list[Step]] = defaultdict(list)
    for fact in facts:
        arcs[fact[0]].append((fact, 0))
        arcs[fact[2]].append((fact, 1))
    return arcs


def chain_unit(steps: Sequence[Step], right: bool) -> Unit:
    """A chain as a unit; its last name is the answer where it is right."""
    evidence = chain_text([fact for fact, _ in steps], end_of(steps[-1]))
    return Unit(evidence.text, (evidence.object,) if right else (), right)


def random_walk(arcs: Arcs, start: str, hops: int, rng: Random) -> list[Step]:
    """A walk without repeated facts; shorter where it ends."""
    steps: list[Step] = []
    for _ in range(hops):
        around = [step for step in arcs.get(start, ())[:MAX_ARCS] if step[0] not in [fact for fact, _ in steps]]
        if not around:
            break
        steps.append(rng.choice(around))
        start = end_of(steps[-1])
    return steps


def chain_example(
    question: str, topic: str, right: Sequence[Sequence[Step]], answers: set[str], arcs: Arcs, rng: Random, source: str
) -> Example | None:
    """A question with right chains and wrong ones."""
    if not right:
        return None
    golds = rng.sample(list(right), min(2, len(right)))
    gold = golds[0]
    wrong: list[Sequence[Step]] = [gold[:stop] for stop in range(1, len(gold))]
    for stop in range(len(gold)):
        before = end_of(gold[stop - 1]) if stop else topic
        passed, asked = [fact for fact, _ in gold[:stop]], (gold[stop][0][1], gold[stop][1])
        others = [s for s in arcs.get(before, ())[:MAX_ARCS] if (s[0][1], s[1]) != asked and s[0] not in passed]
        wrong += [[*gold[:stop], step] for step in rng.sample(others, min(2, len(others)))]
    wrong += [random_walk(arcs, topic, rng.randint(1, 3), rng) for _ in range(3)]
    patterns = {_pattern(chain) for chain in right}
    kept = {
        chain_unit(w, False).text: w
        for w in wrong
        if w and _pattern(w) not in patterns and end_of(w[-1]) not in answers
    }
    units = [chain_unit(chain, True) for chain in golds]
    units += [chain_unit(kept[text], False) for text in rng.sample(sorted(kept), min(7, len(kept)))]
    question = reworded(with_part_of_name(question, topic, rng), rng)
    return shuffled(Example(question, tuple(units), source), rng, KEEP + 0.1)


def _pattern(chain: Sequence[Step]) -> tuple[tuple[str, int], ...]:
    return tuple((fact[1], direction) for fact, direction in chain)


def chains_along(arcs: Arcs, topic: str, path: Sequence[tuple[str, int]], limit: int = 200) -> list[list[Step]]:
    """Chains from a topic along relations; not back to a name that they have passed."""
    chains: list[list[Step]] = [[]]
    for relation, direction in path:
        chains = [
            [*chain, step] for chain in chains for step in arcs.get(end_of(chain[-1]) if chain else topic, ())
            if step[0][1] == relation and step[1] == direction and end_of(step) != topic
        ][:limit]  # fmt: skip
    return chains


def over_worlds(rng: Random, worlds: int = 30, each: int = 90) -> Iterator[Example]:
    """Questions of one to three hops over made worlds, in the words of the relation lexicon."""
    for number in range(worlds):
        world = World.sample(rng.randrange(1 << 30), entities=220)
        arcs = arcs_of(world.triples)
        for asked in world.questions(number, each, hops=(1, 2, 2, 3)):
            chains = chains_along(arcs, asked.topic, asked.path)
            right = [chain for chain in chains if end_of(chain[-1]) in asked.answers]
            made = chain_example(asked.question, asked.topic, right, set(asked.answers), arcs, rng, "worlds")
            if made:
                yield made


def metaqa(folder: Path, rng: Random, count: int = 1300, split: Split = "train") -> Iterator[Example]:
    """MetaQA's questions of two and three hops whose topics are in a split."""
    arcs = arcs_of(tuple(line.split("\t")) for line in read_lines(folder / "metaqa" / "kb.tsv.gz"))  # type: ignore[misc]
    for hops in (2, 3):
        rows = [
            row for row in read_rows(folder / "metaqa" / f"dev_{hops}hop.jsonl") if data_split(row["topic"]) == split
        ]
        for row in rng.sample(rows, min(count, len(rows))):
            answers = set(row["answers"])
            path = path_to(arcs, row["topic"], answers, hops)
            if path is None:
                continue
            right = [chain for chain in chains_along(arcs, row["topic"], path) if end_of(chain[-1]) in answers]
            if made := chain_example(row["question"], row["topic"], right, answers, arcs, rng, "metaqa chains"):
                yield made


def path_to(arcs: Arcs, topic: str, answers: set[str], hops: int) -> list[tuple[str, int]] | None:
    """The one relation path whose ends are the answers; None where there is none, or several."""
    paths: dict[tuple[tuple[str, int], ...], set[str]] = {(): {topic}}
    for hop in range(hops):
        longer: dict[tuple[tuple[str, int], ...], set[str]] = defaultdict(set)
        for path, ends in paths.items():
            for name in ends:
                for step in arcs.get(name, ()):
                    longer[*path, (step[0][1], step[1])].add(end_of(step))
        last = hop == hops - 1
        paths = {path: ends - {topic} for path, ends in longer.items() if len(ends) <= MAX_ENDS}
        if last:
            found = [path for path, ends in paths.items() if ends == answers]
            return list(found[0]) if len(found) == 1 else None
    return None


def two_wiki(folder: Path, rng: Random, held_out: bool = False) -> Iterator[Example]:
    """2Wiki's questions of two hops with their evidence; questions of ``2wiki/dev.jsonl`` are left out."""
    never = {row["question"].lower() for row in read_rows(folder / "2wiki" / "dev.jsonl")}
    home = folder / "multihop_2wiki_musique"
    rows = [row for row in read_rows(home / "2wiki_dev4000_evidences_clean.jsonl.gz")
            if row["question"].lower() not in never and held(row["question"].lower()) == held_out
            and row["type"] in ("compositional", "inference") and len(row["evidences"]) == 2]  # fmt: skip
    facts = [tuple(fact) for row in rows for fact in row["evidences"]]
    for row in rows:
        first, second = (tuple(fact) for fact in row["evidences"])
        if second[2] != row["answer"] or second[0] != first[2]:
            continue
        yield from _two_hops(row["question"], first, second, facts, rng, "2wiki chains")


def _two_hops(
    question: str, first: Triple, second: Triple, facts: Sequence[Triple], rng: Random, source: str
) -> Iterator[Example]:
    """A question over a made neighbourhood: other facts of both subjects, with relations and objects of the set."""
    own = [first, second]
    for subject, count in ((first[0], 3), (second[0], 4)):
        own += [(subject, other[1], other[2]) for other in rng.sample(list(facts), count)
                if other[1] not in (first[1], second[1])]  # fmt: skip
    arcs = arcs_of(own)
    right = [[(first, 0), (second, 0)]]
    if made := chain_example(question, first[0], right, {second[2]}, arcs, rng, source):
        yield made


def musique(folder: Path, rng: Random, held_out: bool = False) -> Iterator[Example]:
    """MuSiQue's questions of two linear steps."""
    rows: list[tuple[str, Triple, Triple]] = []
    facts: list[Triple] = []
    for row in read_rows(folder / "multihop_2wiki_musique" / "musique_dev_decomposed_clean.jsonl.gz"):
        steps = [step["question"].partition(" >> ") for step in row["question_decomposition"]]
        if (
            held(row["question"].lower()) != held_out
            or len(steps) != 2
            or not all(sign for _, sign, _ in steps)
            or steps[1][0] != "#1"
        ):
            continue
        bridge = row["question_decomposition"][0]["answer"]
        rows.append((row["question"], (steps[0][0], steps[0][2], bridge), (bridge, steps[1][2], row["answer"])))
        facts += rows[-1][1:]
    for question, first, second in rows:
        yield from _two_hops(question, first, second, facts, rng, "musique chains")


def vquanda_chains(folder: Path, rng: Random, held_out: bool = False) -> Iterator[Example]:
    """VQuAnDa's questions of two triples in a row; the name between is invented by taking one of the set."""
    rows, things = [], []
    for name in ("train", "test"):
        for row in read_json(folder / "kgqa_vquanda" / f"{name}.json.gz"):
            found = [t for t in TRIPLE.findall(row["query"]) if not t[1].endswith("#type")]
            things += [thing(end) for s, _, o in found for end in (s, o) if end[0] == "<"]
            answers = re.findall(r"\[([^\]]+)\]", row["verbalized_answer"])
            counts = "COUNT" in row["query"]
            if len(found) == 2 and len(answers) == 1 and held(row["question"]) == held_out and not counts:
                rows.append((row["question"], found, answers[0].split(",")[0].strip()))
    relations = [t[1].rsplit("/", 1)[-1] for _, found, _ in rows for t in found]
    facts = [(rng.choice(things), relation, rng.choice(things)) for relation in relations]
    for question, found, answer in rows:
        names = {"?uri": answer}
        ends = [end for s, _, o in found for end in (s, o)]
        topics = [end for end in ends if end[0] == "<"]
        if len(topics) != 1 or len(answer) > 60 or answer in ("...", "", "answer"):
            continue
        between = rng.choice(things)
        fill_ = lambda end, names=names, between=between: thing(end) if end[0] == "<" else names.get(end, between)
        triples = [(fill_(s), relation.rsplit("/", 1)[-1], fill_(o)) for s, relation, o in found]
        topic = thing(topics[0])
        first = next(t for t in triples if topic in (t[0], t[2]))
        second = next((t for t in triples if t is not first), None)
        if second is None or between not in (first[0], first[2]) or between not in (second[0], second[2]):
            continue
        own = [first, second, *((topic, f[1], f[2]) for f in rng.sample(facts, 3))]
        own += [(between, f[1], f[2]) for f in rng.sample(facts, 3)]
        arcs = arcs_of(own)
        chain = [(first, int(first[2] == topic)), (second, int(second[2] == between))]
        if end_of(chain[-1]) == answer and (
            made := chain_example(question, topic, [chain], {answer}, arcs, rng, "vquanda chains")
        ):
            yield made


def all_chains(folder: Path, rng: Random) -> Iterable[list[Example]]:
    """The examples of each set."""
    yield list(over_worlds(rng))
    for make in (metaqa, two_wiki, musique, vquanda_chains):
        yield list(make(folder, rng))
