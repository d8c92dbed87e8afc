"""Decoder stack and embeddings of a base model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Decoder:
    """Parts of a language model that the memory layers are attached to."""

    layers: nn.ModuleList  # the decoder layers, in order
    path: str  # their dotted path in the model
    embedding: nn.Module  # embeds token ids
    inputs: Tensor  # [V, D'] its weights
    outputs: Tensor  # [V, D''] weights that score the next token; ``inputs`` itself where they are tied
    width: int  # D of the residual stream
    encodes: bool = False  # whether an encoder reads the prompt, and this decoder only writes the answer
    writes: bool = True  # whether the model continues texts
