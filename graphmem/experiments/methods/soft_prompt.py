"""A soft prompt from a pooled graph, the way of G-Retriever (He et al., NeurIPS 2024), with PyTorch Geometric.

The retrieved facts are a small graph of text vectors; a graph transformer runs over it, its nodes are pooled by their
mean, and an MLP makes of that a few soft tokens in front of the prompt. Only graph network and MLP are trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.experiments.methods.base import Cost, Language, Said
from graphmem.experiments.methods.training import Lesson, answer_loss
from graphmem.experiments.tasks.fact_set import Asked, Pair

Encode = Callable[[Sequence[str]], np.ndarray]


class PooledGraph(nn.Module):
    """Graph to soft tokens.

    Args:
        text_width: K.
        width: D of the model.
        scale: size of an entry of the model's token embeddings.
        hidden: width of the graph network.
        tokens: P, how many soft tokens; the paper's has one.
    """

    def __init__(self, text_width: int, width: int, scale: float, *, hidden: int = 256, tokens: int = 4) -> None:
        super().__init__()
        from torch_geometric.nn import TransformerConv

        self.first = TransformerConv(text_width, hidden // 4, heads=4, edge_dim=text_width)
        self.second = TransformerConv(hidden, hidden // 4, heads=4, edge_dim=text_width)
        self.project = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, width * tokens))
        self.norm = nn.LayerNorm(width)
        self.tokens, self.width = tokens, width
        nn.init.constant_(self.norm.weight, scale)

    def forward(self, batch: Any) -> Tensor:
        """Soft tokens [B, P, D] of a PyG batch with ``x`` [N, K], ``edge_index`` [2, E] and ``edge_attr`` [E, K]."""
        from torch_geometric.nn import global_mean_pool

        x = torch.nn.functional.gelu(self.first(batch.x, batch.edge_index, batch.edge_attr))
        x = torch.nn.functional.gelu(self.second(x, batch.edge_index, batch.edge_attr))
        pooled = global_mean_pool(x, batch.batch, size=batch.num_graphs)  # [B, hidden]
        out: Tensor = self.norm(self.project(pooled).view(-1, self.tokens, self.width))  # [B, P, D]
        return out


class SoftPrompt:
    """The frozen base with soft tokens of the retrieved graph before the prompt.

    Args:
        language: the base.
        encode: text to unit vectors [n, K].
        seed: of the module's first weights.
        tokens: P.
    """

    name = "soft prompt, pooled graph"

    def __init__(self, language: Language, encode: Encode, *, seed: int = 0, tokens: int = 4) -> None:
        torch.manual_seed(seed)
        self.language, self.encode = language, encode
        text_width, scale = encode(["a"]).shape[1], float(language.embedding.weight.float().std())
        self.module = PooledGraph(text_width, language.width, scale, tokens=tokens)

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Nothing is learnt of new facts: they are read."""
        return Cost()

    def loss(self, lessons: Sequence[Lesson]) -> tuple[Tensor, int]:
        """Nats a token of the answers, and tokens seen."""
        texts = [(self.language.prompt(asked.question), answer) for asked, answer in lessons]
        return answer_loss(self.language, texts, self.prefix([asked for asked, _ in lessons]))

    def prefix(self, asked: Sequence[Asked]) -> Tensor:
        """Soft tokens [B, P, D] of what was found for each question."""
        from torch_geometric.data import Batch

        batch: Any = Batch.from_data_list([self._graph(a) for a in asked])
        made: Tensor = self.module(batch)
        return made

    def _graph(self, asked: Asked) -> Any:
        from torch_geometric.data import Data

        nodes: dict[str, int] = {}
        for subject, _, object in asked.facts:
            nodes.setdefault(subject, len(nodes))
            nodes.setdefault(object, len(nodes))
        nodes = nodes or {"nothing": 0}
        ends = [(nodes[s], nodes[o]) for s, _, o in asked.facts]
        both = torch.tensor([*ends, *((b, a) for a, b in ends)], dtype=torch.long).reshape(-1, 2).T  # [2, 2F]
        names = [r for _, r, _ in asked.facts] + [f"inverse of {r}" for _, r, _ in asked.facts]
        x = torch.from_numpy(np.ascontiguousarray(self.encode(list(nodes))))
        edges = torch.from_numpy(np.ascontiguousarray(self.encode(names))) if names else torch.zeros(0, x.shape[1])
        return Data(x=x, edge_index=both.contiguous(), edge_attr=edges)

    @torch.inference_mode()
    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """Answer behind the soft tokens."""
        prompts = [self.language.prompt(a.question) for a in asked]
        said = self.language.decode(prompts, limit=limit, prefix=lambda rows: self.prefix([asked[i] for i in rows]))
        return [Said(s.text, s.tokens, s.seconds + a.seconds) for s, a in zip(said, asked, strict=True)]

    @torch.inference_mode()
    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """The base's logits behind the soft tokens."""
        embeds = self.language.embedding(ids)
        prefix = self.prefix([asked]).to(embeds.dtype)
        whole = torch.cat([prefix, embeds], 1)
        out: Tensor = self.language.base(inputs_embeds=whole, use_cache=False).logits[0, prefix.shape[1] :].float()
        return out
