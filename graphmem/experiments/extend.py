"""Context extension: bAbI stories hidden in long ordinary text, read as a stream, asked about at the end.

    graphmem experiment extend [--quick]

The text comes in windows of 2,000 tokens. graphmem's state reader reads one window after another into a memory and
forgets the window; the question is answered out of the graph. Beside it, the base model with the last window in its
prompt, and with the ten sentences that BM25 or the text encoder finds for the question.
"""

from __future__ import annotations

import math
import random
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.datasets.babi import TASKS, Story, load_tasks
from graphmem.evaluation.state_tracking import is_same_answer
from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.tasks.long_text import Filler, LongText
from graphmem.memory import GraphMemory
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.network import SHIPPED, load_states
from graphmem.state_tracking.tracker import StateTracker

LENGTHS = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000)
WINDOW, CHUNKS = 2_000, 10
METHODS = ("graphmem", "window", "BM25", "dense")
_LONGEST = 80
"""Stories of more sentences do not fit into 1,000 tokens and are left out at every length."""
_DIGITS = {"0": "none", "1": "one", "2": "two", "3": "three", "4": "four"}


class Vectors:
    """Vectors of sentences, float16 [K] each, kept: the passages' are needed for every text.

    Args:
        encoder: makes them.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float16 [n, K]."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        for start in range(0, len(new), 4096):
            part = new[start : start + 4096]
            self._known.update(zip(part, self.encoder.encode(part).astype(np.float16), strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass
class Setting:
    """What all parts share."""

    run: Run
    base: Any
    tokenizer: Any
    encoder: Any
    network: Any
    filler: Filler
    stories: list[Story]
    reader: StateChangeExtractor = field(init=False)
    vectors: Vectors = field(init=False)

    def __post_init__(self) -> None:
        self.reader = StateChangeExtractor(self.network, self.encoder, cache_size=100_000)  # shared by all texts
        self.vectors = Vectors(self.encoder)

    def texts(self, length: int, count: int) -> list[LongText]:
        """So many long texts, the tasks in turn."""
        rng = random.Random(self.run.seed * 7919 + length)
        return [self.filler.around(story, length, rng) for story in self.stories[:count]]


# ---------------------------------------------------------------- who answers


def read_and_ask(text: LongText, reader: StateChangeExtractor, encoder: Any) -> tuple[str, dict[str, float]]:
    """Read window by window into an empty memory, then answer; with what it cost."""
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        situation, begun = StateTracker(memory, reader), time.process_time()
        for window in text.windows(WINDOW):
            situation.read(window)
        read = time.process_time() - begun
        answer = situation.ask(text.question.text)
        counts = memory.stats()
        cost = {"s": read, "facts": counts["facts_recorded"], "answer": time.process_time() - begun - read}
    return answer, cost


def last_window(text: LongText) -> list[str]:
    """The last sentences that fit into the window."""
    kept: list[str] = []
    used = 0
    for line in reversed(text.lines):
        used += line.tokens
        if used > WINDOW:
            break
        kept.append(line.text)
    return kept[::-1]


def best_by_words(text: LongText) -> list[str]:
    """The sentences that BM25 (k1 = 1.5, b = 0.75) ranks first for the question, in the order of the text."""
    lines = [line.text for line in text.lines]
    words = [Counter(normalise(line).replace(".", " ").split()) for line in lines]
    mean = sum(sum(w.values()) for w in words) / len(words)
    asked = normalise(text.question.text).replace("?", " ").split()
    scores = np.zeros(len(lines))
    for term in asked:
        counts = np.array([w[term] for w in words], float)
        sizes = np.array([sum(w.values()) for w in words], float)
        seen = int((counts > 0).sum())
        idf = math.log(1 + (len(lines) - seen + 0.5) / (seen + 0.5))
        scores += idf * counts * 2.5 / (counts + 1.5 * (0.25 + 0.75 * sizes / mean))
    return [lines[i] for i in sorted(np.argsort(-scores, kind="stable")[:CHUNKS])]


def best_by_meaning(text: LongText, vectors: Vectors) -> list[str]:
    """The sentences nearest in meaning to the question, in the order of the text."""
    lines = [line.text for line in text.lines]
    cosines = vectors(lines).astype(np.float32) @ vectors([text.question.text])[0].astype(np.float32)
    return [lines[i] for i in sorted(np.argsort(-cosines, kind="stable")[:CHUNKS])]


@torch.inference_mode()
def spoken(setting: Setting, question: str, lines: Sequence[str]) -> str:
    """What the base model answers with these sentences in its prompt."""
    prompt = chat_prompt(setting.tokenizer, f"{question} Answer briefly.", " ".join(lines))
    ids = setting.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    out = setting.base.generate(**ids, do_sample=False, max_new_tokens=16, pad_token_id=0)
    return str(setting.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def holds(said: str, gold: str) -> bool:
    """Whether a spoken answer holds the right one: lenient, any order, numbers in digits too."""
    words = {_DIGITS.get(w, w) for w in normalise(said).replace(",", " ").replace(".", " ").split()}
    return all(part in words for part in gold.casefold().split(","))


# ---------------------------------------------------------------- parts


def part_of(setting: Setting, method: str, length: int, count: int) -> Part:
    """One method at one length."""
    right, details, costs = list[float](), list[dict[str, Any]](), list[dict[str, float]]()
    texts = setting.texts(length, count)
    for text in texts:
        if method == "graphmem":
            said, cost = read_and_ask(text, setting.reader, setting.encoder)
            right.append(float(is_same_answer(said, text.question.answer)))
            costs.append(cost)
        else:
            lines = {"window": last_window, "BM25": best_by_words}.get(
                method, lambda text: best_by_meaning(text, setting.vectors)
            )(text)
            said = spoken(setting, text.question.text, lines)
            right.append(float(holds(said, text.question.answer)))
        details.append({
            "tokens": text.tokens, "method": method, "task": text.story.task, "question": text.question.text,
            "answer": text.question.answer, "said": said,
        })  # fmt: skip
    name = f"{length // 1000}k tokens"
    rows = [row_of(name, method, "right", right, seed=setting.run.seed)]
    if costs:
        rows.append(row_of(name, method, "facts kept", [c["facts"] for c in costs]))
        rows.append(row_of(name, method, "s/answer", [c["answer"] for c in costs]))
        rows.append(Row(name, method, "peak memory (MB)", peak(), len(costs)))
    return Part(rows, details)


def speed(setting: Setting, length: int, count: int) -> Part:
    """Reading afresh, nothing shared: tokens a CPU second, and whether the answers are the same."""
    rows = []
    rates, same = list[float](), list[float]()
    for text in setting.texts(length, count):
        fresh = StateChangeExtractor(setting.network, setting.encoder)
        said, cost = read_and_ask(text, fresh, setting.encoder)
        rates.append(text.tokens / max(cost["s"], 1e-9))
        same.append(float(said == read_and_ask(text, setting.reader, setting.encoder)[0]))
    name = f"{length // 1000}k tokens"
    rows.append(row_of(name, "graphmem, nothing shared", "tokens/s (CPU)", rates, seed=setting.run.seed))
    rows.append(row_of(name, "graphmem, nothing shared", "same answer as shared", same, seed=setting.run.seed))
    return Part(rows)


def peak() -> float:
    """Most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---------------------------------------------------------------- the command


def in_turn(stories: Sequence[Story]) -> list[Story]:
    """Stories short enough for every length, the tasks in turn."""
    short = [s for s in stories if s.questions[-1].after <= _LONGEST]
    by_task = [[s for s in short if s.task == task] for task in TASKS]
    longest = max(map(len, by_task))
    return [stories[i] for i in range(longest) for stories in by_task if i < len(stories)]


def setting_of(run: Run, filler: int | None) -> Setting:
    """Load everything once."""
    from graphmem.hub import load_encoder, load_language_model

    base, tokenizer = load_language_model(run.model)
    encoder = load_encoder()
    network = load_states(SHIPPED, encoder.fingerprint)
    return Setting(run, base, tokenizer, encoder, network, Filler(tokenizer, filler), in_turn(load_tasks().test))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    made = parser("extend", __doc__)
    made.add_argument("--lengths", help="tokens, with commas between; all six if left out")
    made.add_argument("--filler", type=int, help="characters of different passages around the stories; all if left out")
    made.add_argument("--rivals-to", type=int, default=64_000, help="longest text, in tokens, that rivals get too")
    run, given = parse(made, "extend", arguments), made.parse_args(arguments)
    lengths = tuple(map(int, given.lengths.split(","))) if given.lengths else LENGTHS[:3] if run.quick else LENGTHS
    count = run.n or (9 if run.quick else 45)
    filler = given.filler or (100_000 if run.quick else None)
    own = {"--lengths": ",".join(map(str, lengths)), "--filler": filler, "--rivals-to": given.rivals_to}
    run = replace(run, options=tuple(str(word) for pair in own.items() if pair[1] for word in pair))
    setting, parts = setting_of(run, filler), Parts(run)
    for length in lengths:
        for method in run.methods or METHODS:
            if method == "graphmem" or length <= given.rivals_to:
                make = partial(part_of, setting, method, length, count)
                parts.do(f"{method} {length}", make, count=count, filler=filler)
        if length <= 16_000:
            parts.do(f"speed {length}", partial(speed, setting, length, 1), speed=1, filler=filler)
    notes = (
        "Stories of bAbI's tasks 1, 2, 3, 6, 7, 8, 11, 12 and 13 that no training saw (the last 40 of each file), "
        f"those of at most {_LONGEST} sentences; each up to its last question.",
        "graphmem's answers must be exact; of the others it is enough that the answer holds the right words.",
        f"The passages ({setting.filler.tokens:,} tokens) are read once and shared by all texts; in a longer text they "
        "come again and again. 'nothing shared' is the speed of reading afresh.",
    )
    result = parts.result(notes, lengths=list(lengths), filler=filler)
    result.print()
    for path in result.save(run.out, plots={"": ["right"]}):
        print(path)


if __name__ == "__main__":
    main()
