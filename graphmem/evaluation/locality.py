"""Locality: how far a memory changes texts and answers that it should leave unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.datasets.plain_text import passage_texts, passages
from graphmem.datasets.wikimovies import load_facts, load_questions
from graphmem.evaluation.report import Report
from graphmem.generation.batching import generate_texts
from graphmem.text.lexicon import split_relations


@dataclass(frozen=True, slots=True)
class Locality:
    """Difference between the base and the attached model on texts.

    Attributes:
        kl, max_kl: mean KL(base || attached) over all tokens, nats per token, and the largest mean of one text.
        same_token: share of positions with the same most likely next token.
        tokens: positions compared.
        base_loss, attached_loss: nats per token. A memory lowers the loss of texts that state its facts.
    """

    kl: float
    max_kl: float
    same_token: float
    tokens: int
    base_loss: float = 0.0
    attached_loss: float = 0.0


@torch.inference_mode()
def text_kl(model: Any, texts: Sequence[str], retrievals: Sequence[Any], max_tokens: int = 128) -> Locality:
    """Compare base and attached model on texts, each with a retrieval, up to ``max_tokens`` of each text."""
    kl: list[Tensor] = []
    same, losses = 0, [0.0, 0.0]
    for text, retrieval in zip(texts, retrievals, strict=True):
        ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][:, :max_tokens]
        ids = ids.to(model.base.device)
        with model.memory_disabled():
            base = model(ids).logits.float().log_softmax(-1)
        now = model(ids, retrieval=retrieval).logits.float().log_softmax(-1)
        kl.append((base.exp() * (base - now)).sum(-1)[0])  # T
        for i, scores in enumerate((base, now)):
            losses[i] -= float(scores[0, :-1].gather(-1, ids[0, 1:, None]).sum())
        same += int((base.argmax(-1) == now.argmax(-1)).sum())
    tokens = sum(len(text) for text in kl)
    scored, n = max(1, tokens - len(kl)), max(1, tokens)
    mean, largest = sum(float(text.sum()) for text in kl) / n, max((float(text.mean()) for text in kl), default=0.0)
    return Locality(mean, largest, same / n, tokens, losses[0] / scored, losses[1] / scored)


@dataclass(frozen=True, slots=True)
class ChangedAnswers:
    """Shares of answers in which base and attached model differ, in any token and in the first word, of n questions.

    ``examples`` holds (question, the base's answer, the attached model's answer) where they differ.
    """

    changed: float
    changed_first_word: float
    n: int
    examples: tuple[tuple[str, str, str], ...]


def changed_answers(model: Any, questions: Sequence[str], max_new_tokens: int = 24) -> ChangedAnswers:
    """Answer questions that the memory does not cover, greedily, without it and with whatever it retrieves."""
    prompts = [chat_prompt(model.tokenizer, question) for question in questions]
    found = [model.contexts.retrieve(question) for question in questions]
    answers = lambda given: [one[0] for one in generate_texts(model, prompts, given, max_new_tokens=max_new_tokens)]
    base, attached = answers(None), answers(found)
    rows = [row for row in zip(questions, base, attached, strict=True) if row[1] != row[2]]
    first_word = sum(a.split()[:1] != b.split()[:1] for _, a, b in rows)
    n = max(1, len(questions))
    return ChangedAnswers(len(rows) / n, first_word / n, len(questions), tuple(rows))


def unrelated_questions(split: Split, n: int, seed: int = 0) -> list[str]:
    """Questions about titles of the shipped corpus that WikiMovies does not hold, in the lexicon's test relations."""
    held = {normalise(name) for s, _, o in load_facts() for name in (s, o)}
    titles = sorted({title.split(" (")[0] for title, _ in passages(split)})
    titles = [title for title in titles if not _names(title) & held]
    forms = [q for relation in split_relations("test") for q in relation.questions if "{s}" in q]
    rng = Random(seed)
    return [rng.choice(forms).format(s=rng.choice(titles)) for _ in range(n)]


def _names(title: str) -> set[str]:
    """The normalised title, and every run of two words or more in it."""
    words = normalise(title).split()
    runs = (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 2, len(words) + 1))
    return {normalise(title), *runs}


@dataclass(frozen=True)
class LocalityReport(Report):
    """Locality on texts, by retrieval, and the share of answers to unrelated questions that change."""

    n_questions: int = 0
    changed: float = 0.0
    changed_first_word: float = 0.0

    def table(self) -> str:
        """The rows, and a line about the unrelated questions."""
        changed = f"{self.changed:.3f} of the answers changed, {self.changed_first_word:.3f} in their first word"
        return f"{super().table()}\n\nunrelated questions, n = {self.n_questions}: {changed}"


def evaluate_locality(model: Any, split: Split, n: int = 60, questions: int = 200, seed: int = 0) -> LocalityReport:
    """Locality of a memory of WikiMovies on held-out plain text, and on unrelated questions.

    Each of n passages is predicted with its own retrieval, and with that of a film question. The unrelated questions
    are about titles of the same corpus that the memory does not hold.
    """
    draw, rows = Random(seed), []
    texts = draw.sample(passage_texts(split), n)
    films = draw.sample(list(load_questions(split)), n)
    for name, queries in (("own", [text[:500] for text in texts]), ("other", [q.question for q in films])):
        found = [model.contexts.retrieve(query) for query in queries]
        rows.append({"retrieval": name, "n": n, **asdict(text_kl(model, texts, found))})
    changed = changed_answers(model, unrelated_questions(split, questions, seed))
    examples = [dict(zip(("question", "base", "memory"), example, strict=True)) for example in changed.examples]
    return LocalityReport(rows, seed, examples, changed.n, changed.changed, changed.changed_first_word)
