"""GraphMemoryModel: a frozen language model that reads a graph memory inside its layers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from graphmem.adapters.chat_templates import chat_prompt, is_chat, is_due, last_user_text, rows_of, stop_token
from graphmem.adapters.model_identity import identity, mismatch
from graphmem.adapters.transformers import find_decoder, is_adapted, prompt_mask, takes_loss_kwargs
from graphmem.core.errors import InvalidValue, NotAttached, UnsupportedModel, WeightsMismatch
from graphmem.core.times import Time
from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, RetrievedNodes, candidates
from graphmem.fusion.checkpoints import WEIGHTS_FILE, load_fusion, save_fusion
from graphmem.fusion.config import AttachedConfig, FusionConfig
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.continuation_candidates import batch_continuation_candidates
from graphmem.fusion.hooks import MemoryHooks
from graphmem.fusion.layers import FusionLayers, with_layers
from graphmem.fusion.memory_tokens import MemoryTokens, NameTokenizer, collate
from graphmem.fusion.prefix_matching import PrefixTracker
from graphmem.fusion.token_embeddings import TokenTable
from graphmem.generation.answering import (
    MIN_CONFIDENCE,
    REFUSAL,
    WHEN_UNKNOWN,
    Offer,
    RetrievalSchedule,
    Said,
    WhenUnknown,
    plain,
    speak,
)
from graphmem.generation.attribution import Answer, TokenSource, spoken_path
from graphmem.generation.description import describe, tell_about
from graphmem.retrieval.answerability import confidence

if TYPE_CHECKING:
    from graphmem.generation.conversation import Reply, SessionConfig
    from graphmem.generation.conversation import Session as Conversation

_DISABLED: ContextVar[frozenset[int]] = ContextVar("graphmem_disabled", default=frozenset())
"""Models (by ``id``) whose memory is off in this context."""

MAX_QUERY = 2000
"""Characters of a prompt, counted from its end, that are put to the memory."""


class Memory(Protocol):
    """What a model needs of a memory; ``GraphMemory`` is one."""

    def retrieve(self, query: str, *, top_k: int = 10, ranker: Any = "gnn", as_of: Time | None = None) -> Any: ...


def attach(model: Any, tokenizer: Any, memory: Memory, config: FusionConfig | None = None) -> GraphMemoryModel:
    """Attach a memory to a language model, with all gates closed: its logits stay bit for bit what they were.

    The base's parameters are frozen until ``detach``. Load trained weights with ``GraphMemoryModel.from_pretrained``.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        memory: anything with ``retrieve``; usually a ``GraphMemory``.
        config: sizes and layers.

    Raises:
        UnsupportedModel: its decoder layers were not found.
        InvalidValue: the config names layers that the model has not.
    """
    return GraphMemoryModel(model, tokenizer, memory, config or FusionConfig())


class GraphMemoryModel(nn.Module):
    """A base model with a memory attached. Make one with ``attach`` or ``from_pretrained``.

    Attributes:
        base: the frozen base, with hooks on its layers.
        fusion: the trained readings.
        memory: what is read.
        config: sizes and layers.
    """

    def __init__(self, model: Any, tokenizer: Any, memory: Memory, config: FusionConfig) -> None:
        super().__init__()
        self.base, self.tokenizer, self.memory = model, tokenizer, memory
        self.decoder = find_decoder(model, config.layers_path)
        config = with_layers(config, len(self.decoder.layers))
        self.config = AttachedConfig.beside(config, getattr(model, "config", None))
        widths = (int(self.decoder.inputs.shape[1]), int(self.decoder.outputs.shape[1]))
        layers, tap = self.config.layers or (), self.config.tap or 0
        self.fusion = FusionLayers(self.decoder.width, widths, layers, tap, self.config).to(self.decoder.inputs.device)
        self.names = NameTokenizer(tokenizer, stop_token(model, tokenizer), self.config.max_name_tokens)
        self._was_trained = [(p, p.requires_grad) for p in model.parameters()]
        if not is_adapted(model):  # PEFT has frozen what it wants frozen
            model.requires_grad_(False)
        self._attachment: MemoryHooks | None = MemoryHooks(model, self.decoder, self.fusion)
        self._by_cache: WeakKeyDictionary[Any, MemoryContext] = WeakKeyDictionary()
        self._last: Answer | None = None

    @classmethod
    def from_pretrained(
        cls, base_or_name: Any, weights: str | Path | None = None, *, memory: Memory, tokenizer: Any = None
    ) -> GraphMemoryModel:
        """Attach a memory and load trained weights.

        Args:
            base_or_name: a model, or a name or path to load it by.
            weights: a folder or file that ``save_pretrained`` made; None takes the shipped weights of the base.
            memory: what is read.
            tokenizer: of the base; loaded with it when only a name is given.

        Raises:
            WeightsMismatch: the weights are for another base, or none are shipped for it.
            ModelNotFound: no model of that name.
        """
        from graphmem.hub import load_language_model, shipped_weights

        base, name = base_or_name, str(base_or_name)
        if isinstance(base_or_name, (str, Path)):
            base, found = load_language_model(name)
            tokenizer = tokenizer or found
        else:
            name = str(getattr(getattr(base, "config", None), "name_or_path", "") or "smollm2-135m")
        if tokenizer is None:
            raise InvalidValue("tokenizer must be given with a model that is already loaded, not None")
        folder = Path(weights) if weights is not None else shipped_weights(name) or shipped_weights("smollm2-135m")
        if folder is None:
            raise WeightsMismatch(f"no weights are shipped for {name!r}; train some, or attach(...) with closed gates")
        loaded = load_fusion(folder / WEIGHTS_FILE if folder.is_dir() else folder)
        have = identity(base, find_decoder(base, loaded.config.layers_path))
        if (why := mismatch(loaded.base, have)) is not None:
            raise WeightsMismatch(f"{loaded.path} does not fit {name!r}: {why}. Train weights for it: graphmem train")
        model = cls(base, tokenizer, memory, loaded.config)
        model.fusion.load(loaded.state)
        model.fusion.to(base.dtype)
        return model.eval()

    # ---------------------------------------------------------------- asking

    @torch.inference_mode()
    def ask(
        self, question: str, *, max_new_tokens: int = 64, as_of: Time | None = None, refusal: str | None = None,
        unknown: WhenUnknown = "speak", least: float = MIN_CONFIDENCE, all_answers: bool = False, policy: RetrievalSchedule | None = None,
    ) -> Answer:  # fmt: skip
        """Answer a question out of the memory.

        Args:
            question: plain text.
            max_new_tokens: most tokens of the answer; of each answer, with ``all_answers``.
            as_of: answer from what held at that time.
            refusal: what to say where the memory does not know; the config's when None.
            unknown: what to do where the memory holds the answer with a probability below ``least``: ``speak`` leaves
                it to the readings, ``trust`` says what the memory found all the same, ``refuse`` says the refusal,
                ``base`` lets the base answer as without memory.
            least: a probability, 0..1.
            all_answers: say every node that the memory finds as relevant as the best (``Answer.answers``).
            policy: when to search again while speaking; None reads at the prompt alone.

        Raises:
            InvalidValue: the question is empty, or ``unknown`` or ``least`` is none of what it may be.
        """
        if not question.strip():
            raise InvalidValue(f"question must be visible text, not {question!r}")
        require(unknown in WHEN_UNKNOWN, "unknown", unknown, f"one of {', '.join(WHEN_UNKNOWN)}")
        require(0 <= least <= 1, "least", least, "a probability, 0..1")
        started = time.perf_counter()
        inputs = self.tokenizer(chat_prompt(self.tokenizer, question), add_special_tokens=False, return_tensors="pt")
        ids = inputs["input_ids"].to(self.base.device)
        retrieval = None if self._off else self._retrieve(question, as_of=as_of)
        if (told := describe(self, retrieval, max_new_tokens, as_of)) is not None:
            self._last = told.answer(retrieval, ids.shape[1], time.perf_counter() - started)
            return self._last
        known = 0.0 if retrieval is None else float(retrieval.answerable)
        sure = 0.0 if retrieval is None else confidence(retrieval)
        refused = retrieval is not None and unknown in ("refuse", "base") and sure < least
        if refused:
            stock = refusal or self.config.refusal or REFUSAL
            said = [Said(stock if unknown == "refuse" else plain(self, ids, max_new_tokens))]
        else:
            offered = refusal or self.config.refusal
            trust = 0.0 if unknown == "trust" else self.config.trust
            offer = Offer(offered, trust, self.config.silent, all_answers)
            said = speak(self, question, ids, retrieval, max_new_tokens, offer, policy or RetrievalSchedule())
        paths = [spoken_path(s.text, s.found, retrieval) for s in said if s.found is not None]
        facts = [*(fact for path in paths for fact in path), *(getattr(retrieval, "facts", ()) or ())]
        self._last = Answer(
            ", ".join(s.text for s in said), tuple(dict.fromkeys(facts)), paths[0] if paths else (), retrieval,
            ids.shape[1], time.perf_counter() - started, known, tuple(source for s in said for source in s.sources),
            tuple(s.text for s in said), refused and unknown == "refuse",
        )  # fmt: skip
        return self._last

    def describe(self, name: str, **options: Any) -> Answer:
        """Tell about a node in sentences, as ``ask("Tell me about ...")`` does; ``NotFound`` if there is none."""
        return tell_about(self, name, **options)

    def explain(self) -> tuple[TokenSource, ...]:
        """For each token of the last answer: layer, head, node, fact and source it was read from.

        Raises:
            InvalidValue: nothing has been asked yet.
        """
        if self._last is None:
            raise InvalidValue("there is no answer to explain yet; call ask(...) first")
        return self._last.sources

    def greedy(self, ids: Tensor, session: MemoryContext | None, limit: int) -> list[int]:
        """The base's greedy continuation of one prompt, int64 [1, T], beside a session; the stop is cut off."""
        if not self.decoder.writes:
            raise UnsupportedModel(f"{type(self.base).__name__} writes no text; call the model itself for its logits")
        with active_context(session):
            out = self.base.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit,
                eos_token_id=self.names.stop, pad_token_id=self.names.stop,
            )  # fmt: skip
        start = 1 if getattr(self.base.config, "is_encoder_decoder", False) else ids.shape[1]
        new = out[0, start:].tolist()
        return new[: new.index(self.names.stop)] if self.names.stop in new else new

    # ---------------------------------------------------------------- transformers' verbs

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, labels: Tensor | None = None,
        *, retrieval: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """The base's forward, reading the memory.

        Args:
            input_ids: [B, T].
            attention_mask, labels: the base's; named here because ``Trainer`` hands over the columns that are. The
                memory is asked with what stands before the first label, so that it is not asked with the answer.
            retrieval: what to read: one a sample, or one for all. None asks the memory with the prompt of each sample;
                while decoding with the same ``past_key_values``, what was found at the prompt is read on.
            kwargs: the base's.
        """
        kwargs |= {k: v for k, v in (("attention_mask", attention_mask), ("labels", labels)) if v is not None}
        session = self._session_for(input_ids, retrieval, kwargs)
        with active_context(session):
            out = self.base(input_ids=input_ids, **kwargs)
        cache = getattr(out, "past_key_values", None)
        if session is not None and cache is not None and not torch.is_grad_enabled():
            self._by_cache[cache] = session
        return out

    def generate(self, input_ids: Tensor | None = None, *, retrieval: Any = None, **kwargs: Any) -> Any:
        """The base's generate (greedy, sampled or beams), reading the memory; see ``forward``. Retrieves once."""
        kwargs.setdefault("pad_token_id", getattr(self.tokenizer, "pad_token_id", None) or self.names.stop)
        with active_context(self._session_for(input_ids, retrieval, kwargs)):
            return self.base.generate(input_ids=input_ids, **kwargs)

    def _session_for(self, ids: Tensor | None, retrieval: Any, kwargs: dict[str, Any]) -> MemoryContext | None:
        if self._attachment is None:
            raise NotAttached("the memory has been detached from this model; attach it again")
        if self._off:
            return None
        cache = kwargs.get("past_key_values")
        if retrieval is None and cache is not None and cache in self._by_cache:
            return self._by_cache[cache]
        if retrieval is None and ids is None:
            raise InvalidValue("retrieval must be given with inputs_embeds: there is no text to ask the memory with")
        mask, labels = kwargs.get("attention_mask"), kwargs.get("labels")
        if ids is not None and labels is not None and self.decoder.writes and not self.decoder.encodes:
            mask = prompt_mask(ids, mask, labels)
        asks = ids is None or self._asks(ids, mask)
        found = self._found(ids, retrieval, mask, asks)
        least = int(self.training and torch.is_grad_enabled())  # so that finding nothing gives zeros, not no gradients
        session = self.session_of(collate(self.names, found, least))
        if session is not None and not asks:
            by_name = all(seen.told and not seen.told.own for seen in found)
            session.quiet = self.config.quiet_topic if by_name else self.config.quiet_text
        return session

    def _asks(self, ids: Tensor, mask: Tensor | None) -> bool:
        """Whether somebody asks in these prompts, so that the memory may speak up as it does in an answer."""
        if self.config.quiet_text is None:
            return True
        due = is_due if self.fusion.tells else is_chat
        return any(due(self.tokenizer, row) for row in rows_of(ids, mask))

    def _found(self, ids: Tensor | None, retrieval: Any, mask: Tensor | None, asks: bool) -> list[Candidates]:
        if retrieval is None and ids is not None:
            retrieval = [self._retrieve(query) for query in self._queries(ids, mask)]
        given = list(retrieval) if isinstance(retrieval, Sequence) else [retrieval] * (1 if ids is None else len(ids))
        if ids is not None and len(given) != len(ids):
            raise InvalidValue(f"retrieval must hold one for each of {len(ids)} samples, not {len(given)}")
        c = self.config
        told = batch_continuation_candidates(given, c.nodes) if not asks and self.fusion.tells else None
        return told or [candidates(found, c.nodes, c.refusal, c.trust, c.silent) for found in given]

    def _queries(self, ids: Tensor, mask: Tensor | None) -> list[str]:
        return [last_user_text(self.tokenizer, row)[-MAX_QUERY:] for row in rows_of(ids, mask)]

    def _retrieve(self, query: str, as_of: Time | None = None) -> RetrievedNodes:
        return self.memory.retrieve(query, top_k=self.config.nodes, as_of=as_of)

    def session_of(self, tokens: MemoryTokens, *, trace: bool = False) -> MemoryContext | None:
        """What one call reads: the slots as every fused layer sees them; None where there are none."""
        if self._attachment is None:
            raise NotAttached("the memory has been detached from this model; attach it again")
        if not tokens.slots:
            return None
        tokens = tokens.to(self.decoder.inputs.device)
        slots = self.fusion.project(tokens, self._attachment.table, self.decoder.inputs.dtype)
        return MemoryContext(
            self.fusion, slots, tokens.answerable, [] if trace else None, standing=PrefixTracker(tokens)
        )

    # ---------------------------------------------------------------- reading text

    def read(self, text: str | Iterable[str], *, apply: bool = False, **options: Any) -> Any:
        """Read a text: propose facts, and what the write gate would do about each. With ``apply``, do it.

        Of an iterable of texts (a list, a generator, an open file) an iterator of plans is returned, which reads piece
        by piece as it is asked; with ``resume="name"`` it goes on after a crash where it was. See ``read_stream``.

        Writes to the memory only with ``apply=True``, in one transaction a text.
        """
        from graphmem.writing.pipeline import read_stream, read_text

        if isinstance(text, Iterable) and not isinstance(text, (str, bytes)):
            return read_stream(self, text, apply=apply, **options)
        return read_text(self, text, apply=apply, **options)

    def session(self, name: str, config: SessionConfig | None = None) -> Conversation:
        """A conversation that is kept in the memory under ``name``, new or gone on with."""
        from graphmem.generation.conversation import Session

        return Session(self, name, config)

    def chat(self, session: str | Conversation, turns: Iterable[str], **options: Any) -> Iterator[Reply]:
        """Take turns as they come: write what they state, answer what they ask, one reply a turn. Writes."""
        from graphmem.generation.conversation import chat

        return chat(self.session(session) if isinstance(session, str) else session, turns, **options)

    # ---------------------------------------------------------------- on, off, and away

    @property
    def table(self) -> TokenTable:
        """Centred token embeddings of the base."""
        if self._attachment is None:
            raise NotAttached("the memory has been detached from this model; attach it again")
        return self._attachment.table

    @property
    def _off(self) -> bool:
        return id(self) in _DISABLED.get()

    @contextmanager
    def memory_disabled(self) -> Iterator[None]:
        """Inside this block (and thread) the model is the base, bit for bit."""
        token = _DISABLED.set(_DISABLED.get() | {id(self)})
        try:
            with active_context(None):
                yield
        finally:
            _DISABLED.reset(token)

    def __getattr__(self, name: str) -> Any:
        """What only the base has (``config``, ``device``, ``gradient_checkpointing_enable`` ...) is the base's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base" or name.startswith("__"):
                raise
            return getattr(self.base, name)

    @property
    def accepts_loss_kwargs(self) -> bool:
        """Asked by ``Trainer``."""
        return takes_loss_kwargs(self.base)

    def detach(self) -> Any:
        """Take the memory off and return the base as it was: no hooks, parameters trainable where they were."""
        if self._attachment is not None:
            self._attachment.remove()
            self._attachment = None
            for parameter, trained in self._was_trained if not is_adapted(self.base) else ():
                parameter.requires_grad_(trained)
        return self.base

    def save_pretrained(self, folder: str | Path, **notes: Any) -> Path:
        """Write weights and config of the readings (not the base, not the memory) into a folder; return the file."""
        return save_fusion(self.fusion, identity(self.base, self.decoder), self.config, Path(folder), notes)

    def trainable_parameters(self) -> tuple[int, int]:
        """How many parameters can be trained, and how many there are in all."""
        counts = [(p.numel(), p.requires_grad) for p in self.parameters()]
        return sum(n for n, trained in counts if trained), sum(n for n, _ in counts)

    def print_trainable_parameters(self) -> None:
        """Print both counts, as PEFT does."""
        trained, total = self.trainable_parameters()
        print(f"trainable params: {trained:,} || all params: {total:,} || trainable%: {100 * trained / total:.4f}")
