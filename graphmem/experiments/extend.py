"""Context extension: bAbI stories hidden in long ordinary text, read as a stream, with a question at the end.

The text comes in windows of 2,000 tokens. The state extractor reads each window into a memory and discards it; the
question is answered from the graph. Baselines: the base model with the last window in its prompt, and with the ten
sentences that BM25 or the text encoder finds for the question.
"""

from __future__ import annotations

import math
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, takewhile, zip_longest
from typing import Any

import numpy as np

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.datasets.babi import TASKS, Story, load_tasks
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.evaluation.state_tracking import is_same_answer
from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Part, Parts, Run, parse
from graphmem.experiments.methods.base import Language
from graphmem.experiments.tasks.long_text import Filler, LongText
from graphmem.hub import load_encoder, load_language_model
from graphmem.memory import GraphMemory
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.network import SHIPPED, load_states
from graphmem.state_tracking.tracker import StateTracker

LENGTHS = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000)
WINDOW, CHUNKS = 2_000, 10
METHODS = ("graphmem", "window", "bm25", "dense")
_LONGEST = 80
"""Maximum sentences of a story: longer ones do not fit into 1,000 tokens."""
_DIGITS = {"0": "none", "1": "one", "2": "two", "3": "three", "4": "four"}


class Setting:
    """The models and stories that all parts share."""

    def __init__(self, run: Run, filler: int | None) -> None:
        base, tokenizer = load_language_model(run.model)
        self.run, self.language, self.encoder = run, Language(base, tokenizer), load_encoder()
        self.network = load_states(SHIPPED, self.encoder.fingerprint)
        self.filler, self.stories = Filler(tokenizer, filler), alternate(load_tasks().test)
        self.extractor = StateChangeExtractor(self.network, self.encoder, cache_size=100_000)
        self.vectors = EmbeddingCache(self.encoder)

    def texts(self, length: int, count: int) -> list[LongText]:
        """``count`` long texts, alternating between the tasks."""
        rng = random.Random(self.run.seed * 7919 + length)
        return [self.filler.around(story, length, rng) for story in self.stories[:count]]


def read_and_ask(text: LongText, extractor: StateChangeExtractor, encoder: Any) -> tuple[str, dict[str, float]]:
    """Read window by window into an empty memory, then answer; with seconds and counts."""
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        tracker, started = StateTracker(memory, extractor), time.process_time()
        for window in text.windows(WINDOW):
            tracker.read(window)
        read = time.process_time() - started
        answer = tracker.ask(text.question.text)
        counts = memory.stats()
        cost = {"s": read, "facts": counts["facts_recorded"], "answer": time.process_time() - started - read}
    return answer, cost


def last_window(text: LongText) -> list[str]:
    """The last sentences that fit into the window."""
    used = accumulate(line.tokens for line in reversed(text.lines))
    count = sum(1 for _ in takewhile(lambda tokens: tokens <= WINDOW, used))
    return [line.text for line in text.lines[len(text.lines) - count :]]


def bm25_sentences(text: LongText) -> list[str]:
    """The sentences that BM25 (k1 = 1.5, b = 0.75) ranks first for the question, in the order of the text."""
    lines = [line.text for line in text.lines]
    words = [Counter(normalise(line).replace(".", " ").split()) for line in lines]
    sizes, scores = np.array([w.total() for w in words], float), np.zeros(len(lines))
    for term in normalise(text.question.text).replace("?", " ").split():
        counts = np.array([w[term] for w in words], float)
        seen = int((counts > 0).sum())
        idf = math.log(1 + (len(lines) - seen + 0.5) / (seen + 0.5))
        scores += idf * counts * 2.5 / (counts + 1.5 * (0.25 + 0.75 * sizes / sizes.mean()))
    return [lines[i] for i in sorted(np.argsort(-scores, kind="stable")[:CHUNKS])]


def dense_sentences(text: LongText, vectors: EmbeddingCache) -> list[str]:
    """The sentences with the highest cosine to the question, in the order of the text."""
    lines = [line.text for line in text.lines]
    cosines = vectors(lines) @ vectors([text.question.text])[0]
    return [lines[i] for i in sorted(np.argsort(-cosines, kind="stable")[:CHUNKS])]


def contains_answer(text: str, gold: str) -> bool:
    """Whether a generated answer holds the words of the right one, in any order, numbers as words or digits."""
    words = {_DIGITS.get(w, w) for w in normalise(text).replace(",", " ").replace(".", " ").split()}
    return all(part in words for part in gold.casefold().split(","))


def answer(setting: Setting, method: str, text: LongText) -> tuple[str, bool, dict[str, float]]:
    """The answer of one method, whether it is right, and seconds and counts of reading."""
    question = text.question
    if method == "graphmem":
        answered, cost = read_and_ask(text, setting.extractor, setting.encoder)
        return answered, is_same_answer(answered, question.answer), cost
    select: dict[str, Callable[[LongText], list[str]]]
    select = {"window": last_window, "bm25": bm25_sentences, "dense": partial(dense_sentences, vectors=setting.vectors)}
    prompt = chat_prompt(setting.language.tokenizer, f"{question.text} Answer briefly.", " ".join(select[method](text)))
    answered = setting.language.decode([prompt], max_new_tokens=16)[0].text
    return answered, contains_answer(answered, question.answer), {}


def part_of(setting: Setting, method: str, length: int, count: int) -> Part:
    """One method at one length."""
    right, details, costs = list[float](), list[dict[str, Any]](), list[dict[str, float]]()
    for text in setting.texts(length, count):
        answered, is_right, cost = answer(setting, method, text)
        right.append(float(is_right))
        costs += [cost] if cost else []
        details.append({
            "tokens": text.tokens, "method": method, "task": text.story.task, "question": text.question.text,
            "answer": text.question.answer, "text": answered,
        })  # fmt: skip
    name = f"{length // 1000}k tokens"
    rows = [row_of(name, method, "right", right, seed=setting.run.seed)]
    if costs:
        rows.append(row_of(name, method, "facts kept", [c["facts"] for c in costs]))
        rows.append(row_of(name, method, "s/answer", [c["answer"] for c in costs]))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(Row(name, method, "peak memory (MB)", megabytes, len(costs)))
    return Part(rows, details)


def speed(setting: Setting, length: int, count: int) -> Part:
    """Reading without a shared cache: tokens a CPU second, and whether the answers are equal."""
    rates, same = list[float](), list[float]()
    for text in setting.texts(length, count):
        fresh = StateChangeExtractor(setting.network, setting.encoder)
        answered, cost = read_and_ask(text, fresh, setting.encoder)
        rates.append(text.tokens / max(cost["s"], 1e-9))
        same.append(float(answered == read_and_ask(text, setting.extractor, setting.encoder)[0]))
    figures = {"tokens/s (CPU)": rates, "same answer as with cache": same}
    name, method, seed = f"{length // 1000}k tokens", "graphmem, no cache", setting.run.seed
    return Part([row_of(name, method, measure, values, seed=seed) for measure, values in figures.items()])


def alternate(stories: Sequence[Story]) -> list[Story]:
    """Stories short enough for every length, alternating between the tasks."""
    short = [s for s in stories if s.questions[-1].after <= _LONGEST]
    by_task = [[s for s in short if s.task == task] for task in TASKS]
    return [story for row in zip_longest(*by_task) for story in row if story]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    run = parse(
        "extend", __doc__, arguments,
        lengths={"help": "tokens, with commas between; all six if left out"},
        filler={"type": int, "help": "characters of passages around the stories; all if left out"},
        baselines_to={"type": int, "default": 64_000, "help": "longest text, in tokens, for the baselines"},
    )  # fmt: skip
    if unknown := [name for name in run.methods if name not in METHODS]:
        raise InvalidValue(f"no method {unknown[0]!r}; choose of {', '.join(METHODS)}")
    given, count = run.options, run.n or (9 if run.quick else 45)
    lengths = tuple(map(int, given["lengths"].split(","))) if given["lengths"] else LENGTHS[: 3 if run.quick else 6]
    filler = given["filler"] or (100_000 if run.quick else None)
    setting, parts = Setting(run, filler), Parts(run)
    for length in lengths:
        for method in run.methods or METHODS:
            if method == "graphmem" or length <= given["baselines_to"]:
                make = partial(part_of, setting, method, length, count)
                parts.do(f"{method} {length}", make, count=count, filler=filler)
        if length <= 16_000:
            parts.do(f"speed {length}", partial(speed, setting, length, 1), speed=1, filler=filler)
    notes = (
        "Stories of bAbI's tasks 1, 2, 3, 6, 7, 8, 11, 12 and 13 held out of training (the last 40 of each file), "
        f"of at most {_LONGEST} sentences; each up to its last question.",
        "graphmem's answers must be exact; a baseline's answer must hold the right words.",
        f"The passages ({setting.filler.tokens:,} tokens) are encoded once for all texts; longer texts repeat them. "
        "'no cache' is the speed without that.",
    )
    parts.finish(notes, {"": ["right"]}, lengths=list(lengths), filler=filler)
