"""The trained rankers: activation through learned gates, and a GNN over what it activated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.core.errors import WeightsMismatch
from graphmem.core.paths import WEIGHTS
from graphmem.core.types import Subgraph, TextEncoder
from graphmem.encoding.node_embeddings import TextCache, arc_texts, wording
from graphmem.retrieval.fact_text_scores import text_bonus
from graphmem.retrieval.rankers import Ranked, Search
from graphmem.retrieval.search.spreading_activation import Activated, Opinion, spread

SHIPPED = WEIGHTS / "retriever.safetensors"
WORDING = 30.0
"""Nats for a whole point of likeness between a question and the wording of a path.

What the encoder makes of whole phrases knows nothing of training, and so it tells most where relations are new."""
RETRACE = 2.0
"""Nats off a path for every relation that it walks back at once; training questions retrace oftener than people do."""
LOOKED_AT = 128
"""Most active nodes that the GNN looks at; what it settles are near ties among the first."""
FORMAT = "graphmem-retriever-1"


@dataclass(frozen=True, slots=True)
class Read:
    """What a question says about relations.

    Attributes:
        steps: float32 [hops, A], gate of every arc code at every hop, in nats.
        lengths: float32 [hops + 1], score of every path length, in nats.
        question: torch [K], its vector.
        relations: torch [A, K], what the gates compared it with.
        tokens: torch [1, T, K], its token states.
    """

    steps: np.ndarray
    lengths: np.ndarray
    question: Any
    relations: Any
    tokens: Any


@dataclass(frozen=True, slots=True)
class Arcs:
    """A graph's relations by arc code: what gates compare with, vectors of texts and names, torch [A, K]; the texts."""

    read: Any
    texts: Any
    names: Any
    words: list[str]


class QuestionReader:
    """Reads from a question which relations may be crossed at each hop, and judges the paths that are found.

    Args:
        gates: trained ``Gates``.
        encoder: the text encoder they were trained with.
        aligner: trained ``Aligner``; None leaves paths to the gates.
    """

    def __init__(self, gates: Any, encoder: TextEncoder, aligner: Any = None) -> None:
        self.gates, self.encoder, self.aligner = gates, encoder, aligner
        self.vectors = TextCache(encoder)
        self._arcs: dict[tuple[str, ...], Arcs] = {}

    def relations(self, names: Sequence[str]) -> Any:
        """What instructions are compared with, torch [2 * relations, K]; made once for a set of relations."""
        return self.arcs(names).read

    def arcs(self, names: Sequence[str]) -> Arcs:
        """All vectors of a graph's relations; made once for a set of relations."""
        import torch

        key = tuple(names)
        if key not in self._arcs:
            self._arcs = dict(list(self._arcs.items())[-7:])
            doubled = torch.from_numpy(self.vectors([name for name in key for _ in (0, 1)]))
            words = arc_texts(key)
            texts = torch.from_numpy(self.vectors(words))
            with torch.inference_mode():
                read = self.gates.relations(doubled, texts, torch.arange(len(texts)) % 2)
            self._arcs[key] = Arcs(read, texts, doubled, words)
        return self._arcs[key]

    def read(self, asked: str, names: Sequence[str]) -> Read:
        """Read a question whose topic is blanked, for a graph of these relations."""
        import torch

        with torch.inference_mode():
            question, tokens, mask = (torch.from_numpy(array) for array in encode_question(self.encoder, asked))
            relations = self.relations(names)
            steps, lengths = self.gates(question, tokens, mask, relations)
        return Read(steps[0].numpy(), lengths[0].numpy(), question[0], relations, tokens[:, mask[0]])

    def opinion(self, read: Read, names: Sequence[str]) -> Opinion | None:
        """The aligner's judgement of whole paths; None without one."""
        import torch

        if self.aligner is None:
            return None
        arcs, most = self.arcs(names), self.aligner.config.hops

        def judge(paths: list[tuple[int, ...]], prior: np.ndarray) -> tuple[np.ndarray, float]:
            """Log-scores [P] of whole paths, and the probability that the graph holds what is asked for."""
            padded = np.asarray([[*path, *[-1] * (most - len(path))] for path in paths], np.int64)  # [P, hops]
            codes = np.unique(padded[padded >= 0])
            places = torch.from_numpy(np.where(padded >= 0, np.searchsorted(codes, padded), -1))[None]
            rows = torch.from_numpy(codes)
            said = self.vectors([wording([arcs.words[code] for code in path]) for path in paths])
            with torch.inference_mode():
                scores, known = self.aligner(
                    read.question[None], read.tokens, torch.ones(read.tokens.shape[:2], dtype=torch.bool),
                    arcs.texts[rows], arcs.names[rows], rows % 2, places, torch.from_numpy(prior[None]).float(),
                )  # fmt: skip
            likeness = (said @ read.question.numpy()).astype(np.float64)
            off = RETRACE * np.asarray([_retraced(path) for path in paths])
            return scores[0].numpy() + WORDING * likeness - off, float(torch.sigmoid(known[0]))

        return judge


def _retraced(path: tuple[int, ...]) -> int:
    return sum(one == other ^ 1 for one, other in pairwise(path))


def eased(lengths: np.ndarray, slack: float = 4.0) -> np.ndarray:
    """Scores of lengths at most ``slack`` nats apart, that none be given up before paths are judged as wholes."""
    kept = np.maximum(lengths, lengths[1:].max() - slack)
    kept[0] = lengths[1:].max() - 100.0
    return kept


def encode_question(encoder: Any, asked: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vector [1, K], token states [1, T, K] and mask [1, T] of a question; one pass where the encoder can."""
    if hasattr(encoder, "encode_both"):
        vector, tokens, mask = encoder.encode_both([asked])
        return vector, tokens, mask
    tokens, mask = encoder.encode_tokens([asked])
    return encoder.encode([asked]), tokens, mask


class Activation:
    """Ranks by learned spreading activation alone: the probability that the answer lies where a path ends."""

    def __init__(self, reader: QuestionReader) -> None:
        self.reader = reader

    def activate(self, search: Search) -> tuple[Read, Activated] | None:
        """Read the question and spread from the seeds of a search; None when there are none or nothing is reached."""
        seeds, index = search.seeds, search.index
        if not len(seeds.nodes) or not len(index.relations):
            return None
        roots, weights = roots_of(search)
        read = self.reader.read(seeds.asked, index.relations)
        opinion = self.reader.opinion(read, index.relations)
        lengths = read.lengths if opinion is None else eased(read.lengths)
        found = spread(index, roots, weights, read.steps, lengths, search.budget, opinion)
        return (read, found) if len(found.nodes) else None

    def rank(self, search: Search) -> Ranked:
        """Rank what is activated, the most active first."""
        activated = self.activate(search)
        if activated is None:
            return Ranked(Subgraph.empty())
        read, found = activated
        relevance = np.log(np.maximum(found.activation, 1e-9)) + self.texts(search, found, read)
        return Ranked(as_subgraph(search, found, relevance), found)

    def texts(self, search: Search, found: Activated, read: Read) -> np.ndarray:
        """What facts' own texts add to relevance, in nats [N]."""
        return text_bonus(search, found, read.question.numpy(), self.reader.vectors)


class ActivationGNN:
    """Activation first, then a GNN over what it reached, which gives states and breaks ties."""

    def __init__(self, reader: QuestionReader, gnn: Any) -> None:
        self.activation, self.gnn = Activation(reader), gnn

    def rank(self, search: Search) -> Ranked:
        """Rank what is activated by the GNN's logits."""
        import torch

        activated = self.activation.activate(search)
        if activated is None:
            return Ranked(Subgraph.empty())
        read, found = activated
        near = found.first(LOOKED_AT, search.seeds.nodes)
        seeds = _others(search.seeds.nodes, near.nodes)
        inputs = gnn_inputs(self.activation.reader, read, near, search.index, seeds)
        with torch.inference_mode():
            states, logits = self.gnn(*inputs)
        count, every = len(near.nodes), np.zeros((len(found.nodes), states.shape[1]), np.float32)
        every[:count] = states[:count].numpy()
        relevance = np.log(np.maximum(found.activation, 1e-9))
        relevance[:count] = logits[:count].numpy()
        relevance += self.activation.texts(search, found, read)
        return Ranked(as_subgraph(search, found, relevance, every), found)


def gnn_inputs(reader: QuestionReader, read: Read, found: Activated, index: Any, seeds: np.ndarray) -> tuple[Any, ...]:
    """What the GNN takes: node features, question, relations, arcs both ways with their codes, gates.

    Args:
        reader: as read with.
        read: the question.
        found: what it activated.
        index: the graph.
        seeds: int64 [S], seeds that are not among the activated nodes; they come last.
    """
    import torch

    from graphmem.retrieval.nn.gnn import node_features

    nodes = np.concatenate([found.nodes, seeds])
    place = np.argsort(nodes, kind="stable")
    source, target, codes, _ = found.arcs
    ends = place[np.searchsorted(nodes[place], np.stack([source, target]))]  # [2, E]
    both = torch.from_numpy(np.concatenate([ends, ends[::-1]], 1))
    codes = torch.from_numpy(np.concatenate([codes, codes ^ 1]))
    features = node_features(found, index.degree(nodes), len(seeds))
    return features, read.question, read.relations, both, codes, torch.from_numpy(read.steps)


def roots_of(search: Search) -> tuple[list[np.ndarray], np.ndarray]:
    """The nodes of each mention and its weight; without mentions every seed by itself."""
    seeds = search.seeds
    if not seeds.mentions:
        return [seeds.nodes[i : i + 1] for i in range(len(seeds.nodes))], seeds.weights
    allowed, best = set(seeds.nodes.tolist()), seeds.mentions[0].score
    roots = [(np.asarray([n for n in m.nodes if n in allowed], np.int64), m.score / best) for m in seeds.mentions]
    roots = [(nodes, weight) for nodes, weight in roots if len(nodes)]
    return [nodes for nodes, _ in roots], np.asarray([weight for _, weight in roots])


def _others(few: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Those of a few ids that are not among many, ascending."""
    return np.unique(few[~(few[:, None] == many).any(axis=1)])


def as_subgraph(search: Search, found: Activated, relevance: np.ndarray, states: np.ndarray | None = None) -> Subgraph:
    """What was activated as a Subgraph, most relevant first; seeds that answer nothing come last."""
    extra = _others(search.seeds.nodes, found.nodes)
    order = np.argsort(-relevance, kind="stable")
    nodes = np.concatenate([found.nodes[order], extra])
    low = min(float(relevance.min(initial=0.0)), 0.0) - 2.0
    place = np.argsort(nodes, kind="stable")
    source, target, codes, edges = found.arcs
    ends = place[np.searchsorted(nodes[place], np.stack([source, target]))]  # [2, E]
    if states is not None:
        states = np.concatenate([states[order], np.zeros((len(extra), states.shape[1]), np.float32)])
    return Subgraph(
        node_ids=nodes, relevance=np.concatenate([relevance[order], np.full(len(extra), low)]).astype(np.float32),
        activation=np.concatenate([found.activation[order], np.zeros(len(extra), np.float32)]),
        edge_index=ends.astype(np.int64), relations=codes, edge_ids=edges, seeds=search.seeds.pairs(),
        left_out=found.left_out, states=states, answerable=1.0 - found.none,
    )  # fmt: skip


# ---------------------------------------------------------------- weights


def save_weights(path: str | Path, modules: dict[str, Any], fingerprint: str) -> None:
    """Write modules (each with a ``config`` dataclass) as fp16 safetensors with their sizes in the metadata."""
    import torch
    from safetensors.torch import save_file

    tensors = {
        f"{name}.{key}": value.detach().to(torch.float16).contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    configs = {name: asdict(module.config) for name, module in modules.items()}
    save_file(tensors, str(path), {"format": FORMAT, "encoder": fingerprint, "configs": json.dumps(configs)})


def weights_header(path: str | Path) -> dict[str, str]:
    """Metadata of a weights file.

    Raises:
        WeightsMismatch: no such file, or not weights of this kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsMismatch(f"{path} cannot be read as retriever weights: {error}") from error
    if header.get("format") != FORMAT:
        raise WeightsMismatch(f"{path} says format {header.get('format')!r}; retriever weights say {FORMAT!r}")
    return header


def load_weights(path: str | Path, fingerprint: str | None = None) -> dict[str, Any]:
    """The modules of a weights file, in evaluation mode.

    Raises:
        WeightsMismatch: not such a file, made for another encoder than ``fingerprint``, or sizes do not fit.
    """
    import torch
    from safetensors.torch import load_file

    header = weights_header(path)
    if fingerprint is not None and header["encoder"] != fingerprint:
        raise WeightsMismatch(
            f"{path} was trained with encoder {header['encoder']}, this one is {fingerprint}; use that encoder or train"
        )
    configs, tensors = json.loads(header["configs"]), load_file(str(path))
    modules = {}
    for name, values in configs.items():
        module = _module(name, values)
        own = {
            key.removeprefix(f"{name}."): t.to(torch.float32)
            for key, t in tensors.items()
            if key.startswith(f"{name}.")
        }
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise WeightsMismatch(f"{path}: tensors of {name!r} do not fit its own sizes: {error}") from error
        modules[name] = module.eval()
    return modules


def _module(name: str, values: dict[str, int]) -> Any:
    from graphmem.retrieval.nn.path_aligner import Aligner, AlignerConfig
    from graphmem.retrieval.nn.relation_gates import GateConfig, Gates

    if name == "gates":
        return Gates(GateConfig(**values))
    if name == "aligner":
        return Aligner(AlignerConfig(**values))
    from graphmem.retrieval.nn.gnn import GNNConfig, RelevanceGNN

    return RelevanceGNN(GNNConfig(**values))
