"""Training of the extraction network on annotated texts, from a frozen model's hidden states.

graphmem train extractor --out reader.safetensors --kgc DATA/kgc
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
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
from graphmem.reading.config import ExtractorConfig
from graphmem.reading.network import ExtractionNetwork, PairIndex, load_extractor, save_extractor
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import other_schema_names, synonym_groups
from graphmem.training.loop import LoopConfig, run, run_folder
from graphmem.training.reader.corpus import Corpus, Item, build_corpus
from graphmem.training.reader.curriculum import Curriculum, curriculum


@dataclass(frozen=True, slots=True)
class ExtractorTrainingConfig:
    """How an extraction network is trained.

    Attributes:
        steps, batch: optimizer steps, and texts in each.
        rate: peak learning rate.
        negatives: relations to choose among, beside the right ones.
        seed: of all draws.
        input_dropout: share of pairs whose features, and share whose phrase, are zeroed, so that each works alone. It
            helps on unseen relations and costs a little on the others.
        inverse: share of draws in which a relation is named by its inverse.
        relation_weight: of the relations' loss; the losses of tags and factuality have weight 1.
    """

    steps: int = 3_000
    batch: int = 32
    rate: float = 1e-3
    negatives: int = 96
    seed: int = 0
    input_dropout: float = 0.12
    inverse: float = 0.12
    relation_weight: float = 0.5


class RelationTexts:
    """Vectors of every name of each relation and of its inverse; draws one at random."""

    def __init__(self, relations: Sequence[Relation], encoder: TextEncoder) -> None:
        names = [_names(relation) for relation in relations]
        vectors = torch.from_numpy(encoder.encode([text for texts in names for text in texts]))
        self.ahead = list(vectors.split([len(texts) for texts in names]))
        self.inverse = torch.from_numpy(encoder.encode([relation.inverse for relation in relations]))
        self.symmetric = [relation.symmetric for relation in relations]
        self.group = synonym_groups(relations)

    def draw(self, relation: int, rng: Random, share: float = 0.12) -> tuple[Tensor, bool]:
        """One vector [K] for the relation, and whether it names the inverse, which a ``share`` of the draws do."""
        if rng.random() < share and not self.symmetric[relation]:
            return self.inverse[relation], True
        names = self.ahead[relation]
        return names[0 if rng.random() < 0.5 else rng.randrange(len(names))], False


def _names(relation: Relation) -> list[str]:
    nouns = [relation.noun] if len(relation.noun.split()) <= 4 else []
    return [relation.relation, *nouns, *relation.paraphrases, *other_schema_names().get(relation.relation, ())]


def train(
    corpus: Corpus, encoder: TextEncoder, config: ExtractorTrainingConfig, network: ExtractionNetwork, *, folder: Path
) -> ExtractionNetwork:
    """Fit a network in place and return it in evaluation mode.

    Args:
        corpus: training data.
        encoder: of relation names.
        config: length and rates.
        network: the network to fit.
        folder: of the run: its log, and the checkpoint from which a stopped run resumes exactly.
    """
    texts = RelationTexts(corpus.relations, encoder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.rate, weight_decay=0.01, betas=(0.9, 0.98))

    @lru_cache(maxsize=1)
    def epoch(number: int) -> list[list[Item]]:
        """Batches of an epoch: texts of similar length together, in random order."""
        rng = Random(f"{config.seed} epoch {number}")
        pool = sorted(corpus.items, key=lambda item: item.length + rng.random() * 8)
        batches = [pool[i : i + config.batch] for i in range(0, len(pool), config.batch)]
        rng.shuffle(batches)
        return batches

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        torch.manual_seed(config.seed * 1_000_003 + step)
        number, place = divmod(step, -(-len(corpus.items) // config.batch))
        with torch.autocast("cpu", dtype=torch.bfloat16):  # three times as fast where the processor has it
            rng = Random(f"{config.seed} {step}")
            parts = batch_losses(network, corpus, epoch(number)[place], texts, rng, config)
        return dict(zip(_PARTS, parts, strict=True)), {}

    run(network.train(), optimizer, losses, LoopConfig(config.steps, 0.08, config.seed, 100, 500), folder)
    return network.eval()


_PARTS = ("tags", "factuality", "coreference", "relation")


def batch_losses(
    network: ExtractionNetwork, corpus: Corpus, batch: Sequence[Item], texts: RelationTexts, rng: Random,
    config: ExtractorTrainingConfig,
) -> list[Tensor]:  # fmt: skip
    """Losses of tags, factuality, coreference and relations, each a scalar."""
    hidden = pad_sequence([torch.from_numpy(np.asarray(i.hidden, np.float32)) for i in batch], batch_first=True)
    tags = pad_sequence([item.tags for item in batch], batch_first=True, padding_value=_PADDING)
    states = network.encode(hidden, tags != _PADDING)
    tag_loss = F.cross_entropy(network.tags(states).flatten(0, 1).float(), tags.flatten(), ignore_index=_PADDING)
    rows = [torch.full((len(item.pairs),), row) for row, item in enumerate(batch) if item.paired]
    paired = [item for item in batch if item.paired and len(item.pairs)]
    if not paired:
        return [tag_loss, *(tag_loss.new_zeros(()) for _ in range(3))]
    index = PairIndex(torch.cat(rows), *torch.cat([item.pairs for item in paired]).unbind(1))
    factuality, same, number = torch.cat([item.labels for item in paired]).unbind(1)
    scores = network.pairs(states, index)
    factuality_loss = F.cross_entropy(scores.factuality.float(), factuality, ignore_index=-1)
    known = same >= 0
    coreference_loss = tag_loss.new_zeros(())
    if known.any():
        coreference_loss = F.binary_cross_entropy_with_logits(scores.coreference[known].float(), same[known].float())
    facts = [fact for item in paired for fact in item.relations]
    relation_loss = _relation_loss(network, scores.features[number >= 0], facts, corpus, texts, rng, config)
    return [tag_loss, factuality_loss, 0.5 * coreference_loss, config.relation_weight * relation_loss]


_PADDING = -100


def _relation_loss(
    network: ExtractionNetwork, features: Tensor, facts: Sequence[tuple[int, bool, int]], corpus: Corpus,
    texts: RelationTexts, rng: Random, config: ExtractorTrainingConfig,
) -> Tensor:  # fmt: skip
    """Softmax loss over the right relations and drawn negatives; every synonym of the right one is right."""
    if not facts:
        return features.new_zeros(())
    gold = sorted({relation for relation, _, _ in facts})
    families = {corpus.family[relation] for relation in gold}
    pool = [number for number, family in enumerate(corpus.family) if family in families]
    others = rng.sample(pool, min(config.negatives, len(pool)))
    chosen = gold + [relation for relation in others if relation not in set(gold)]
    drawn = [texts.draw(relation, rng, config.inverse) for relation in chosen]
    phrases = torch.from_numpy(corpus.phrases[[phrase for _, _, phrase in facts]])
    features = features * (torch.rand(len(features), 1) > config.input_dropout)
    phrases = phrases * (torch.rand(len(phrases), 1) > config.input_dropout)
    logits = network.relations(features, phrases, torch.stack([vector for vector, _ in drawn])).float()  # [P, 2R]
    own = torch.tensor([corpus.family[relation] for relation in chosen]).repeat(2)  # [2R]
    foreign = own[None] != torch.tensor([corpus.family[relation] for relation, _, _ in facts])[:, None]
    logits = logits.masked_fill(foreign, -50.0)
    synonyms: dict[int, list[int]] = {}
    for place, relation in enumerate(chosen):
        synonyms.setdefault(texts.group[relation], []).append(place)
    right = torch.zeros_like(logits, dtype=torch.bool)
    for row, (relation, inverted, _) in enumerate(facts):
        for place in synonyms[texts.group[relation]]:
            opposite = inverted != drawn[place][1]
            right[row, place + (len(chosen) if opposite else 0)] = True
            if texts.symmetric[relation]:
                right[row, place + (0 if opposite else len(chosen))] = True
    best = torch.logsumexp(logits.masked_fill(~right, -torch.inf), dim=-1)
    return (torch.logsumexp(logits, dim=-1) - best).mean()


def options(parser: argparse.ArgumentParser, steps: int) -> argparse.ArgumentParser:
    """Add the options of every extractor training."""
    parser.add_argument("--out", type=Path, required=True, help="weights to write")
    parser.add_argument("--start", type=Path, help="start from these weights")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--kgc", type=Path, help="folder with FB15k-237 and WN18RR: real names for synthetic texts")
    parser.add_argument("--evidence", type=Path, help="2Wiki file whose evidence triples label real sentences")
    parser.add_argument("--cache", type=Path, help="folder that keeps hidden states between runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def load_frozen(config: ExtractorConfig) -> tuple[Any, Any]:
    """The default language model up to the highest layer that the network reads, and its tokenizer."""
    model, tokenizer = load_language_model()
    model.base_model.layers = model.base_model.layers[: max(config.layers) + 1]
    return model, tokenizer


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train extractor", description=__doc__)
    options(parser, ExtractorTrainingConfig().steps)
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
    training = ExtractorTrainingConfig(steps=given.steps, seed=given.seed)
    save_extractor(train(corpus, encoder, training, network, folder=run_folder(given)), given.out)


_TEXTS = {
    "texts": (20_000, "short texts with statements, changes, denials and questions"),
    "natural": (2_500, "real sentences with mentions alone"),
    "articles": (0, "longer synthetic texts"),
    "distant": (0, "maximum of real sentences labelled by known facts"),
    "chatter": (0, "texts that mostly state nothing"),
    "portraits": (0, "passages about one entity, with common nouns as objects"),
}


if __name__ == "__main__":
    main()
