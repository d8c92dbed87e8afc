"""Import of transformers without the packages that answering does not use, for a process that does nothing else.

transformers imports torch's compiler, scipy and accelerate wherever they are installed: three seconds of processor time
that no answer uses. ``light_imports`` leaves them out while it lasts. Two modules of the compiler get a substitute that
returns decorated functions as they are and imports the compiler as soon as anything else of it is asked for. The rules
of tensors without values, half a second of torch's own import, come with the compiler or with ``whole_torch``.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_HIDDEN = ("accelerate", "scipy", "sklearn", "PIL", "torchvision", "torchaudio")
_COMPILER, _MASKS = "torch._dynamo", "torch._dynamo._trace_wrapped_higher_order_op"
_META, _LISTS = "torch._meta_registrations", "transformers.utils.import_utils"
_MARKS = ("allow_in_graph", "assume_constant_result", "disable")  # decorators that matter to compiled code alone
_COLLECT = 100_000  # objects made between two runs of the collector; imports make many that all stay
_enabled = _begun = False


def enable(on: bool = True) -> None:
    """Let ``light_imports`` leave packages out: only for a process that is the command line's own."""
    global _enabled
    _enabled = on
    if on:
        gc.set_threshold(_COLLECT, 10, 10)


@contextmanager
def light_imports() -> Iterator[None]:
    """A block in which imports of transformers leave out what answering does not use; no change unless enabled."""
    global _begun
    if not _enabled or ("transformers" in sys.modules and not _begun):  # it knows already what is installed
        yield
        return
    _begun = True
    if "torch" not in sys.modules:
        sys.modules[_META] = _Substitute(_META)
        sys.meta_path.insert(0, _Finder())
    import torch

    hidden = [name for name in _HIDDEN if name not in sys.modules]
    substitutes = {name: _Substitute(name) for name in (_COMPILER, _MASKS) if name not in sys.modules}
    available = torch.distributed.is_available
    sys.modules.update(dict.fromkeys(hidden), **substitutes)  # type: ignore[arg-type]
    torch.distributed.is_available = lambda: False
    try:
        _list_models_once()
        yield
    finally:
        torch.distributed.is_available = available
        for name in hidden:
            if name in sys.modules and sys.modules[name] is None:
                del sys.modules[name]
        _remove()


def whole_torch() -> None:
    """Import what ``light_imports`` left out of torch: the rules of operations on tensors without values."""
    _remove()
    import_module(_META)


class _Finder:
    """Finder of modules: completes torch before its compiler comes, and gives transformers its kept list of modules."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """None, so that the next finder finds the module; the spec of transformers' lists of modules."""
        if name == _COMPILER:
            whole_torch()
        spec = PathFinder.find_spec(name, path, target) if name == _LISTS else None
        if spec is None or spec.loader is None:
            return None
        from graphmem.adapters import module_lists

        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            module_lists.keep(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _list_models_once() -> None:
    """Import transformers' package of models with the list of its modules that transformers itself has just made.

    Both read every file of every model to make it: half a second each.
    """
    import transformers
    from transformers.utils import import_utils

    define = import_utils.define_import_structure
    if "transformers.models" in sys.modules or not hasattr(define, "cache_info"):
        return
    folder, prefix = Path(transformers.__file__).parent / "models", "models."

    def known(path: Any, *rest: Any) -> Any:
        """The list of a package's modules; that of all models from the one already made."""
        if Path(path) != folder / "__init__.py":
            return define(path, *rest)
        whole = define(folder, prefix="models")  # cached
        return {
            needs: {name.removeprefix(prefix): found for name, found in modules.items() if name.startswith(prefix)}
            for needs, modules in whole.items()
        }

    import_utils.define_import_structure = known
    try:
        import_module("transformers.models")
    finally:
        import_utils.define_import_structure = define


class _Substitute(ModuleType):
    """Stands for a module of torch's compiler until it is asked for more than its decorators."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _MARKS:
            return _unchanged
        if name == "TransformGetItemToIndex":  # a context manager, used while a mask is mapped over positions
            return lambda: _real(_MASKS).TransformGetItemToIndex()
        return getattr(_real(self.__name__), name)


def _unchanged(function: Any = None, *_: Any, **__: Any) -> Any:
    return _unchanged if function is None else function


def _real(name: str) -> Any:
    whole_torch()
    return import_module(name)


def _remove() -> None:
    for name in (_COMPILER, _MASKS, _META):
        package, _, last = name.rpartition(".")
        if isinstance(sys.modules.get(name), _Substitute):
            del sys.modules[name]
        if isinstance(vars(sys.modules.get(package, sys)).get(last), _Substitute):
            delattr(sys.modules[package], last)
