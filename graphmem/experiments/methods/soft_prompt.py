"""A soft prompt from a pooled graph, after G-Retriever (He et al., NeurIPS 2024), with PyTorch Geometric.

A graph transformer runs over the text vectors of the retrieved facts; its nodes are mean-pooled, and an MLP maps the
result to a few soft tokens in front of the prompt. Only graph network and MLP are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch_geometric.data import Batch, Data
from torch_geometric.nn import TransformerConv, global_mean_pool

from graphmem.experiments.methods.base import Encode, Language, LanguageMethod
from graphmem.experiments.methods.training import TrainingExample, answer_loss
from graphmem.experiments.tasks.fact_set import Query


class PooledGraph(nn.Module):
    """Graph with vectors [n, K] to P soft tokens of width D (the paper has one) with entries of size ``scale``."""

    def __init__(self, text_width: int, width: int, scale: float, tokens: int, hidden: int = 256) -> None:
        super().__init__()
        self.first = TransformerConv(text_width, hidden // 4, heads=4, edge_dim=text_width)
        self.second = TransformerConv(hidden, hidden // 4, heads=4, edge_dim=text_width)
        self.project = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, width * tokens))
        self.norm = nn.LayerNorm(width)
        self.tokens, self.width = tokens, width
        nn.init.constant_(self.norm.weight, scale)

    def forward(self, batch: Any) -> Tensor:
        """Soft tokens [B, P, D] of a PyG batch with ``x`` [N, K], ``edge_index`` [2, E] and ``edge_attr`` [E, K]."""
        x = gelu(self.first(batch.x, batch.edge_index, batch.edge_attr))
        x = gelu(self.second(x, batch.edge_index, batch.edge_attr))
        pooled = global_mean_pool(x, batch.batch, size=batch.num_graphs)  # [B, hidden]
        out: Tensor = self.norm(self.project(pooled).view(-1, self.tokens, self.width))  # [B, P, D]
        return out


class SoftPrompt(LanguageMethod):
    """The frozen base with soft tokens of the retrieved graph before the prompt."""

    name = "soft prompt, pooled graph"

    def __init__(self, language: Language, encode: Encode, *, seed: int = 0, tokens: int = 4) -> None:
        torch.manual_seed(seed)
        self.language, self.encode = language, encode
        weight = language.embedding.weight
        self.module = PooledGraph(encode(["a"]).shape[1], weight.shape[1], float(weight.float().std()), tokens)

    def loss(self, examples: Sequence[TrainingExample]) -> tuple[Tensor, int]:
        """Nats a token of the answers, and tokens seen."""
        texts = [(self.language.prompt(query.question), answer) for query, answer in examples]
        return answer_loss(self.language, texts, self.prefix([query for query, _ in examples]))

    def prefix(self, queries: Sequence[Query]) -> Tensor:
        """Soft tokens [B, P, D] of the facts retrieved for each query."""
        tokens: Tensor = self.module(Batch.from_data_list(list(map(self._graph, queries))))
        return tokens

    def _graph(self, query: Query) -> Any:
        names = [name for subject, _, object in query.facts for name in (subject, object)] or ["nothing"]
        nodes = {name: i for i, name in enumerate(dict.fromkeys(names))}
        ends = [(nodes[s], nodes[o]) for s, _, o in query.facts]
        both = torch.tensor([*ends, *((b, a) for a, b in ends)], dtype=torch.long).reshape(-1, 2).T  # [2, 2F]
        relations = [r for _, r, _ in query.facts] + [f"inverse of {r}" for _, r, _ in query.facts]
        vectors = lambda texts: torch.from_numpy(np.ascontiguousarray(self.encode(texts)))
        x = vectors(list(nodes))
        edges = vectors(relations) if relations else torch.zeros(0, x.shape[1])
        return Data(x=x, edge_index=both.contiguous(), edge_attr=edges)

    def options(self, queries: Sequence[Query]) -> dict[str, Any]:
        """The soft tokens before the prompt."""
        return {"prefix": lambda rows: self.prefix([queries[i] for i in rows])}

    @torch.inference_mode()
    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """The base's logits with the soft tokens before the text."""
        embeds = self.language.embedding(ids)
        prefix = self.prefix([query]).to(embeds.dtype)
        whole = torch.cat([prefix, embeds], 1)
        out: Tensor = self.language.base(inputs_embeds=whole, use_cache=False).logits[0, prefix.shape[1] :].float()
        return out
