"""Training texts of the extraction network: synthetic ones of several kinds, and real sentences with known facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.synthetic.articles import ArticleGenerator
from graphmem.synthetic.profiles import ProfileGenerator
from graphmem.synthetic.real_texts import natural_examples, real_names
from graphmem.synthetic.relations import plain_relations, with_more_templates
from graphmem.synthetic.text_generator import SmallTalkGenerator, TextGenerator
from graphmem.text.lexicon import Relation, split_relations
from graphmem.training.reader.distant_supervision import distant_examples, evidence_facts, film_facts


@dataclass(frozen=True, slots=True)
class Curriculum:
    """Number of texts of each kind.

    Attributes:
        texts: short texts with statements, changes, denials and questions (``TextGenerator``).
        natural: encyclopaedia sentences with mentions alone.
        articles: longer synthetic texts (``ArticleGenerator``).
        distant: maximum of encyclopaedia introductions labelled by the facts of a data set.
        chatter: texts that mostly state nothing (``SmallTalkGenerator``).
        portraits: passages about one entity, with common nouns among the objects (``ProfileGenerator``).
        seed: of all draws.
    """

    texts: int = 0
    natural: int = 0
    articles: int = 0
    distant: int = 0
    chatter: int = 0
    portraits: int = 0
    seed: int = 0


def curriculum(
    counts: Curriculum, *, kgc: Path | None = None, evidence: Path | None = None
) -> tuple[list[AnnotatedText], list[Relation]]:
    """Texts and their relations.

    ``kgc``: folder with FB15k-237 and WN18RR, for real names (WikiMovies' alone when None).
    ``evidence``: 2Wiki file whose evidence triples label real sentences.
    """
    lexicon, seed = [*split_relations("train"), *split_relations("dev")], counts.seed
    relations, names = [*lexicon, *plain_relations(Random(seed), 200)], real_names(kgc)
    of_articles: Sequence[Relation] = [*with_more_templates(lexicon), *relations[len(lexicon) :][:120]]
    texts = _examples(TextGenerator(relations, names, Random(seed)), counts.texts)
    texts += natural_examples(counts.natural, seed) if counts.natural else []
    texts += _examples(ArticleGenerator(of_articles, names, Random(seed + 1)), counts.articles)
    if counts.distant:
        facts = film_facts() | (evidence_facts(evidence) if evidence else {})
        texts += distant_examples(facts, relations, counts.distant, seed)
    texts += _examples(SmallTalkGenerator(relations, names, Random(seed + 2)), counts.chatter)
    return texts + _examples(ProfileGenerator(lexicon, names, Random(seed + 3)), counts.portraits), relations


def _examples(generator: TextGenerator, count: int) -> list[AnnotatedText]:
    return [generator.example() for _ in range(count)]
