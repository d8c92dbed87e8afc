"""Processor time of adding documents and of a passage search, by the number of passages, text encoding left out.

python tests/benchmarks/passage_speed.py 1000 10000 50000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from random import Random

import numpy as np

from graphmem.ingestion.documents import add_passages
from graphmem.retrieval.passages.search import PassageSearch
from graphmem.storage.sqlite import SQLiteStore
from graphmem.testing import HashEncoder
from graphmem.text.name_tagging import capitalised

SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu bran drel fosk glim".split()
VERBS = "directed wrote met married taught painted followed praised founded left".split()


def documents(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Documents of about 70 words that mention a dozen others, popular ones more often."""
    rng = Random(seed)
    for at in range(count):
        others = [name(int(count * rng.random() ** 2)) for _ in range(12)]
        yield name(at), " ".join(f"{name(at)} {rng.choice(VERBS)} {other} in the spring." for other in others)


def name(at: int) -> str:
    """The name of a number."""
    rng = Random(at)
    return " ".join("".join(rng.choices(SYLLABLES, k=3)).capitalize() for _ in range(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1000, 10_000])
    parser.add_argument("--queries", type=int, default=100)
    given = parser.parse_args()
    print("| passages | words | CPU s to add, no vectors | CPU ms a query, median / 95 % | first |")
    print("|---|---|---|---|---|")
    for size in given.sizes:
        with SQLiteStore.open(":memory:") as store:
            start = time.process_time()
            done = add_passages(store, documents(size), encoder=None, tagger=capitalised)
            taken = time.process_time() - start
            search, rng, spent = PassageSearch(store, HashEncoder()), Random(1), []
            search.search("warm up")
            for at in (rng.randrange(size) for _ in range(given.queries)):
                start = time.process_time()
                search.search(f"Where was the person born whom {name(at)} {rng.choice(VERBS)}?")
                spent.append(1000 * (time.process_time() - start))
            low, high = np.quantile(spent, [0.5, 0.95])
            print(f"| {size:,} | {done.words:,} | {taken:.1f} | {low:.1f} / {high:.1f} | {spent[0]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
