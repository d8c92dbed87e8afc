"""Text encoders of the usual kind, a BERT with mean pooling, loaded without sentence-transformers.

Its import takes as long as a whole answer. Vectors, token states and names of weights are bit for bit the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_MODULES = ["Transformer", "Pooling", "Normalize"]


def is_mean_pooled(folder: Path) -> bool:
    """Whether a folder holds a BERT with mean pooling and normalisation, and nothing that changes the texts."""
    try:
        modules = _read(folder / "modules.json")
        pooling = _read(folder / modules[1]["path"] / "config.json")
        reading, prompts = (
            _read(folder / "sentence_bert_config.json"),
            _read(folder / "config_sentence_transformers.json"),
        )
        return (
            [module["type"].split(".")[-1] for module in modules] == _MODULES
            and modules[0]["path"] == ""
            and [key for key, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens"]
            and set(reading) == {"max_seq_length", "do_lower_case"}
            and not reading["do_lower_case"]
            and set(prompts) <= {"__version__"}
            and _read(folder / "config.json")["model_type"] == "bert"
            and (folder / "model.safetensors").exists()
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


class MeanPooledEncoder(nn.Module):
    """The calls of a ``SentenceTransformer`` that graphmem uses; the folder is one that ``is_mean_pooled``."""

    def __init__(self, folder: Path, tokenizer: Any, bert: nn.Module, device: str) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.max_seq_length = int(_read(folder / "sentence_bert_config.json")["max_seq_length"])
        self.add_module("0", nn.ModuleDict({"model": bert}))  # the names that weights have in sentence-transformers
        self.to(device).eval()

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    def get_embedding_dimension(self) -> int:
        """K, the width of a vector."""
        return int(self.bert.config.hidden_size)

    @property
    def bert(self) -> Any:
        """The BERT."""
        return self.get_submodule("0.model")

    def preprocess(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Token ids and masks of texts."""
        return dict(
            self.tokenizer(
                list(texts), padding=True, truncation="longest_first", max_length=self.max_seq_length,
                return_tensors="pt",
            )
        )  # fmt: skip

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Token states, their mean over the text, at unit length, and the features."""
        states = self.bert(**features, return_dict=True)[0]
        mask = features["attention_mask"].unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return {**features, "token_embeddings": states, "sentence_embedding": nn.functional.normalize(mean, dim=-1)}


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
