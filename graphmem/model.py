"""GraphMemoryModel: a frozen language model with a graph memory attached to its layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graphmem.adapters.chat_templates import stop_token
from graphmem.adapters.model_identity import identity, mismatch
from graphmem.adapters.transformers import find_decoder, is_adapted, takes_loss_kwargs
from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.times import Time
from graphmem.core.types import Node
from graphmem.fusion.config import AttachedConfig, FusionConfig
from graphmem.fusion.context import active_context
from graphmem.fusion.context_builder import ContextBuilder, Memory
from graphmem.fusion.hooks import MemoryHooks
from graphmem.fusion.layers import WEIGHTS_FILE, FusionLayers, load_fusion, save_fusion, with_layers
from graphmem.fusion.memory_tokens import NameTokenizer, TokenTable
from graphmem.generation.answering import MIN_CONFIDENCE, WhenUnknown, answer_question
from graphmem.generation.attribution import Answer
from graphmem.generation.decoding import RetrievalSchedule
from graphmem.generation.description import describe_node

if TYPE_CHECKING:
    from graphmem.generation.conversation import Session, SessionConfig
    from graphmem.writing.pipeline import WritePlan


def attach(base: Any, tokenizer: Any, memory: Memory, config: FusionConfig | None = None) -> GraphMemoryModel:
    """Attach a memory to a language model with closed gates: its logits stay bit for bit the same.

    The base's parameters are frozen until ``detach``. ``GraphMemoryModel.from_pretrained`` loads trained weights.

    Args:
        base: a causal language model of transformers.
        tokenizer: its tokenizer.
        memory: anything with ``retrieve``; usually a ``GraphMemory``.
        config: sizes and layers.

    Raises:
        UnsupportedModel: its decoder layers were not found.
        InvalidValue: the config names layers that the model does not have.
    """
    return GraphMemoryModel(base, tokenizer, memory, config or FusionConfig())


class GraphMemoryModel(nn.Module):
    """A base model with a memory attached, made by ``attach`` or ``from_pretrained``.

    Attributes:
        base: the frozen base, with hooks on its layers.
        tokenizer: its tokenizer.
        fusion: the memory layers.
        contexts: turns prompts and retrievals into what the memory layers attend to.
        memory, config: of ``contexts``; both may be replaced.
    """

    def __init__(self, base: Any, tokenizer: Any, memory: Memory, config: FusionConfig) -> None:
        super().__init__()
        self.base, self.tokenizer = base, tokenizer
        self.decoder = find_decoder(base, config.layers_path)
        own = AttachedConfig.wrap(with_layers(config, len(self.decoder.layers)), getattr(base, "config", None))
        self.fusion = FusionLayers(self.decoder, own)
        self.names = NameTokenizer(tokenizer, stop_token(base, tokenizer), own.max_name_tokens)
        hooks = MemoryHooks(base, self.decoder, self.fusion, freeze=not is_adapted(base))  # PEFT freezes by itself
        self.contexts = ContextBuilder(tokenizer, memory, self.decoder, self.names, own, hooks)

    @classmethod
    def from_pretrained(
        cls, base_or_name: Any, weights: str | Path | None = None, *, memory: Memory, tokenizer: Any = None
    ) -> GraphMemoryModel:
        """Attach a memory and load trained weights.

        Args:
            base_or_name: a model, or a name or path to load it by.
            weights: a folder or file that ``save_pretrained`` made; None takes the shipped weights of the base.
            memory: to attach.
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
        path = folder / WEIGHTS_FILE if folder.is_dir() else folder
        config, fits, state = load_fusion(path)
        if (why := mismatch(fits, identity(base, find_decoder(base, config.layers_path)))) is not None:
            raise WeightsMismatch(f"{path} does not fit {name!r}: {why}. Train weights for it: graphmem train")
        model = cls(base, tokenizer, memory, config)
        model.fusion.load(state)
        model.fusion.to(base.dtype)
        return model.eval()

    def ask(
        self, question: str, *, max_new_tokens: int = 64, as_of: Time | None = None, refusal: str | None = None,
        when_unknown: WhenUnknown = "attend", min_confidence: float = MIN_CONFIDENCE, all_answers: bool = False,
        schedule: RetrievalSchedule | None = None,
    ) -> Answer:  # fmt: skip
        """Answer a question from the memory.

        Args:
            question: plain text.
            max_new_tokens: longest answer; of each answer, with ``all_answers``.
            as_of: answer from facts that held at that time.
            refusal: text of a refusal; the config's when None.
            when_unknown: what to do where the memory's confidence in its answer is below ``min_confidence``:
                ``attend`` lets the memory layers decide how much they attend to it, ``answer`` answers from the
                retrieval nevertheless, ``refuse`` returns the refusal, ``base`` lets the base answer without memory.
            min_confidence: a probability, 0..1.
            all_answers: generate every node that ties with the best (``Answer.answers``).
            schedule: when to retrieve again while the answer is generated; None retrieves once.

        Raises:
            InvalidValue: the question is empty, or ``when_unknown`` or ``min_confidence`` is out of range.
            NotAttached: the memory has been detached.
        """
        options = (max_new_tokens, as_of, refusal, when_unknown, min_confidence, all_answers, schedule)
        return answer_question(self, question, *options)

    def describe(self, node: Node | int | str, *, max_new_tokens: int = 64, as_of: Time | None = None) -> Answer:
        """Describe an entity, given as a node, id or name, in sentences, one for each of its relations (one at least).

        Raises:
            NotFound: the memory has no such node.
        """
        return describe_node(self, node, max_new_tokens=max_new_tokens, as_of=as_of)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, labels: Tensor | None = None,
        *, retrieval: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """The base's forward pass, with the memory.

        Args:
            input_ids: [B, T].
            attention_mask, labels: the base's; named here because ``Trainer`` passes the columns that are. Only the
                text before the first label is the query, so that the answer is no part of it.
            retrieval: one a sample, or one for all. None queries the memory with the prompt of each sample; while
                decoding with the same ``past_key_values``, the prompt's retrieval is used again.
            kwargs: the base's.
        """
        kwargs |= {k: v for k, v in (("attention_mask", attention_mask), ("labels", labels)) if v is not None}
        call = self.contexts.begin(input_ids, retrieval, kwargs)
        with active_context(call.context):
            out = self.base(input_ids=input_ids, **kwargs)
        cache = getattr(out, "past_key_values", None)
        if cache is not None and not (self.training and torch.is_grad_enabled()):
            self.contexts.end(call, cache)
        return out

    def generate(self, input_ids: Tensor | None = None, *, retrieval: Any = None, **kwargs: Any) -> Any:
        """The base's ``generate`` (greedy, sampled or beams), with the memory; see ``forward``. Retrieves once."""
        kwargs.setdefault("pad_token_id", getattr(self.tokenizer, "pad_token_id", None) or self.names.stop)
        with active_context(self.contexts.build(input_ids, retrieval, kwargs)):
            return self.base.generate(input_ids=input_ids, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Attributes that only the base has (``device``, ``gradient_checkpointing_enable`` ...) are the base's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base" or name.startswith("__"):
                raise
            return getattr(self.base, name)

    @property
    def accepts_loss_kwargs(self) -> bool:
        """Whether the loss takes ``num_items_in_batch``; ``Trainer`` looks at it."""
        return takes_loss_kwargs(self.base)

    def save_pretrained(self, folder: str | Path, **notes: Any) -> Path:
        """Write weights and config of the memory layers (not the base, not the memory); return the file."""
        return save_fusion(self.fusion, identity(self.base, self.decoder), self.config, Path(folder), notes)

    def trainable_parameters(self) -> tuple[int, int]:
        """Numbers of trainable and of all parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad), sum(p.numel() for p in self.parameters())

    def print_trainable_parameters(self) -> None:
        """Print both numbers, as PEFT does."""
        trainable, total = self.trainable_parameters()
        print(f"trainable params: {trainable:,} || all params: {total:,} || trainable%: {100 * trainable / total:.4f}")

    def read(self, text: str, *, apply: bool = False, **options: Any) -> WritePlan:
        """Extract a text's facts and decide what to write about each.

        With ``apply`` the decisions are written, in one transaction; else nothing is. Options: ``read_text``'s.
        """
        from graphmem.writing.pipeline import read_text

        return read_text(self, text, apply=apply, **options)

    def read_stream(
        self, texts: Iterable[str], *, apply: bool = False, resume: str | None = None, **options: Any
    ) -> Iterator[WritePlan]:
        """Read texts (a list, a generator, an open file) one by one as the iterator is consumed.

        With ``apply`` each is written in a transaction of its own; with ``resume="name"`` as well, texts that an
        earlier, interrupted call has processed are skipped. Options: ``read_text``'s.
        """
        from graphmem.writing.pipeline import read_stream

        return read_stream(self, texts, apply=apply, resume=resume, **options)

    def session(self, name: str, config: SessionConfig | None = None) -> Session:
        """The conversation kept in the memory under ``name``, new or resumed."""
        from graphmem.generation.conversation import Session

        return Session(self, name, config)

    @property
    def memory(self) -> Memory:
        """The memory that is queried."""
        return self.contexts.memory

    @memory.setter
    def memory(self, memory: Memory) -> None:
        self.contexts.memory = memory

    @property
    def config(self) -> AttachedConfig:
        """The fusion config, in front of the base's."""
        return self.contexts.config

    @config.setter
    def config(self, config: AttachedConfig) -> None:
        self.contexts.config = config

    @property
    def table(self) -> TokenTable:
        """Centred token embeddings of the base."""
        return self.contexts.require_hooks().table

    def memory_disabled(self) -> AbstractContextManager[None]:
        """A block in which the model is the base, bit for bit; other threads keep the memory."""
        return self.contexts.disable()

    def detach(self) -> Any:
        """Remove the memory; return the base as it was: no hooks, parameters trainable where they were."""
        if self.contexts.hooks is not None:
            self.contexts.hooks.remove(restore=not is_adapted(self.base))
            self.contexts.hooks = None
        return self.base
