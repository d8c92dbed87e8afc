"""Who takes part: every method by its short name, made on one base, trained under one budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.methods.base import Cost, Language, Method
from graphmem.experiments.methods.best_node import Top1Retrieval
from graphmem.experiments.methods.graph_memory import GraphMemoryMethod
from graphmem.experiments.methods.key_value_memory import KeyValueMemory
from graphmem.experiments.methods.lora import Lora
from graphmem.experiments.methods.prompting import ClosedBook, InContextFacts
from graphmem.experiments.methods.soft_prompt import SoftPrompt
from graphmem.experiments.methods.training import Checkpoint, Lesson, train, training_lessons
from graphmem.experiments.tasks.fact_set import Asked, FactSet
from graphmem.experiments.tasks.unrelated import UNRELATED_TOKENS

METHODS = ("closed", "gold", "distractors", "retrieved", "lora", "soft", "keyvalue", "top", "graphmem")
UNREAD = frozenset({"closed", "gold", "distractors", "lora"})
"""Those that do not look at what was retrieved."""
QUICK_STEPS, STEPS = 20, 400
LORA_BATCH = 8
QUICK_LESSONS, LESSONS = 80, 600
QUICK_ASIDE, ASIDE = 5, 40
"""Plain texts, subjects to tell about, and half as many unrelated questions as are asked."""
READERS = {"soft": 1e-3, "keyvalue": 1e-3}
"""Rivals trained on the training split, with the top of their learning rate's cycle."""


class Panel:
    """Makes methods for a run.

    Args:
        run: what is run.
        methods: who takes part where the run names nobody.

    Raises:
        InvalidValue: the run names a method that there is not.
    """

    def __init__(self, run: Run, methods: Sequence[str] = METHODS) -> None:
        unknown = [name for name in run.methods if name not in METHODS]
        if unknown:
            raise InvalidValue(f"no method {unknown[0]!r}; choose of {', '.join(METHODS)}")
        self.run = run
        self.names = tuple(name for name in METHODS if name in (run.methods or methods))
        self.steps = run.steps or (QUICK_STEPS if run.quick else STEPS)
        self.lessons = QUICK_LESSONS if run.quick else LESSONS
        self.aside = min(run.n or ASIDE, QUICK_ASIDE if run.quick else ASIDE)
        self._trained: dict[str, tuple[Any, Cost]] = {}
        self._plain_answers: dict[str, str] = {}

    @cached_property
    def language(self) -> Language:
        """The frozen base that all share."""
        return self.copy()

    def copy(self) -> Language:
        """Another copy of the base, for rivals that change it."""
        from graphmem.hub import load_language_model

        base, tokenizer = load_language_model(self.run.model)
        base.requires_grad_(False)
        return Language(base, tokenizer)

    @cached_property
    def encode(self) -> Any:
        """Text to unit vectors, remembered."""
        from graphmem.encoding.embedding_cache import EmbeddingCache
        from graphmem.hub import load_encoder

        return EmbeddingCache(load_encoder())

    @cached_property
    def base(self) -> ClosedBook:
        """The base as it is: what locality is measured against."""
        return ClosedBook(self.language)

    def untouched(self, questions: Sequence[str]) -> list[str]:
        """What the base alone says to questions that no memory concerns; asked once."""
        new = [question for question in questions if question not in self._plain_answers]
        said = self.base.say([Asked(question) for question in new], UNRELATED_TOKENS)
        self._plain_answers |= {question: s.text for question, s in zip(new, said, strict=True)}
        return [self._plain_answers[question] for question in questions]

    @contextmanager
    def method(self, name: str, facts: FactSet, memory: Any) -> Iterator[tuple[Method, Cost]]:
        """A method ready to be asked about a fact set, and what training it before took."""
        if name == "graphmem":
            from graphmem.model import GraphMemoryModel

            language = self.language
            model = GraphMemoryModel.from_pretrained(
                language.base, self.run.weights, memory=memory, tokenizer=language.tokenizer
            )
            try:
                yield GraphMemoryMethod(model), Cost()
            finally:
                model.detach()
        elif name in READERS:
            yield self._reader(name)
        else:
            yield self._plain(name, facts), Cost()

    def _plain(self, name: str, facts: FactSet) -> Method:
        if name == "closed":
            return self.base
        if name == "top":
            return Top1Retrieval()
        if name == "lora":
            return Lora(self.copy(), self.steps, batch=LORA_BATCH, seed=self.run.seed)
        kind = {"gold": "gold", "distractors": "gold + distractors", "retrieved": "retrieved"}[name]
        return InContextFacts(self.language, kind, facts.all_facts, self.run.seed)

    # ---------------------------------------------------------------- rivals trained to read

    def _reader(self, name: str) -> tuple[Method, Cost]:
        if name not in self._trained:
            run, steps = self.run, self.steps
            made: Any = (
                SoftPrompt(self.language, self.encode, seed=run.seed)
                if name == "soft"
                else KeyValueMemory(self.copy(), self.encode, seed=run.seed)
            )
            path = (run.rivals or run.out / "rivals") / f"{name}.pt"
            settings = {"steps": steps, "seed": run.seed, "model": run.model, "lessons": self.lessons}
            settings["facts"] = run.most_facts
            print(f"training: {made.name}, {steps} steps", flush=True)
            cost = train(
                made.module, made.loss, lambda: self._lessons, steps, rate=READERS[name], seed=run.seed,
                report=partial(print, flush=True), keep=Checkpoint(path, settings),
            )  # fmt: skip
            self._trained[name] = made, cost
        return self._trained[name]

    @cached_property
    def _lessons(self) -> list[Lesson]:
        return training_lessons(self.lessons, self.run.seed, self.run.most_facts)

    def made_of(self, name: str) -> dict[str, Any]:
        """What a method's figures depend on beyond the run's settings: steps, and weights by their hash."""
        found: dict[str, Any] = {"steps": self.steps} if name in ("lora", *READERS) else {}
        if name not in UNREAD:
            from graphmem.retrieval.checkpoints import SHIPPED

            found["retriever"] = fingerprint(Path(SHIPPED))
        if name == "graphmem":
            from graphmem.hub import shipped_weights

            folder = self.run.weights or shipped_weights(self.run.model) or shipped_weights("smollm2-135m")
            found["fusion"] = fingerprint(Path(folder) / "fusion.safetensors") if folder else None
        return found


def fingerprint(path: Path) -> str | None:
    """Hash of a file's bytes; None where there is none."""
    return blake2b(path.read_bytes(), digest_size=8).hexdigest() if path.is_file() else None


def cost_part(name: str, method: str, cost: Cost) -> Part:
    """What training took, and its loss on the way; nothing where nothing was trained."""
    if not cost.steps:
        return Part([])
    where = f"{name}, cost"
    figures = {"training steps": cost.steps, "training tokens": cost.tokens, "training s": cost.seconds}
    rows = [Row(where, method, measure, float(value), cost.steps) for measure, value in figures.items()]
    return Part(rows, [{"dataset": where, "method": method, "loss, nats/token, by step": cost.losses}])
