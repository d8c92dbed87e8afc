"""Training of the extraction network on annotated texts, from a frozen model's hidden states.

graphmem train extractor --out reader.safetensors --kgc DATA/kgc
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from graphmem.core.protocols import TextEncoder
from graphmem.hub import load_encoder, load_language_model
from graphmem.reading.network import ExtractionNetwork, ExtractorConfig, load_extractor, save_extractor
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import other_schema_names, synonym_groups
from graphmem.training.loop import LoopConfig, run, run_folder
from graphmem.training.reader.corpus import Corpus, Item, build_corpus
from graphmem.training.reader.curriculum import Curriculum, curriculum

_RATE, _NEGATIVES, _RELATION_WEIGHT = 1e-3, 96, 0.5
"""Peak learning rate; relations to choose among, beside the right ones; weight of their loss (tags, factuality: 1)."""
_DROPOUT = 0.12
"""Share of pairs whose features, and share whose phrase, are zeroed, so that each works alone on new relations."""
_INVERSE = 0.12
"""Share of draws in which a relation is named by its inverse."""
_PARTS = ("tags", "factuality", "coreference", "relation")
_PADDING = -100


class RelationTexts:
    """Vectors of every name of each relation and of its inverse; draws one at random."""

    def __init__(self, relations: Sequence[Relation], encoder: TextEncoder) -> None:
        other, names = other_schema_names(), []
        for r in relations:
            nouns = [r.noun] if len(r.noun.split()) <= 4 else []
            names.append([r.relation, *nouns, *r.paraphrases, *other.get(r.relation, ())])
        vectors = torch.from_numpy(encoder.encode([text for texts in names for text in texts]))
        self.ahead = list(vectors.split([len(texts) for texts in names]))
        self.inverse = torch.from_numpy(encoder.encode([relation.inverse for relation in relations]))
        self.symmetric = [relation.symmetric for relation in relations]
        self.group = synonym_groups(relations)

    def draw(self, relation: int, rng: Random) -> tuple[Tensor, bool]:
        """One vector [K] for the relation, and whether it names the inverse."""
        if rng.random() < _INVERSE and not self.symmetric[relation]:
            return self.inverse[relation], True
        names = self.ahead[relation]
        return names[0 if rng.random() < 0.5 else rng.randrange(len(names))], False


def train(
    corpus: Corpus, encoder: TextEncoder, network: ExtractionNetwork, *, steps: int, folder: Path, seed: int = 0,
    batch: int = 32,
) -> ExtractionNetwork:  # fmt: skip
    """Fit a network in place, with ``batch`` texts a step, and return it in evaluation mode.

    ``folder`` keeps the run's log, and the checkpoint from which a stopped run resumes exactly.
    """
    texts = RelationTexts(corpus.relations, encoder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.01, betas=(0.9, 0.98))

    @lru_cache(maxsize=1)
    def epoch(number: int) -> list[list[Item]]:
        """Batches of an epoch: texts of similar length together, in random order."""
        rng = Random(f"{seed} epoch {number}")
        pool = sorted(corpus.items, key=lambda item: len(item.hidden) + rng.random() * 8)
        batches = [pool[i : i + batch] for i in range(0, len(pool), batch)]
        rng.shuffle(batches)
        return batches

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        torch.manual_seed(seed * 1_000_003 + step)
        number, place = divmod(step, -(-len(corpus.items) // batch))
        with torch.autocast("cpu", dtype=torch.bfloat16):  # three times as fast where the processor has it
            rng = Random(f"{seed} {step}")
            parts = batch_losses(network, corpus, epoch(number)[place], texts, rng)
        return dict(zip(_PARTS, parts, strict=True)), {}

    run(network.train(), optimizer, losses, LoopConfig(steps, 0.08, seed, 100, 500), folder)
    return network.eval()


def batch_losses(
    network: ExtractionNetwork, corpus: Corpus, batch: Sequence[Item], texts: RelationTexts, rng: Random
) -> list[Tensor]:
    """Losses of tags, factuality, coreference and relations, each a scalar."""
    hidden = pad_sequence([torch.from_numpy(np.asarray(i.hidden, np.float32)) for i in batch], batch_first=True)
    tags = pad_sequence([item.tags for item in batch], batch_first=True, padding_value=_PADDING)
    states = network.encode(hidden, tags != _PADDING)
    tag_loss = F.cross_entropy(network.tags(states).flatten(0, 1).float(), tags.flatten(), ignore_index=_PADDING)
    rows = [torch.full((len(item.pairs),), row) for row, item in enumerate(batch) if item.paired]
    paired = [item for item in batch if item.paired and len(item.pairs)]
    if not paired:
        return [tag_loss, *(tag_loss.new_zeros(()) for _ in range(3))]
    index = torch.cat([torch.cat(rows)[:, None], torch.cat([item.pairs for item in paired])], 1)
    factuality, same, number = torch.cat([item.labels for item in paired]).unbind(1)
    scores = network.pairs(states, index)
    factuality_loss = F.cross_entropy(scores.factuality.float(), factuality, ignore_index=-1)
    known = same >= 0
    coreference_loss = tag_loss.new_zeros(())
    if known.any():
        coreference_loss = F.binary_cross_entropy_with_logits(scores.coreference[known].float(), same[known].float())
    facts = [fact for item in paired for fact in item.relations]
    relation_loss = _relation_loss(network, scores.features[number >= 0], facts, corpus, texts, rng)
    return [tag_loss, factuality_loss, 0.5 * coreference_loss, _RELATION_WEIGHT * relation_loss]


def _relation_loss(
    network: ExtractionNetwork, features: Tensor, facts: Sequence[tuple[int, bool, int]], corpus: Corpus,
    texts: RelationTexts, rng: Random,
) -> Tensor:  # fmt: skip
    """Softmax loss over the right relations and drawn negatives; every synonym of the right one is right."""
    if not facts:
        return features.new_zeros(())
    relation, inverted, phrase = (torch.tensor(column) for column in zip(*facts, strict=True))
    count = len(corpus.relations)
    chosen = list(dict.fromkeys([*relation.unique().tolist(), *rng.sample(range(count), min(_NEGATIVES, count))]))
    vectors, backward = zip(*(texts.draw(number, rng) for number in chosen), strict=True)
    phrases = torch.from_numpy(corpus.phrases[phrase.numpy()])
    features = features * (torch.rand(len(features), 1) > _DROPOUT)
    phrases = phrases * (torch.rand(len(phrases), 1) > _DROPOUT)
    logits = network.relations(features, phrases, torch.stack(vectors)).float()  # [P, 2R]
    group, symmetric = torch.tensor(texts.group), torch.tensor(texts.symmetric)
    same = group[relation][:, None] == group[chosen]  # [P, R]
    opposite, either = inverted[:, None] != torch.tensor(backward), symmetric[relation][:, None]
    right = torch.cat([same & (~opposite | either), same & (opposite | either)], 1)
    best = torch.logsumexp(logits.masked_fill(~right, -torch.inf), dim=-1)
    return (torch.logsumexp(logits, dim=-1) - best).mean()


def load_frozen(config: ExtractorConfig) -> tuple[Any, Any]:
    """The default language model up to the highest layer that the network reads, and its tokenizer."""
    model, tokenizer = load_language_model()
    model.base_model.layers = model.base_model.layers[: max(config.layers) + 1]
    return model, tokenizer


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train extractor", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="weights to write")
    parser.add_argument("--start", type=Path, help="start from these weights")
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--kgc", type=Path, help="folder with FB15k-237 and WN18RR: real names for synthetic texts")
    parser.add_argument("--evidence", type=Path, help="2Wiki file whose evidence triples label real sentences")
    parser.add_argument("--cache", type=Path, help="folder that keeps hidden states between runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    for name, (count, text) in _TEXTS.items():
        parser.add_argument(f"--{name}", type=int, default=count, help=text)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    counts = {name: getattr(given, name) for name in _TEXTS}
    examples, relations = curriculum(Curriculum(**counts, seed=given.seed), kgc=given.kgc, evidence=given.evidence)
    print(f"{len(relations)} relations, {len(examples)} texts", flush=True)
    encoder, config = load_encoder(), ExtractorConfig()
    corpus = build_corpus(examples, relations, *load_frozen(config), encoder, config, cache=given.cache)
    torch.manual_seed(given.seed)
    network = load_extractor(given.start) if given.start else ExtractionNetwork(config)
    train(corpus, encoder, network, steps=given.steps, folder=run_folder(given), seed=given.seed)
    save_extractor(network, given.out)


_TEXTS = {
    "texts": (20_000, "short texts with statements, changes, denials and questions"),
    "natural": (2_500, "real sentences with mentions alone"),
    "articles": (0, "longer synthetic texts"),
    "distant": (0, "maximum of real sentences labelled by known facts"),
    "chatter": (0, "texts that mostly state nothing"),
    "portraits": (0, "passages about one entity, with common nouns as objects"),
}
