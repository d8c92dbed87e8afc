"""The methods of a run, on one base and under one training budget."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch.nn.functional import kl_div

from graphmem.core.errors import InvalidValue
from graphmem.core.paths import DATA
from graphmem.datasets.files import read_rows
from graphmem.datasets.plain_text import passage_texts
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Run
from graphmem.experiments.methods.base import Cost, Language, Method
from graphmem.experiments.methods.graph_memory import GraphMemoryMethod
from graphmem.experiments.methods.key_value_memory import KeyValueMemory
from graphmem.experiments.methods.lora import Lora
from graphmem.experiments.methods.prompting import CachedClosedBook, InContextFacts, Top1Retrieval
from graphmem.experiments.methods.soft_prompt import SoftPrompt
from graphmem.experiments.methods.training import TrainingExample, train, training_examples
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet
from graphmem.hub import load_encoder, load_language_model, shipped_weights
from graphmem.model import GraphMemoryModel
from graphmem.retrieval.checkpoints import SHIPPED
from graphmem.text.answer_matching import contains

METHODS = ("closed", "gold", "distractors", "retrieved", "lora", "soft", "keyvalue", "top", "graphmem")
WITHOUT_RETRIEVAL = frozenset({"closed", "gold", "distractors", "lora"})
MAX_TOKENS = 128
"""Of a text whose logits are compared."""
TRAINED = ("soft", "keyvalue")
"""The baselines trained on the training split."""


class Panel:
    """Makes the methods of a run: those that it names, or else ``methods``.

    Raises:
        InvalidValue: the run names an unknown method.
    """

    def __init__(self, run: Run, methods: Sequence[str] = METHODS) -> None:
        if unknown := [name for name in run.methods if name not in METHODS]:
            raise InvalidValue(f"no method {unknown[0]!r}; choose of {', '.join(METHODS)}")
        self.run = run
        self.names = tuple(name for name in METHODS if name in (run.methods or methods))
        self.steps = run.steps or (20 if run.quick else 400)
        self.n_locality = min(run.n or 40, 5 if run.quick else 40)  # texts and nodes; twice as many questions
        self.n_examples = 80 if run.quick else 600
        self._trained: dict[str, tuple[Any, Cost]] = {}

    @cached_property
    def language(self) -> Language:
        """The frozen base that all methods share."""
        return self.copy_base()

    def copy_base(self) -> Language:
        """Another copy of the base, for baselines that change it."""
        base, tokenizer = load_language_model(self.run.model)
        base.requires_grad_(False)
        return Language(base, tokenizer)

    @cached_property
    def encode(self) -> Any:
        """Text to unit vectors, cached."""
        return EmbeddingCache(load_encoder())

    @cached_property
    def base(self) -> CachedClosedBook:
        """The closed book, the reference of locality."""
        return CachedClosedBook(self.language)

    def locality(self, facts: FactSet, method: Method, retriever: CachedRetriever) -> list[Row]:
        """KL of a method to the base on plain texts, and its changed answers to twice as many everyday questions.

        Each text (a Wikipedia introduction held out of training) is read with the retrieval of its own beginning.
        """
        n, seed = self.n_locality, self.run.seed
        held, everyday = passage_texts("test"), read_rows(DATA / "everyday_questions.jsonl")
        texts = Random(seed).sample(held, min(n, len(held)))
        unrelated = Random(seed).sample(everyday, min(2 * n, len(everyday)))
        divergences = []
        for text, query in zip(texts, retriever([t[:300] for t in texts]), strict=True):
            ids = torch.tensor([self.language.ids(text)[:MAX_TOKENS]])
            after, before = method.logits(ids, query), self.base.logits(ids, query)
            if after is not None and before is not None:
                p, q = before.float().log_softmax(-1), after.float().log_softmax(-1)
                divergences.append(float(kl_div(q, p, reduction="batchmean", log_target=True)))
        queries = retriever([row["question"] for row in unrelated])
        then, now = (m.generate(queries, 12) for m in (self.base, method))
        figures = {
            "KL on plain text (nats/token)": divergences,
            "unrelated answers changed": [float(a.text != b.text) for a, b in zip(now, then, strict=True)],
            "unrelated questions right": [
                float(contains(a.text, row["answers"])) for a, row in zip(now, unrelated, strict=True)
            ],
        }
        name = f"{facts.name}, locality"
        return [row_of(name, method.name, measure, values, seed=seed) for measure, values in figures.items()]

    @contextmanager
    def method(self, name: str, facts: FactSet, memory: Any) -> Iterator[tuple[Method, Cost]]:
        """A method ready to be asked about a fact set, and the cost of its earlier training."""
        if name == "graphmem":
            language = self.language
            model = GraphMemoryModel.from_pretrained(
                language.base, self.run.weights, memory=memory, tokenizer=language.tokenizer
            )
            try:
                yield GraphMemoryMethod(model), Cost()
            finally:
                model.detach()
        elif name in TRAINED:
            if name not in self._trained:
                self._trained[name] = self._trained_baseline(name)
            yield self._trained[name]
        else:
            yield self._baseline(name, facts), Cost()

    def _baseline(self, name: str, facts: FactSet) -> Method:
        if name == "closed":
            return self.base
        if name == "top":
            return Top1Retrieval()
        if name == "lora":
            return Lora(self.copy_base(), self.steps, batch=8, seed=self.run.seed)
        kind = "gold + distractors" if name == "distractors" else name
        return InContextFacts(self.language, kind, facts.all_facts, self.run.seed)

    def _trained_baseline(self, name: str) -> tuple[Method, Cost]:
        """A baseline that is trained to read facts, on questions of the training split."""
        run, steps = self.run, self.steps
        method: SoftPrompt | KeyValueMemory
        if name == "soft":
            method = SoftPrompt(self.language, self.encode, seed=run.seed)
        else:
            method = KeyValueMemory(self.copy_base(), self.encode, seed=run.seed)
        settings = json.dumps([steps, run.seed, run.model, self.n_examples, run.max_facts])
        key = blake2b(settings.encode(), digest_size=8).hexdigest()
        folder = (run.baselines or run.out / "baselines") / f"{name}-{key}"
        print(f"training: {method.name}, {steps} steps", flush=True)
        return method, train(
            method.module, method.loss, lambda: self._examples, steps, folder, rate=1e-3, seed=run.seed
        )

    @cached_property
    def _examples(self) -> list[TrainingExample]:
        return training_examples(self.n_examples, self.run.seed, self.run.max_facts)

    def dependencies(self, name: str) -> dict[str, Any]:
        """What a method's figures depend on beyond the run's settings: training steps, and weights by their hash."""
        found: dict[str, Any] = {"steps": self.steps} if name in ("lora", *TRAINED) else {}
        if name not in WITHOUT_RETRIEVAL:
            found["retriever"] = fingerprint(Path(SHIPPED))
        if name == "graphmem":
            folder = self.run.weights or shipped_weights(self.run.model) or shipped_weights("smollm2-135m")
            found["fusion"] = fingerprint(Path(folder) / "fusion.safetensors") if folder else None
        return found


def fingerprint(path: Path) -> str | None:
    """Hash of a file's bytes; None where there is none."""
    return blake2b(path.read_bytes(), digest_size=8).hexdigest() if path.is_file() else None
