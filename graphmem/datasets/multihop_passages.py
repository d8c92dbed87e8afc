"""2WikiMultiHopQA and HotpotQA: questions whose gold passages are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import networkx

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.datasets.files import data_folder, read_json, read_rows

DATASETS = ("2wiki", "hotpotqa")


@dataclass(frozen=True, slots=True)
class PassageQuestion:
    """A question with the titles of its gold passages; ``missing`` counts gold titles that are not in the corpus."""

    text: str
    kind: str
    gold: tuple[str, ...]
    missing: int
    half: str


def load(dataset: str, folder: str | Path | None = None) -> tuple[list[tuple[str, str]], list[PassageQuestion]]:
    """Documents and questions of a data set, from ``folder`` or the environment variable GRAPHMEM_DATA.

    Questions none of whose gold titles are in the corpus are left out. Gold titles of 2wiki are the subjects of the
    evidence, compared without regard to case.

    Raises:
        InvalidValue: no such data set, or its files are not there.
    """
    if dataset not in DATASETS:
        raise InvalidValue(f"no data set {dataset!r}; choose one of {', '.join(DATASETS)}")
    home = data_folder(folder) / dataset
    if dataset == "2wiki":
        documents = [(row["title"], row["text"]) for row in read_rows(home / "corpus.jsonl.gz")]
        rows = read_rows(home / "dev.jsonl")
        raw = [(r["question"], r["question_type"].replace("_", "-"), [e[0] for e in r["evidence"]]) for r in rows]
    else:
        corpus = read_json(home / "hotpotqa_train_corpus.json")
        documents = [(title, "".join(sentences)) for title, sentences in corpus.items()]
        rows = read_json(home / "hotpotqa_train.json")
        raw = [(r["question"], r["type"], [fact[0] for fact in r["supporting_facts"]]) for r in rows]
    titles = {title.casefold() for title, _ in documents}
    wanted = [list(dict.fromkeys(title.casefold() for title in gold)) for _, _, gold in raw]
    known = [tuple(title for title in each if title in titles) for each in wanted]
    halves = split_halves(known)
    return documents, [
        PassageQuestion(text, kind, gold, len(each) - len(gold), half)
        for (text, kind, _), each, gold, half in zip(raw, wanted, known, halves, strict=True) if gold
    ]  # fmt: skip


def split_halves(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return ``train`` or ``test`` for each group of titles, so that no title is in both.

    Groups that share a title, directly or through others, form a component; the hash of its first title decides.
    """
    graph = networkx.Graph()
    for group in groups:
        networkx.add_path(graph, group)
    first = {title: min(part) for part in networkx.connected_components(graph) for title in part}
    heads = [normalise(first[group[0]]) if group else "" for group in groups]
    return ["train" if blake2b(head.encode()).digest()[0] % 2 else "test" for head in heads]
