"""Centred token embeddings of a base model, for keys and values of memory slots."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class TokenTable:
    """Unit-scale, centred embeddings of a base model's tokens: inputs [V, D] for keys, outputs [V, D'] for values."""

    def __init__(self, inputs: Tensor, outputs: Tensor) -> None:
        self.weight, self._outputs = inputs, outputs
        self._mean_in = _mean_unit(inputs)
        self._mean_out = self._mean_in if outputs is inputs else _mean_unit(outputs)

    def inputs(self, ids: Tensor) -> Tensor:
        """Centred input embeddings, [n, D]."""
        return self.centre(F.embedding(ids, self.weight.detach()))

    def outputs(self, ids: Tensor) -> Tensor:
        """Centred output embeddings, [n, D']."""
        return unit(unit(F.embedding(ids, self._outputs.detach()).float()) - self._mean_out.to(ids.device))

    def centre(self, embedded: Tensor) -> Tensor:
        """Embeddings as the model made them (scaled or not) -> the same scale and centre as ``inputs``."""
        return unit(unit(embedded.float()) - self._mean_in.to(embedded.device))


def unit(x: Tensor) -> Tensor:
    """Scale the last axis to a root mean square of 1."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def _mean_unit(table: Tensor, chunk: int = 8192) -> Tensor:
    with torch.no_grad():
        total = torch.zeros(table.shape[1], device=table.device)
        for start in range(0, len(table), chunk):
            total += unit(table[start : start + chunk].float()).sum(0)
    return total / len(table)
