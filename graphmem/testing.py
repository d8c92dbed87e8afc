"""Test helpers that ship: tiny random models of many architectures, byte tokenizer, fixed memory, hash encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.decoders import ByteLevel

from graphmem.core.types import Subgraph

VOCAB_SIZE: Final = 260
SIZES: Final[dict[str, Any]] = dict(
    vocab_size=VOCAB_SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0, eos_token_id=1, pad_token_id=1,
)  # fmt: skip
_SPECIAL: Final = dict(vocab_size=VOCAB_SIZE, bos_token_id=0, eos_token_id=1)
ARCHITECTURES: Final[dict[str, dict[str, Any]]] = {
    **dict.fromkeys(("Llama", "Mistral", "Qwen2", "Phi3"), SIZES),
    "Qwen3": {**SIZES, "head_dim": 8},
    **dict.fromkeys(("Gemma2", "Gemma3Text"), {**SIZES, "head_dim": 8, "sliding_window": 64}),
    "GPT2": {**_SPECIAL, "n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256},
    "GPTNeoX": {k: v for k, v in SIZES.items() if k != "num_key_value_heads"},
    "OPT": {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32, "dropout": 0.0},
    "Bloom": {**_SPECIAL, "hidden_size": 32, "n_layer": 4, "n_head": 4, "pad_token_id": 1},
    "Falcon": {**SIZES, "new_decoder_architecture": False, "multi_query": True, "alibi": False},
    "Mixtral": {**SIZES, "num_local_experts": 2, "num_experts_per_tok": 1},
    "Qwen2Moe": {
        **SIZES, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32,
    },
    "Qwen3Moe": {**SIZES, "head_dim": 8, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 32},
}  # fmt: skip
"""Sizes of a tiny config of each architecture, by the name of its transformers config without ``Config``."""


def byte_tokenizer(bos: str = "<s>", eos: str = "</s>", *, pad: bool = True) -> Any:
    """Byte tokenizer: one token a byte, token 0 ``bos``, token 1 ``eos``, which also pads unless ``pad`` is False."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {bos: 0, eos: 1, **{letter: i + 2 for i, letter in enumerate(alphabet)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, **({"pad_token": eos} if pad else {})
    )


def tiny_model(architecture: str) -> Any:
    """Causal language model of four random layers, float32, in eval mode; seed 0."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{architecture}Config")(**ARCHITECTURES[architecture])
    config._attn_implementation = "eager"
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


def open_gates(model: Any, gate: float = 0.6) -> Any:
    """Give a ``GraphMemoryModel`` random memory layers (seed 1) with every gate at ``gate``; returns the model."""
    torch.manual_seed(1)
    for name, parameter in model.fusion.named_parameters():
        if name.endswith(".gate"):
            torch.nn.init.constant_(parameter, gate)
        else:
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model


class FixedMemory:
    """Memory whose retrieval is always the same names, best first; ``queries`` holds every query so far."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.queries: list[str] = []

    def retrieve(self, query: str, *, top_k: int = 10, ranker: str = "activation", as_of: Any = None) -> Any:
        """The first ``top_k`` names, with scores 0, -1, -2, ..."""
        self.queries.append(query)
        nodes = [SimpleNamespace(id=i, name=name, score=-float(i)) for i, name in enumerate(self.names[:top_k])]
        scores = -np.arange(len(nodes), dtype=np.float32)
        none = np.zeros(0, np.int64)
        graph = Subgraph(np.arange(len(nodes)), scores, np.exp(scores), np.zeros((2, 0), np.int64), none, none)
        return SimpleNamespace(nodes=nodes, subgraph=graph, answerable=0.9 if nodes else 0.0, facts=[])


class HashEncoder:
    """Text encoder without weights: a text's vector, of width ``dim``, is the sum of one random vector a word."""

    def __init__(self, dim: int = 384) -> None:
        self.dim, self.fingerprint = dim, f"hash-{dim}"
        self._word = cache(self._vector)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 [N, K]."""
        rows = [sum((self._word(word) for word in text.casefold().split()), np.full(self.dim, 1e-6)) for text in texts]
        made = np.stack(rows).astype(np.float32) if rows else np.zeros((0, self.dim), np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def _vector(self, word: str) -> np.ndarray:
        seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
        return np.random.default_rng(seed).standard_normal(self.dim)
