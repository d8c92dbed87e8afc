"""Who takes part: every method by its short name, made on one base, trained under one budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from graphmem.errors import InvalidValue
from graphmem.experiments.decoding import Cost, Language, Method
from graphmem.experiments.items import FactSet
from graphmem.experiments.key_values import KeyValues
from graphmem.experiments.lora import Lora
from graphmem.experiments.prompting import ClosedBook, InPrompt
from graphmem.experiments.reading import Reading
from graphmem.experiments.result import Row
from graphmem.experiments.runs import Run
from graphmem.experiments.soft_prompt import SoftPrompt
from graphmem.experiments.top_node import TopNode
from graphmem.experiments.training import Lesson, load_or_train, train, training_lessons

METHODS = ("closed", "gold", "distractors", "retrieved", "lora", "soft", "keyvalue", "top", "graphmem")
UNREAD = frozenset({"closed", "gold", "distractors", "lora"})
"""Those that do not look at what was retrieved."""
QUICK_STEPS, STEPS = 60, 400
LESSONS = 600
READERS = {"soft": 1e-3, "keyvalue": 1e-3}
"""Rivals trained on the training split, with the top of their learning rate's cycle."""


class Panel:
    """Makes methods for a run.

    Args:
        run: what is run.

    Raises:
        InvalidValue: the run names a method that there is not.
    """

    def __init__(self, run: Run) -> None:
        unknown = [name for name in run.methods if name not in METHODS]
        if unknown:
            raise InvalidValue(f"no method {unknown[0]!r}; choose of {', '.join(METHODS)}")
        self.run = run
        self.names = tuple(name for name in METHODS if not run.methods or name in run.methods)
        self.steps = run.steps or (QUICK_STEPS if run.quick else STEPS)
        self._trained: dict[str, tuple[Any, Cost]] = {}

    @cached_property
    def language(self) -> Language:
        """The frozen base that all share."""
        return self.copy()

    def copy(self) -> Language:
        """Another copy of the base, for rivals that change it."""
        from graphmem.resolver import find_language_model

        base, tokenizer = find_language_model(self.run.model)
        base.requires_grad_(False)
        return Language(base, tokenizer)

    @cached_property
    def encode(self) -> Any:
        """Text to unit vectors, remembered."""
        from graphmem.encoder import TextCache
        from graphmem.resolver import find_encoder

        return TextCache(find_encoder())

    @cached_property
    def base(self) -> ClosedBook:
        """The base as it is: what locality is measured against."""
        return ClosedBook(self.language)

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
                yield Reading(model), Cost()
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
            return TopNode()
        if name == "lora":
            return Lora(self.copy(), self.steps, seed=self.run.seed)
        kind = {"gold": "gold", "distractors": "gold + distractors", "retrieved": "retrieved"}[name]
        return InPrompt(self.language, kind, facts.all_facts, self.run.seed)

    # ---------------------------------------------------------------- rivals trained to read

    def _reader(self, name: str) -> tuple[Method, Cost]:
        if name not in self._trained:
            run, steps = self.run, self.steps
            made: Any = (
                SoftPrompt(self.language, self.encode, seed=run.seed)
                if name == "soft"
                else KeyValues(self.copy(), self.encode, seed=run.seed)
            )
            path = (run.rivals or run.out / "rivals") / f"{name}.pt"
            settings = {"steps": steps, "seed": run.seed, "model": run.model, "lessons": LESSONS}
            report = lambda line: print(line, flush=True)

            def train_it() -> Cost:
                print(f"training: {made.name}, {steps} steps", flush=True)
                return train(
                    made.module, made.loss, self._lessons, steps, rate=READERS[name], seed=run.seed, report=report
                )

            self._trained[name] = made, load_or_train(path, made.module, settings, train_it)
        return self._trained[name]

    @cached_property
    def _lessons(self) -> list[Lesson]:
        return training_lessons(LESSONS, self.run.seed)

    def made_of(self, name: str) -> dict[str, Any]:
        """What a method's figures depend on beyond the run's settings: steps, and weights by their hash."""
        found: dict[str, Any] = {"steps": self.steps} if name in ("lora", *READERS) else {}
        if name not in UNREAD:
            from graphmem.retrieval import SHIPPED

            found["retriever"] = fingerprint(Path(SHIPPED))
        if name == "graphmem":
            from graphmem.resolver import weights_for

            folder = self.run.weights or weights_for(self.run.model) or weights_for("smollm2-135m")
            found["fusion"] = fingerprint(Path(folder) / "fusion.safetensors") if folder else None
        return found


def fingerprint(path: Path) -> str | None:
    """Hash of a file's bytes; None where there is none."""
    return blake2b(path.read_bytes(), digest_size=8).hexdigest() if path.is_file() else None


def cost_rows(where: str, method: str, cost: Cost) -> list[Row]:
    """What training took."""
    names = {"steps": "training steps", "tokens": "training tokens", "seconds": "training s"}
    return [Row(where, method, names[k], float(v), int(cost.steps)) for k, v in asdict(cost).items() if cost.steps]
