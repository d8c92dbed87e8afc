"""What a memory must leave alone: texts that do not concern it, and questions that it cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.evaluation.report import Report
from graphmem.generation.batching import generate_texts


@dataclass(frozen=True, slots=True)
class Locality:
    """How far the memory moves the base on texts.

    Attributes:
        kl: mean KL(base || attached), nats per token.
        worst: largest mean of one text.
        same_token: share of positions where both would say the same next.
        tokens: positions compared.
        alone, beside: how surprised the base is by the texts, and how surprised with the memory, nats per token. Where
            a text speaks of what the memory holds, it is moved for the better.
    """

    kl: float
    worst: float
    same_token: float
    tokens: int
    alone: float = 0.0
    beside: float = 0.0


@torch.inference_mode()
def text_kl(model: Any, texts: Sequence[str], retrievals: Sequence[Any], max_tokens: int = 128) -> Locality:
    """Compare base and attached model on texts, each read beside a retrieval.

    Args:
        model: a ``GraphMemoryModel``.
        texts: plain texts.
        retrievals: one for each.
        max_tokens: of each text.
    """
    means, same, tokens, nats = [], 0, 0, [0.0, 0.0]
    for text, retrieval in zip(texts, retrievals, strict=True):
        ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][:, :max_tokens]
        ids = ids.to(model.base.device)
        with model.memory_disabled():
            base = model(ids).logits.float().log_softmax(-1)
        now = model(ids, retrieval=retrieval).logits.float().log_softmax(-1)
        each = (base.exp() * (base - now)).sum(-1)[0]
        for way, scores in enumerate((base, now)):
            nats[way] -= float(scores[0, :-1].gather(-1, ids[0, 1:, None]).sum())
        means.append(float(each.sum()))
        same += int((base.argmax(-1) == now.argmax(-1)).sum())
        tokens += ids.shape[1]
        means[-1] /= ids.shape[1]
    lengths = [min(max_tokens, len(model.tokenizer(t, add_special_tokens=False)["input_ids"])) for t in texts]
    total = sum(mean * length for mean, length in zip(means, lengths, strict=True))
    said = max(1, tokens - len(means))
    return Locality(
        total / max(1, tokens), max(means, default=0.0), same / max(1, tokens), tokens, nats[0] / said, nats[1] / said
    )


@dataclass(frozen=True, slots=True)
class Refusals:
    """How well the model says that it does not know: precision, recall and F1 of refusing, over n questions."""

    precision: float
    recall: float
    f1: float
    n: int


def refusals(
    model: Any, answerable: Sequence[tuple[str, Any]], unanswerable: Sequence[tuple[str, Any]], refusal: str
) -> Refusals:
    """Ask (prompt, retrieval) pairs of both sorts with the refusal among the model's choices (its config names it)."""
    said = [
        [normalise(refusal) in normalise(text) for text, _, _ in generate_texts(model, *zip(*pairs, strict=True))]
        for pairs in (unanswerable, answerable)
    ]
    hits, wrong = sum(said[0]), sum(said[1])
    precision = hits / max(1, hits + wrong)
    recall = hits / max(1, len(said[0]))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return Refusals(precision, recall, f1, len(said[0]) + len(said[1]))


@dataclass(frozen=True, slots=True)
class Changed:
    """How a memory that holds nothing about them changes the base's answers to questions.

    Attributes:
        changed: share of answers that are not, token for token, what the base says by itself.
        begun: share of answers whose first word is another.
        n: questions.
        examples: (question, the base's answer, the answer beside the memory) of those changed.
    """

    changed: float
    begun: float
    n: int
    examples: tuple[tuple[str, str, str], ...]


def changed_answers(model: Any, questions: Sequence[str], max_new_tokens: int = 24) -> Changed:
    """Ask the base alone, and beside whatever the memory finds, greedily.

    Args:
        model: a ``GraphMemoryModel``, with a memory that holds nothing about the questions.
        questions: plain texts.
        max_new_tokens: of each answer.
    """
    prompts = [chat_prompt(model.tokenizer, question) for question in questions]
    found = [model.memory.retrieve(question, top_k=model.config.nodes) for question in questions]
    alone, beside = (
        [text for text, _, _ in generate_texts(model, prompts, given, max_new_tokens=max_new_tokens)]
        for given in (None, found)
    )
    rows = [row for row in zip(questions, alone, beside, strict=True) if row[1] != row[2]]
    begun = sum(a.split()[:1] != b.split()[:1] for _, a, b in rows)
    n = max(1, len(questions))
    return Changed(len(rows) / n, begun / n, len(questions), tuple(rows))


def unrelated_questions(split: Split, n: int, seed: int = 0) -> list[str]:
    """Questions about titles of the shipped corpus that WikiMovies does not hold, in the lexicon's test relations."""
    from random import Random

    from graphmem.datasets.plain_text import passages
    from graphmem.datasets.wikimovies import load_facts
    from graphmem.text.lexicon import split_relations

    held = {normalise(name) for s, _, o in load_facts() for name in (s, o)}
    titles = sorted({title.split(" (")[0] for title, _ in passages(split)})
    titles = [title for title in titles if not _names(title) & held]
    forms = [q for relation in split_relations("test") for q in relation.questions if "{s}" in q]
    rng = Random(seed)
    return [rng.choice(forms).format(s=rng.choice(titles)) for _ in range(n)]


def _names(title: str) -> set[str]:
    """The title, and every run of two words or more in it, as names are compared."""
    words = normalise(title).split()
    runs = (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 2, len(words) + 1))
    return {normalise(title), *runs}


@dataclass(frozen=True)
class LocalityReport(Report):
    """How far texts move, by retrieval, and how many answers to unrelated questions change."""

    n_questions: int = 0
    changed: float = 0.0
    changed_first_word: float = 0.0

    def table(self) -> str:
        """The rows, and a line about the unrelated questions."""
        changed = f"{self.changed:.3f} of the answers changed, {self.changed_first_word:.3f} in their first word"
        return f"{super().table()}\n\nunrelated questions, n = {self.n_questions}: {changed}"


def evaluate_locality(model: Any, split: Split, n: int = 60, questions: int = 200, seed: int = 0) -> LocalityReport:
    """How far a memory of WikiMovies moves the base on plain text held out of training, and on unrelated questions.

    Each passage is read with its own retrieval, and with that of a film question. The unrelated questions are about
    titles of the same corpus that the memory does not hold.

    Args:
        model: a ``GraphMemoryModel``.
        split: of the passages and questions.
        n: passages.
        questions: unrelated questions.
        seed: of the draw.
    """
    from random import Random

    from graphmem.datasets.plain_text import passage_texts
    from graphmem.datasets.wikimovies import load_questions

    draw, rows = Random(seed), []
    texts = draw.sample(passage_texts(split), n)
    films = draw.sample(list(load_questions(split)), n)
    for name, queries in (("own", [text[:500] for text in texts]), ("other", [q.question for q in films])):
        found = [model.memory.retrieve(query, top_k=model.config.nodes) for query in queries]
        rows.append({"retrieval": name, "n": n, **asdict(text_kl(model, texts, found))})
    changed = changed_answers(model, unrelated_questions(split, questions, seed))
    examples = [dict(zip(("question", "base", "memory"), example, strict=True)) for example in changed.examples]
    return LocalityReport(rows, seed, examples, changed.n, changed.changed, changed.begun)
