"""Decoder stack and embeddings of a base model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Decoder:
    """Parts of a language model that the memory layers are attached to.

    Attributes:
        layers: the decoder layers, in order.
        path: their dotted path in the model.
        embedding: embeds token ids.
        inputs: [V, D'] its weights.
        outputs: [V, D''] weights that score the next token; ``inputs`` itself where they are tied.
        width: D of the residual stream.
        encodes: whether an encoder reads the prompt, and this decoder only writes the answer.
        writes: whether the model continues texts.
    """

    layers: nn.ModuleList
    path: str
    embedding: nn.Module
    inputs: Tensor
    outputs: Tensor
    width: int
    encodes: bool = False
    writes: bool = True
