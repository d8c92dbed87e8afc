"""GraphMemoryModel: a frozen language model with a graph memory attached to its layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graphmem.adapters.chat_templates import stop_token
from graphmem.adapters.model_identity import described, identity, mismatch
from graphmem.adapters.transformers import (
    check_keeps_text,
    check_tokens,
    find_decoder,
    is_adapted,
    sample_logits,
    takes_loss_kwargs,
)
from graphmem.core import arguments
from graphmem.core.errors import InvalidValue, UnsupportedModel, WeightsMismatch
from graphmem.core.times import Time
from graphmem.core.types import Node
from graphmem.fusion.config import AttachedConfig, FusionConfig
from graphmem.fusion.context import active_context
from graphmem.fusion.context_builder import ContextBuilder, Memory
from graphmem.fusion.hooks import MemoryHooks
from graphmem.fusion.layers import WEIGHTS_FILE, FusionLayers, load_fusion, save_fusion, with_layers
from graphmem.fusion.memory_tokens import NameTokenizer, TokenTable
from graphmem.generation.answering import AskOptions, WhenUnknown, answer_question
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
    return GraphMemoryModel(base, tokenizer, memory, FusionConfig() if config is None else config)


class GraphMemoryModel(nn.Module):
    """A base model with a memory attached, made by ``attach`` or ``from_pretrained``.

    Attributes:
        base: the frozen base, with hooks on its layers.
        tokenizer: its tokenizer.
        fusion: the memory layers.
        contexts: turns prompts and retrievals into what the memory layers attend to.
        memory, config: of ``contexts``; both may be replaced.
    """

    def __init__(
        self, base: Any, tokenizer: Any, memory: Memory, config: FusionConfig, fusion: FusionLayers | None = None
    ) -> None:
        super().__init__()
        arguments.instance(base, nn.Module, "base", "a language model (a torch module)")
        arguments.instance(config, FusionConfig, "config", "a FusionConfig")
        if not callable(tokenizer) or not hasattr(tokenizer, "decode"):
            raise InvalidValue(f"tokenizer must be the base's tokenizer, not {type(tokenizer).__name__}")
        check_keeps_text(base)
        self.base, self.tokenizer = base, tokenizer
        self.decoder = find_decoder(base, config.layers_path)
        own = AttachedConfig.wrap(with_layers(config, len(self.decoder.layers)), getattr(base, "config", None))
        self.fusion = fusion or FusionLayers(self.decoder, own)
        self.names = NameTokenizer(tokenizer, stop_token(base, tokenizer), own.max_name_tokens)
        logits = sample_logits(base, self.decoder)
        hooks = MemoryHooks(base, self.decoder, self.fusion, freeze=not is_adapted(base))  # PEFT freezes by itself
        if logits != sample_logits(base, self.decoder):
            hooks.remove()
            raise UnsupportedModel(
                f"{type(base).__name__} computes other logits once its parameters are frozen (a convolution rounds "
                "differently on the CPU): freeze it before, with base.requires_grad_(False), or move it to a GPU"
            )
        self.contexts = ContextBuilder(tokenizer, _queried(memory), self.decoder, self.names, own, hooks)

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

        base = base_or_name
        if weights is not None:
            arguments.path(weights, "weights")
        if isinstance(base_or_name, (str, Path)):
            arguments.path(base_or_name, "base_or_name")
            base, found = load_language_model(str(base_or_name))
            tokenizer = tokenizer or found
        arguments.instance(base, nn.Module, "base_or_name", "a language model, or its name or path")
        _queried(memory)
        if tokenizer is None:
            raise InvalidValue("tokenizer must be given with a model that is already loaded, not None")
        name = str(getattr(getattr(base, "config", None), "name_or_path", "") or "")
        folder = Path(weights) if weights is not None else shipped_weights(name) or shipped_weights("smollm2-135m")
        if folder is None:
            raise WeightsMismatch(f"no weights are shipped for {name!r}; train some, or attach(...) with closed gates")
        path = folder / WEIGHTS_FILE if folder.is_dir() else folder
        config, fits, state = load_fusion(path)
        given = identity(base, find_decoder(base, config.layers_path))
        if (why := mismatch(fits, given)) is not None:
            wanted, have = described(fits, path.parent.name), described(given, type(base).__name__)
            raise WeightsMismatch(
                f"{path} does not fit: {why}. The weights were made for {wanted}; the base given is {have}. "
                "Train weights for it (graphmem train), or attach(...) with closed gates"
            )
        model = cls(base, tokenizer, memory, config)
        model.fusion.load(state)
        model.fusion.to(base.dtype)
        return model.eval()

    def ask(
        self, question: str, *, max_new_tokens: int = 64, as_of: Time | None = None, refusal: str | None = None,
        when_unknown: WhenUnknown = "refuse", min_confidence: float | None = None, all_answers: bool = False,
        schedule: RetrievalSchedule | None = None, at: Time | None = None,
    ) -> Answer:  # fmt: skip
        """Answer a question from the memory.

        Args:
            question: plain text.
            max_new_tokens: longest answer; of each answer, with ``all_answers``.
            as_of: answer from facts that held at that time.
            refusal: text where the answer is not known; None says what is known nearby.
            when_unknown: what to do where the confidence in the answer is below ``min_confidence``: ``refuse`` says
                that the memory does not hold it (status ``not_known``), ``answer`` gives the best answer nevertheless,
                ``base`` lets the base answer without memory (``from_base``), ``attend`` lets the memory layers decide
                how much they attend to what was retrieved.
            min_confidence: a probability, 0..1; None takes the one that was calibrated.
            all_answers: generate every node that ties with the best (``Answer.answers``).
            schedule: when to retrieve again while the answer is generated; None retrieves once.
            at: moment of asking: what "now" and "last year" mean, and up to when a length of time is counted; now when
                None. ``as_of`` is another thing: the view of the facts of another time.

        Raises:
            InvalidTime: ``at`` or ``as_of`` cannot be read.
            InvalidValue: the question is empty, or ``when_unknown`` or ``min_confidence`` is out of range.
            NotAttached: the memory has been detached.
        """
        options = (max_new_tokens, as_of, refusal, when_unknown, min_confidence, all_answers, schedule, at)
        return answer_question(self, question, AskOptions(*options))

    def describe(self, node: Node | int | str, *, max_new_tokens: int = 64, as_of: Time | None = None) -> Answer:
        """Describe an entity, given as a node, id or name, in sentences, one for each of its relations (one at least).

        Raises:
            NotFound: the memory has no such node.
        """
        return describe_node(self, node, max_new_tokens=max_new_tokens, as_of=as_of)

    @torch.compiler.disable(recursive=False)  # retrieval is no part of a graph; the base inside is compiled
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
        check_tokens(input_ids, kwargs, len(self.decoder.inputs))
        call = self.contexts.begin(input_ids, retrieval, kwargs)
        with active_context(call.context):
            out = self.base(input_ids=input_ids, **kwargs)
        parts = out if isinstance(out, tuple) else (getattr(out, "past_key_values", None),)  # return_dict=False
        cache = next((part for part in parts if hasattr(part, "get_seq_length")), kwargs.get("past_key_values"))
        if cache is not None and not (self.training and torch.is_grad_enabled()):
            self.contexts.end(call, cache)
        return out

    def generate(
        self, input_ids: Tensor | None = None, *, retrieval: Any = None, inputs: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """The base's ``generate`` (greedy, sampled or beams), with the memory; see ``forward``. Retrieves once.

        ``inputs`` is the other name that transformers has for ``input_ids``.
        """
        if inputs is not None and input_ids is not None:
            raise InvalidValue("input_ids and inputs are two names of one argument: give one of them")
        input_ids = input_ids if inputs is None else inputs
        check_tokens(input_ids, kwargs, len(self.decoder.inputs))
        if kwargs.get("max_new_tokens") is not None:
            arguments.whole(kwargs["max_new_tokens"], "max_new_tokens")
        kwargs.setdefault("pad_token_id", getattr(self.tokenizer, "pad_token_id", None) or self.names.stop)
        with active_context(self.contexts.build(input_ids, retrieval, kwargs)):
            return self.base.generate(input_ids=input_ids, **kwargs)

    def __copy__(self) -> GraphMemoryModel:
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphMemoryModel:
        """A copy of base and memory layers, as averages of weights need it; the memory itself is shared."""
        base, fusion, hooks = deepcopy(self.base, memo), deepcopy(self.fusion, memo), self.contexts.hooks
        if hooks is not None:
            memo[id(hooks)].remove(restore=not is_adapted(base))
        made = type(self)(base, self.tokenizer, self.memory, self.config, fusion)
        if hooks is None:
            made.detach()
        made.training = self.training
        return memo.setdefault(id(self), made)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise UnsupportedModel(
            "a model with a memory attached cannot be pickled: the memory is an open file. Save its memory layers with "
            "model.save_pretrained(folder), the base with model.base.save_pretrained(...), and put them together with "
            "GraphMemoryModel.from_pretrained(base, folder, memory=...); model.state_dict() can be saved as it is"
        )

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
        arguments.path(folder, "folder")
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

        arguments.text(text, "text")
        self._check_reading(apply, options)
        return read_text(self, text, apply=apply, **options)

    def read_stream(
        self, texts: Iterable[str], *, apply: bool = False, resume: str | None = None, **options: Any
    ) -> Iterator[WritePlan]:
        """Read texts (a list, a generator, an open file) one by one as the iterator is consumed.

        With ``apply`` each is written in a transaction of its own; with ``resume="name"`` as well, texts that an
        earlier, interrupted call has processed are skipped. Options: ``read_text``'s.
        """
        from graphmem.writing.pipeline import read_stream

        if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
            raise InvalidValue(f"texts must be a list, a generator or an open file, not {type(texts).__name__}")
        if "context" in options:
            raise InvalidValue("context is the text before in a stream, and cannot be given; read takes one")
        arguments.text(resume, "resume", optional=True)
        self._check_reading(apply, options)
        return read_stream(self, texts, apply=apply, resume=resume, **options)

    def _check_reading(self, apply: Any, options: dict[str, Any]) -> None:
        """Check what ``read`` and ``read_stream`` pass on."""
        from graphmem.writing.gate_rules import WriteGateConfig

        if not hasattr(self.memory, "store"):
            raise InvalidValue("texts are read into a GraphMemory, which can be written; attach one")
        arguments.flag(apply, "apply")
        for name in options.keys() & {"surprise", "reread", "keep"}:
            arguments.flag(options[name], name)
        arguments.text(options.get("source"), "source", optional=True)
        arguments.text(options.get("context", ""), "context")
        arguments.text(options.get("title", ""), "title")
        arguments.moment(options.get("at"), "at")
        arguments.number(options.get("trust", 1.0), "trust", "a number from 0 (none) to 1 (full)", 0, 1)
        extractor, config = options.get("extractor"), options.get("config")
        if extractor is not None and not callable(getattr(extractor, "extract", None)):
            raise InvalidValue(f"extractor must have a method extract(text, at), not {type(extractor).__name__}")
        arguments.instance(config, (WriteGateConfig, type(None)), "config", "a WriteGateConfig or None")

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
        self.contexts.memory = _queried(memory)

    @property
    def config(self) -> AttachedConfig:
        """The fusion config, in front of the base's."""
        return self.contexts.config

    @config.setter
    def config(self, config: AttachedConfig) -> None:
        arguments.instance(config, AttachedConfig, "config", "a config as model.config.replaced(...) gives it")
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


def _queried(memory: Any) -> Any:
    """The memory, if it can be queried."""
    if not callable(getattr(memory, "retrieve", None)):
        raise InvalidValue(f"memory must have a method retrieve, as a GraphMemory has, not be {type(memory).__name__}")
    return memory
