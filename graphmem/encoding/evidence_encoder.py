"""Evidence encoder: reads units of evidence (facts, parts of passages) together with a question.

A BERT with the word embeddings of the text encoder and transformer layers of its own reads ``question [SEP] unit``.
Heads give, of each unit: its relevance, start and end of the answer's span (position 0: not in this unit), and whether
the unit says yes or no to a question that asks for a verdict. Span heads as in BERT (1810.04805, 4.2); relevance
normalised over the units of a question as in Clark and Gardner (1710.10723).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.checkpoints import Checkpoint, load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.core.paths import WEIGHTS

KIND, JOINT_KIND = "evidence-encoder", "joint-reader"
SHIPPED, SHIPPED_JOINT = WEIGHTS / "evidence.safetensors", WEIGHTS / "joint.safetensors"

SHARED_LAYERS = 2
"""Lowest layers that the reader of joint texts has from the evidence encoder; they are not stored twice."""

MAX_QUESTION, MAX_TOKENS = 64, 256
"""Tokens of a question, and of a question with a unit; what is longer is cut."""

MAX_SPAN = 24
"""Longest answer, in tokens."""

BATCH_TOKENS = 2048
"""Tokens of one forward pass, padding included."""

VERDICTS = ("neither", "yes", "no")


class Span(NamedTuple):
    """Characters ``start`` to ``end`` of a unit's text, and the sum of their start and end logits."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the encoder reads in one unit, given the question.

    Attributes:
        relevance: logit that the unit answers the question; 0 is as likely as "no unit does".
        spans: best spans that do not overlap, best first.
        not_here: start and end logit of "not in this unit"; a span with a higher score is more likely than none.
        verdict: probabilities of ``VERDICTS``.
        asks_verdict: logit that the question is answered by yes or no.
    """

    relevance: float
    spans: tuple[Span, ...]
    not_here: float
    verdict: tuple[float, float, float]
    asks_verdict: float

    @property
    def margin(self) -> float:
        """Score of the best span above ``not_here``; minus infinity without spans."""
        return self.spans[0].score - self.not_here if self.spans else float("-inf")


class EvidenceNetwork(nn.Module):
    """The network: ``bert`` and the heads. Only the layers and the heads are trained and stored."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert
        width = int(bert.config.hidden_size)
        self.span = nn.Linear(width, 2)
        self.unit = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2 + len(VERDICTS)))

    @classmethod
    def of(cls, bert: Any) -> EvidenceNetwork:
        """A network whose layers begin as those of a text encoder, which keeps its own."""
        copied = deepcopy(bert).float()
        copied.pooler = None
        copied.embeddings.requires_grad_(False)
        return cls(copied)

    def forward(self, features: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Token states [U, L, K], span logits [U, L, 2] (start, end; -inf outside the unit), unit logits [U, 5].

        Unit logits are relevance, "asks for a verdict", and the logits of ``VERDICTS``. ``features`` holds
        ``input_ids``, ``attention_mask``, ``token_type_ids`` and ``in_unit`` (bool: tokens of the unit; position 0).
        """
        inputs = {key: features[key] for key in ("input_ids", "attention_mask", "token_type_ids")}
        states = self.bert(**inputs, return_dict=True)[0]
        spans = self.span(states).float().masked_fill(~features["in_unit"][..., None], float("-inf"))
        return states, spans, self.unit(states[:, 0]).float()

    def trained_state(self) -> dict[str, Tensor]:
        """Tensors that are stored: all but the word embeddings."""
        return {key: value for key, value in self.state_dict().items() if not key.startswith("bert.embeddings.")}

    def load_trained(self, tensors: Mapping[str, Tensor]) -> EvidenceNetwork:
        """Copy stored tensors into the network; return it."""
        own = {key: value for key, value in self.state_dict().items() if key.startswith("bert.embeddings.")}
        self.load_state_dict({**own, **{key: value.float() for key, value in tensors.items()}})
        return self


class Encoded(NamedTuple):
    """Token ids and masks of pairs, and the span of each token in its unit's text; (0, 0) for tokens outside."""

    features: dict[str, Tensor]
    offsets: list[list[tuple[int, int]]]


def encode_pairs(
    tokenizer: Any, questions: Sequence[str], units: Sequence[str], max_tokens: int = MAX_TOKENS
) -> Encoded:
    """Tokens of each question with its unit, padded to the longest."""
    cut = [_cut(tokenizer, question) for question in questions]
    batch = tokenizer(
        cut, list(units), truncation="only_second", max_length=max_tokens, padding=True, return_offsets_mapping=True,
        return_token_type_ids=True, return_tensors="np",
    )  # fmt: skip
    in_unit = np.asarray([[part == 1 for part in batch.sequence_ids(row)] for row in range(len(units))], bool)
    offsets = [
        [(int(a), int(b)) if inside else (0, 0) for (a, b), inside in zip(spans, row, strict=True)]
        for spans, row in zip(batch["offset_mapping"], in_unit, strict=True)
    ]
    in_unit[:, 0] = True
    features = {key: torch.as_tensor(batch[key]) for key in ("input_ids", "attention_mask", "token_type_ids")}
    return Encoded({**features, "in_unit": torch.as_tensor(in_unit)}, offsets)


def _cut(tokenizer: Any, question: str) -> str:
    """The first ``MAX_QUESTION`` tokens of a question."""
    spans = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return question if len(spans) <= MAX_QUESTION else question[: spans[MAX_QUESTION - 1][1]]


class EvidenceEncoder:
    """Reader of evidence with trained weights; calls from several threads wait for each other.

    Args:
        bert, tokenizer: of the text encoder that the weights were trained on.
        tensors: trained ones, see ``EvidenceNetwork.trained_state``.
        dtype: of the computation; bfloat16 is about three times as fast as float32 on a recent CPU.

        joint: what loads the reader of joint texts that begins as this one.
    """

    def __init__(
        self, bert: Any, tokenizer: Any, tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.bfloat16,
        joint: Callable[[], EvidenceEncoder | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.tokenizer = tokenizer
        self.network = EvidenceNetwork.of(bert).load_trained(tensors).to(dtype).eval()
        self._lock = threading.Lock()
        self._load_joint = joint

    @cached_property
    def joint(self) -> EvidenceEncoder | None:
        """Reader of several units as one text, loaded when it is first used; None where there is none."""
        return self._load_joint()

    def read(self, question: str, units: Sequence[str], *, max_spans: int = 3) -> list[Reading]:
        """Read every unit with the question, in batches of units of similar length; readings in their order."""
        readings: list[Reading | None] = [None] * len(units)
        question = _cut(self.tokenizer, question)
        with self._lock, torch.inference_mode():
            asked = min(MAX_QUESTION, _tokens(question))
            for rows in _batches([asked + _tokens(unit) for unit in units]):
                texts = [units[row] for row in rows]
                encoded = encode_pairs(self.tokenizer, [question] * len(rows), texts)
                _, spans, logits = self.network(encoded.features)
                for at, row in enumerate(rows):
                    readings[row] = _reading(texts[at], spans[at], logits[at], encoded.offsets[at], max_spans)
        return [reading for reading in readings if reading is not None]

    def verdicts(self, questions: Sequence[str], units: Sequence[str]) -> list[tuple[float, float, float]]:
        """Probabilities of ``VERDICTS`` of each unit about the question at its place, in their order."""
        found: list[tuple[float, float, float]] = [(1.0, 0.0, 0.0)] * len(units)
        with self._lock, torch.inference_mode():
            for rows in _batches([_tokens(a) + _tokens(b) for a, b in zip(questions, units, strict=True)]):
                encoded = encode_pairs(self.tokenizer, [questions[r] for r in rows], [units[r] for r in rows])
                _, _, logits = self.network(encoded.features)
                for row, (neither, yes, no) in zip(rows, logits[:, 2:].softmax(-1).tolist(), strict=True):
                    found[row] = (neither, yes, no)
        return found


def _tokens(text: str) -> int:
    """About how many tokens a text has."""
    return len(text) // 3 + 3


def _batches(counts: Sequence[int]) -> Iterator[list[int]]:
    """Rows of pairs of similar numbers of tokens."""
    lengths = [min(MAX_TOKENS, count) for count in counts]
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if rows and lengths[row] * (len(rows) + 1) > BATCH_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _reading(
    text: str, spans: Tensor, unit: Tensor, offsets: Sequence[tuple[int, int]], max_spans: int
) -> Reading:  # fmt: skip
    verdict = unit[2:].softmax(-1).tolist()
    found = tuple(best_spans(spans.numpy(), offsets, max_spans, text))
    return Reading(float(unit[0]), found, float(spans[0].sum()), (verdict[0], verdict[1], verdict[2]), float(unit[1]))


def best_spans(logits: np.ndarray, offsets: Sequence[tuple[int, int]], count: int, text: str = "") -> list[Span]:
    """The best spans that do not overlap and go over no line break; ``logits`` float32 [L, 2] of one unit."""
    start, end = logits[1:, 0], logits[1:, 1]
    scores = start[:, None] + end[None, :]
    length = len(start)
    near = np.tri(length, length, MAX_SPAN - 1, dtype=bool) & ~np.tri(length, length, -1, dtype=bool)
    if "\n" in text:
        line = np.array([text.count("\n", 0, first) for first, _ in offsets[1:]])
        near &= line[:, None] == line[None, :]
    scores = np.where(near & np.isfinite(scores), scores, -np.inf)
    found: list[Span] = []
    while len(found) < count and length and np.isfinite(scores.max()):
        first, last = divmod(int(scores.argmax()), length)
        found.append(Span(offsets[first + 1][0], offsets[last + 1][1], float(scores[first, last])))
        overlaps = (np.arange(length)[:, None] <= last) & (np.arange(length)[None, :] >= first)
        scores = np.where(overlaps, -np.inf, scores)
    return found


def save_evidence_encoder(path: str | Path, network: EvidenceNetwork, fingerprint: str, **notes: Any) -> Path:
    """Write the trained tensors as bfloat16, with the fingerprint of the text encoder; return the file."""
    return save_module(path, network.trained_state(), kind=KIND, fingerprint=fingerprint, **notes)


def save_joint_reader(path: str | Path, network: EvidenceNetwork, fingerprint: str, **notes: Any) -> Path:
    """Write the tensors that the reader of joint texts does not share, with a digest of those that it shares."""
    state = network.trained_state()
    own = {key: value for key, value in state.items() if not _is_shared(key)}
    return save_module(path, own, kind=JOINT_KIND, fingerprint=fingerprint, shared=shared_digest(state), **notes)


def load_joint_reader(
    evidence: Mapping[str, Tensor], bert: Any, tokenizer: Any, fingerprint: str, path: str | Path = SHIPPED_JOINT
) -> EvidenceEncoder:
    """The reader of joint texts that was trained from an evidence encoder with these tensors.

    Raises:
        WeightsMismatch: no such file, or it was trained from another encoder.
    """
    found = load_module(path, kind=JOINT_KIND, fingerprint=fingerprint)
    if found.meta.get("shared") != shared_digest(evidence):
        raise WeightsMismatch(f"{path} was trained from another evidence encoder; train it again")
    shared = {key: value for key, value in evidence.items() if _is_shared(key)}
    return EvidenceEncoder(bert, tokenizer, {**shared, **found.tensors})


def shared_digest(tensors: Mapping[str, Tensor]) -> str:
    """Hash of the tensors of the shared layers, as they are stored."""
    digest = sha256()
    for key in sorted(key for key in tensors if _is_shared(key)):
        value = tensors[key].detach()
        stored = value.to(torch.bfloat16).view(torch.int16) if value.ndim > 1 else value.float()
        digest.update(key.encode() + stored.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _is_shared(key: str) -> bool:
    """Whether a tensor is of the shared layers."""
    return any(key.startswith(f"bert.encoder.layer.{layer}.") for layer in range(SHARED_LAYERS))


def load_evidence_weights(path: str | Path, fingerprint: str | None = None) -> Checkpoint:
    """Read the weights that ``save_evidence_encoder`` wrote; raises ``WeightsMismatch`` as ``load_module``."""
    return load_module(path, kind=KIND, fingerprint=fingerprint)
