"""Knowledge integration, measured: new facts are written, asked, changed and asked again, with no gradient step.

A world of invented names is made whose relations no training saw (their names hash into the test split), so nothing
can be known beforehand. The frozen model answers alone, with the retrieved facts in its prompt, and with graphmem; then
a part of the facts is edited, and the old answers must be gone. The cost of 1, 100 and 10,000 edits is timed, and plain
text must stay plain text.

Run: python examples/integrate.py [--quick] [--seed 0] [--out integrate.json]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from random import Random

from graphmem.core.edits import AddEdge, SupersedeEdge
from graphmem.evaluation.answers import evaluate_answers
from graphmem.evaluation.locality import text_kl
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.synthetic.worlds import World, WorldQuestion
from graphmem.text.answer_matching import is_right
from graphmem.text.lexicon import load_lexicon, split_relations

METHODS = ("model alone", "facts in the prompt", "graphmem", "best node as it stands")


def make_world(seed: int, entities: int) -> World:
    """A world told in relations held out of all training."""
    return World.sample(seed, entities=entities, relations=split_relations("test", load_lexicon()))


def edits_of(world: World, memory: GraphMemory, rng: Random, count: int) -> list[tuple[SupersedeEdge, str, str, str]]:
    """Facts with one object each, and another object of the same type to put in its place."""
    chosen = []
    facts = memory.facts()
    rng.shuffle(facts)
    for fact in facts:
        others = [n for n in world.names if world.kind_of[n] == world.kind_of[fact.object] and n != fact.object]
        single = len(world.ends(fact.subject, fact.relation)) == 1
        if single and others and fact.id is not None and len(chosen) < count:
            new = rng.choice(others)
            edge = SupersedeEdge(fact.id, AddEdge(fact.subject, fact.relation, new, source="edit"))
            question = world.relations[fact.relation].questions[0].format(s=fact.subject)
            chosen.append((edge, question, fact.object, new))
    return chosen


def ask_after_edits(model: GraphMemoryModel, edits: list[tuple[SupersedeEdge, str, str, str]]) -> dict[str, float]:
    """Share of edited facts answered anew, and share still answered as before."""
    said = [model.ask(question).text for _, question, _, _ in edits]
    return {
        "n": len(edits),
        "new answer": sum(is_right(text, [new]) for text, (_, _, _, new) in zip(said, edits, strict=True)) / len(edits),
        "old answer": sum(is_right(text, [old]) for text, (_, _, old, _) in zip(said, edits, strict=True)) / len(edits),
    }


def cost_of_edits(sizes: tuple[int, ...]) -> dict[str, float]:
    """Seconds to write so many facts and to change them all, in memories of their own."""
    seconds = {}
    for size in sizes:
        with GraphMemory.open(":memory:") as memory:
            memory.add_many([(f"subject {i}", "is kept in", f"place {i % 97}") for i in range(size)])
            changes = [
                SupersedeEdge(f.id, AddEdge(f.subject, f.relation, "elsewhere")) for f in memory.facts() if f.id
            ]  # fmt: skip
            began = time.perf_counter()
            memory.apply(changes)
            seconds[f"{size:,} edits"] = round(time.perf_counter() - began, 4)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a minute or two instead of ten")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    chosen = parser.parse_args()
    n, rng = (20 if chosen.quick else 100), Random(chosen.seed)

    world = make_world(chosen.seed, 150 if chosen.quick else 600)
    questions: list[WorldQuestion] = world.questions(rng, 8 * n)
    with GraphMemory.open(":memory:") as memory:
        memory.bulk_load(world.names, world.triples, source="the world")
        print(f"{len(world.triples)} facts of {len(world.relations)} relations never trained on")
        model = GraphMemoryModel.from_pretrained(chosen.model, memory=memory)
        report = evaluate_answers(model, None, questions, n, chosen.seed, methods=METHODS)

        edits = edits_of(world, memory, rng, n)
        memory.apply([edit for edit, _, _, _ in edits])
        edited = ask_after_edits(model, edits)
        print("after editing:", edited)

        texts = [f"{name} is only mentioned here." for name in rng.sample(list(world.names), 5)]
        texts += [
            "The tide comes in twice a day, and nobody on the quay looks up.",
            "Add flour, salt and water; knead.",
        ]
        locality = text_kl(model, texts, [memory.retrieve(q.question) for q in questions[: len(texts)]])
        print("plain text:", locality)
    costs = cost_of_edits((1, 100, 10_000))
    print("seconds:", costs)
    if chosen.out:
        rows = [asdict(row) for row in report.rows]
        result = {"answers": rows, "edits": edited, "locality": asdict(locality), "seconds": costs}
        chosen.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
