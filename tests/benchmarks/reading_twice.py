"""Facts written from real passages that are read twice, and from rumours that contradict trusted facts.

python tests/benchmarks/reading_twice.py --passages 200 --rumours 60
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from random import Random
from time import process_time
from types import SimpleNamespace
from typing import Any

import torch

from graphmem.core.edits import AddNode
from graphmem.datasets.plain_text import passage_texts
from graphmem.hub import load_encoder, load_language_model
from graphmem.memory import GraphMemory
from graphmem.synthetic.templates import capitalise, fill
from graphmem.synthetic.worlds import World
from graphmem.writing.pipeline import WritePlan, read_stream, read_text


def ways(model: Any, texts: list[str], surprise: bool) -> dict[str, list[Callable[[], Iterable[WritePlan]]]]:
    """First and second reading: text by text, shuffled, as one text, as a stream that is interrupted and resumed."""

    def alone(order: list[int]) -> Iterable[WritePlan]:
        for number in order:
            yield read_text(model, texts[number], apply=True, source=f"passage {number}", surprise=surprise, keep=False)

    def stream(name: str) -> Iterable[WritePlan]:
        started = read_stream(model, texts, apply=True, resume=name, surprise=surprise, keep=False)
        yield from islice(started, len(texts) // 2)
        yield from read_stream(model, texts, apply=True, resume=name, surprise=surprise, keep=False)

    def whole() -> Iterable[WritePlan]:
        yield read_text(model, "\n".join(texts), apply=True, surprise=surprise, keep=False)

    order = list(range(len(texts)))
    mixed = Random(1).sample(order, len(order))
    return {
        "alone": [lambda: alone(order), lambda: alone(order)],
        "shuffled": [lambda: alone(order), lambda: alone(mixed)],
        "whole": [whole, whole],
        "stream": [lambda: stream("one"), lambda: stream("two")],
        "whole, then stream": [whole, lambda: stream("one")],
    }


def read_twice(model: Any, texts: list[str], *, surprise: bool, way: str) -> dict[str, Any]:
    """Nodes (without the states of streams), facts and actions after the first and after the second reading."""
    row: dict[str, Any] = {"passages": len(texts), "way": way}
    for time, read in zip(("first", "second"), ways(model, texts, surprise)[way], strict=True):
        began = process_time()
        actions = Counter(decision.action for plan in read() for decision in plan.decisions)
        stats, kinds = (
            model.memory.stats(),
            Counter(node.kind for node in model.memory.store.all_nodes(limit=1_000_000)),
        )
        row[time] = {
            "nodes": stats["nodes"] - kinds["session"], "facts": stats["facts"], "recorded": stats["facts_recorded"],
            "actions": dict(actions), "CPU s": round(process_time() - began, 1),
        }  # fmt: skip
    for what in ("nodes", "facts", "recorded"):
        row[f"new {what}"] = row["second"][what] - row["first"][what]
    return row


def read_rumours(model: Any, count: int, seed: int, trust: float) -> dict[str, Any]:
    """Read other values of trusted facts, once from a weak source and once from a trusted one."""
    world, rng = World.sample(seed, entities=200), Random(seed)
    facts = [t for t in world.known if world.relations[t[1]].functional]
    row = {"rumours": 0, "overwritten": 0, "kept as episodes": 0, "overwritten by a trusted source": 0}
    for subject, relation, value in rng.sample(facts, min(count, len(facts))):
        others = [n for n in world.names if world.kind_of[n] == world.kind_of[value] and n != value]
        statement = world.relations[relation].statements[0]
        if not others or "{s}" not in statement or "{o}" not in statement:
            continue
        text = capitalise(fill(statement, {"s": subject, "o": rng.choice(others)}))
        model.memory.add(subject, relation, value)
        row["rumours"] += 1
        plan = read_text(model, text, apply=True, source="gossip", trust=trust, keep=False)
        row["overwritten"] += value not in [f.object for f in model.memory.facts(subject, relation)]
        row["kept as episodes"] += any(isinstance(e, AddNode) and e.kind == "episode" for e in plan.edits)
        read_text(model, text, apply=True, source="register", keep=False)
        changed = value not in [f.object for f in model.memory.facts(subject, relation)]
        row["overwritten by a trusted source"] += changed
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--rumours", type=int, default=60)
    parser.add_argument("--trust", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default="alone; shuffled; whole; stream; whole, then stream")
    parser.add_argument("--surprise", action="store_true", help="give surprise to the gate; slower")
    given = parser.parse_args()
    torch.set_num_threads(1)
    texts = Random(given.seed).sample(passage_texts(), given.passages)
    base, tokenizer = load_language_model()
    encoder = load_encoder()
    for name, measure in (
        *((way, partial(read_twice, texts=texts, surprise=given.surprise, way=way)) for way in given.ways.split("; ")),
        ("rumours", lambda m: read_rumours(m, given.rumours, given.seed, given.trust)),
    ):
        memory = GraphMemory.open(":memory:", encoder=encoder)
        model: Any = SimpleNamespace(base=base, tokenizer=tokenizer, memory=memory)
        print(json.dumps({"measured": name, "seed": given.seed, **measure(model)}), flush=True)


if __name__ == "__main__":
    main()
