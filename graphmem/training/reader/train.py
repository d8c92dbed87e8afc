"""Trains the reader on texts whose facts are known, from a frozen model's hidden states kept on disk.

python -m graphmem.training.reader.train --out reader.safetensors --kgc DATA/kgc
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graphmem.core.protocols import TextEncoder
from graphmem.reading.config import ExtractorConfig
from graphmem.reading.network import ExtractionNetwork, PairIndex, load_extractor, save_extractor
from graphmem.text.lexicon import Relation, load_lexicon
from graphmem.text.relation_synonyms import other_schema_names, synonym_groups
from graphmem.training.loop import LoopConfig, run
from graphmem.training.reader.corpus import Corpus, Item, build_corpus


@dataclass(frozen=True, slots=True)
class ReaderTraining:
    """How a reader is trained.

    Attributes:
        steps, batch: optimizer steps, and texts in each.
        rate: peak learning rate.
        negatives: relations to choose among, beside the right ones.
        seed: of all that is drawn.
        forget: how often a pair's hidden states, and how often the words around it, are kept from it: each must do
            alone. Helps on relations that are new; a cost on those that are not.
        inverse: how often a relation is named from its other end.
        relation_weight: of the loss of relations; those of tags and moods have 1.
    """

    steps: int = 3_000
    batch: int = 32
    rate: float = 1e-3
    negatives: int = 96
    seed: int = 0
    forget: float = 0.12
    inverse: float = 0.12
    relation_weight: float = 0.5


class RelationTexts:
    """Vectors of every way to name each relation, forwards and backwards; draws one at random."""

    def __init__(self, relations: Sequence[Relation], encoder: TextEncoder) -> None:
        ways = [_ways(relation) for relation in relations]
        flat = [text for both in ways for texts in both for text in texts]
        vectors = torch.from_numpy(encoder.encode(flat))
        place = iter(range(len(flat)))
        self.ahead, self.back = [], []
        for ahead, back in ways:
            self.ahead.append(vectors[[next(place) for _ in ahead]])
            self.back.append(vectors[[next(place) for _ in back]])
        self.symmetric = [relation.symmetric for relation in relations]
        self.group = synonym_groups(relations)

    def draw(self, relation: int, rng: Random, share: float = 0.12) -> tuple[Tensor, bool]:
        """One vector [K] for the relation, and whether it names the inverse, which a ``share`` of the draws do."""
        inverse = rng.random() < share and not self.symmetric[relation]
        ways = (self.back if inverse else self.ahead)[relation]
        return ways[0 if rng.random() < 0.5 else rng.randrange(len(ways))], inverse


def _ways(relation: Relation) -> tuple[list[str], list[str]]:
    nouns = [relation.noun] if len(relation.noun.split()) <= 4 else []
    elsewhere = other_schema_names().get(relation.relation, ())
    return [relation.relation, *nouns, *relation.paraphrases, *elsewhere], [relation.inverse]


def train(
    corpus: Corpus,
    encoder: TextEncoder,
    plan: ReaderTraining,
    reader: ExtractionNetwork,
    *,
    folder: Path,
    log: Any = print,
) -> ExtractionNetwork:
    """Fit a reader, in place; it is returned in evaluation mode.

    Args:
        corpus: what to learn from.
        encoder: of relation names.
        plan: how long and how fast.
        reader: what is fitted.
        folder: of the run: its log, and a checkpoint from which a run that was stopped goes on as if it had not been.
        log: prints.
    """
    texts = RelationTexts(corpus.relations, encoder)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=plan.rate, weight_decay=0.01, betas=(0.9, 0.98))
    batches = _Batches(corpus.items, plan)

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        torch.manual_seed(plan.seed * 1_000_003 + step)
        rng = Random(f"{plan.seed} {step}")
        with torch.autocast("cpu", dtype=torch.bfloat16):  # three times as fast where the processor has it
            parts = batch_losses(reader, corpus, batches[step], texts, rng, plan)
        return dict(zip(_PARTS, parts, strict=True)), {}

    log(f"log in {folder / 'log.jsonl'}", flush=True)
    run(reader.train(), optimiser, losses, LoopConfig(plan.steps, 0.08, plan.seed, 100, 500), folder)
    return reader.eval()


_PARTS = ("tags", "mood", "same", "relation")


class _Batches:
    """The batch of every step: each epoch in another order, texts of like length together."""

    def __init__(self, items: Sequence[Item], plan: ReaderTraining) -> None:
        self._items, self._plan, self._epoch = items, plan, -1
        self._made: list[Sequence[Item]] = []

    def __getitem__(self, step: int) -> Sequence[Item]:
        size = self._plan.batch
        epoch, place = divmod(step, -(-len(self._items) // size))
        if epoch != self._epoch:
            rng = Random(f"{self._plan.seed} epoch {epoch}")
            pool = sorted(self._items, key=lambda item: item.length + rng.random() * 8)
            self._made = [pool[i : i + size] for i in range(0, len(pool), size)]
            rng.shuffle(self._made)
            self._epoch = epoch
        return self._made[place]


def batch_losses(
    reader: ExtractionNetwork,
    corpus: Corpus,
    batch: Sequence[Item],
    texts: RelationTexts,
    rng: Random,
    plan: ReaderTraining,
) -> list[Tensor]:
    """Losses of tags, moods, coreference and relations, each a scalar."""
    states, tags, mask = _stack(reader, batch)
    tag_loss = F.cross_entropy(reader.tags(states)[mask].float(), tags[mask])
    rows = [torch.full((len(item.pairs),), row) for row, item in enumerate(batch) if item.paired]
    paired = [item for item in batch if item.paired and len(item.pairs)]
    if not paired:
        return [tag_loss, *(tag_loss.new_zeros(()) for _ in range(3))]
    index = PairIndex(torch.cat(rows), *torch.cat([item.pairs for item in paired]).unbind(1))
    mood, same, number = torch.cat([item.labels for item in paired]).unbind(1)
    scores = reader.pairs(states, index)
    mood_loss = F.cross_entropy(scores.mood.float(), mood, ignore_index=-1)
    judged = same >= 0
    same_loss = (
        F.binary_cross_entropy_with_logits(scores.same[judged].float(), same[judged].float())
        if judged.any()
        else tag_loss.new_zeros(())
    )
    said = [fact for item in paired for fact in item.said]
    relation_loss = _relation_loss(reader, scores.features[number >= 0], said, corpus, texts, rng, plan)
    return [tag_loss, mood_loss, 0.5 * same_loss, plan.relation_weight * relation_loss]


def _stack(reader: ExtractionNetwork, batch: Sequence[Item]) -> tuple[Tensor, Tensor, Tensor]:
    longest = max(item.length for item in batch)
    hidden = torch.zeros(len(batch), longest, batch[0].hidden.shape[1])
    tags = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.bool)
    for row, item in enumerate(batch):
        hidden[row, : item.length] = torch.from_numpy(np.asarray(item.hidden, np.float32))
        tags[row, : item.length] = item.tags
        mask[row, : item.length] = True
    return reader.encode(hidden, mask), tags, mask


def _relation_loss(
    reader: ExtractionNetwork, features: Tensor, said: Sequence[tuple[int, bool, int]], corpus: Corpus, texts: RelationTexts,
    rng: Random, plan: ReaderTraining,
) -> Tensor:  # fmt: skip
    if not said:
        return features.new_zeros(())
    gold = sorted({relation for relation, _, _ in said})
    families = {corpus.family[relation] for relation in gold}
    pool = [number for number, family in enumerate(corpus.family) if family in families]
    others = rng.sample(pool, min(plan.negatives, len(pool)))
    chosen = gold + [relation for relation in others if relation not in set(gold)]
    drawn = [texts.draw(relation, rng, plan.inverse) for relation in chosen]
    phrases = torch.from_numpy(corpus.phrases[[phrase for _, _, phrase in said]])
    features = features * (torch.rand(len(features), 1) > plan.forget)
    phrases = phrases * (torch.rand(len(phrases), 1) > plan.forget)
    logits = reader.relations(features, phrases, torch.stack([vector for vector, _ in drawn])).float()  # [P, 2R]
    own = torch.tensor([corpus.family[relation] for relation in chosen]).repeat(2)  # [2R]
    foreign = own[None] != torch.tensor([corpus.family[relation] for relation, _, _ in said])[:, None]
    logits = logits.masked_fill(foreign, -50.0)
    alike: dict[int, list[int]] = {}
    for place, relation in enumerate(chosen):
        alike.setdefault(texts.group[relation], []).append(place)
    right = torch.zeros_like(logits, dtype=torch.bool)
    for row, (relation, backwards, _) in enumerate(said):
        for place in alike[texts.group[relation]]:
            turned = backwards != drawn[place][1]
            right[row, place + (len(chosen) if turned else 0)] = True
            if texts.symmetric[relation]:
                right[row, place + (0 if turned else len(chosen))] = True
    best = torch.logsumexp(logits.masked_fill(~right, -torch.inf), dim=-1)
    return (torch.logsumexp(logits, dim=-1) - best).mean()


def run_folder(given: argparse.Namespace) -> Path:
    """Beside the weights, one folder for each set of options, so that only the same run is gone on with."""
    options = json.dumps(vars(given), sort_keys=True, default=str)
    return Path(f"{given.out}.run") / hashlib.blake2b(options.encode(), digest_size=6).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kgc", type=Path)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--natural", type=int, default=2_500)
    parser.add_argument("--steps", type=int, default=ReaderTraining().steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--articles", type=int, default=0, help="longer texts, see graphmem.synthetic.articles")
    parser.add_argument("--evidence", type=Path, help="2Wiki file whose evidence triples mark real sentences")
    parser.add_argument("--distant", type=int, default=0, help="most real sentences marked by known facts")
    parser.add_argument("--chatter", type=int, default=0, help="texts that mostly state nothing")
    parser.add_argument("--portraits", type=int, default=0, help="passages about one thing, common nouns as objects")
    parser.add_argument("--cache", type=Path, help="folder that keeps hidden states between runs")
    parser.add_argument("--start", type=Path, help="go on from this reader instead of an untrained one")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    plan = ReaderTraining(steps=given.steps, seed=given.seed)
    from graphmem.hub import load_encoder, load_language_model
    from graphmem.training.reader.curriculum import Curriculum, curriculum

    model, tokenizer = load_language_model()
    encoder, config = load_encoder(), ExtractorConfig()
    model.base_model.layers = model.base_model.layers[: config.layers[1] + 1]  # nothing above is read
    counts = Curriculum(
        given.texts, given.natural, given.articles, given.distant, given.chatter, given.portraits, given.seed
    )
    examples, relations = curriculum(counts, kgc=given.kgc, evidence=given.evidence)
    print(f"{len(relations)} relations of {len(load_lexicon())} and our own, {len(examples)} texts", flush=True)
    corpus = build_corpus(examples, relations, model, tokenizer, encoder, config, cache=given.cache)
    del model
    torch.manual_seed(plan.seed)
    reader = load_extractor(given.start) if given.start else ExtractionNetwork(config)
    save_extractor(train(corpus, encoder, plan, reader, folder=run_folder(given)), given.out)
    print(
        json.dumps(
            {"out": str(given.out), "tokens": sum(i.length for i in corpus.items), "phrases": len(corpus.phrases)}
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
