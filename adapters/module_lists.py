"""Kept list of the modules of transformers' models, which transformers makes anew from all their files at every import.

That takes four tenths of a second of processor time. The list lies in the folder of cached conversions, named by the
version of transformers, and is made again where transformers has been installed anew since.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from graphmem.adapters.gguf_cache import cache_folder
from graphmem.core.errors import GraphMemError
from graphmem.core.files import replacing

Modules = dict[frozenset[str], dict[str, set[str]]]
"""Names that each module gives, by the packages that it needs."""


def keep(import_utils: ModuleType) -> None:
    """Let ``import_utils`` of transformers, just imported, take the list of all models from a file, made if missing."""
    define, folder = import_utils.define_import_structure, Path(str(import_utils.__file__)).parents[1] / "models"

    @lru_cache
    def kept(path: Any, prefix: str | None = None) -> Any:
        """The list of a package's modules; that of all models from its file."""
        if Path(path) != folder or prefix != "models":
            return define(path, prefix)
        return _kept(folder, lambda: define(path, prefix))

    import_utils.define_import_structure = kept  # type: ignore[attr-defined]


def _kept(folder: Path, make: Any) -> Any:
    """The list in the cache if it is of these files, else a new one, which is written there if that is possible."""
    state = [str(folder), folder.stat().st_mtime_ns]
    file = cache_folder() / f"transformers-{metadata.version('transformers')}-modules.json"
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["state"] == state:
            return {frozenset(needs): _sets(modules) for needs, modules in found["modules"]}
    made = make()
    with suppress(OSError, ValueError, TypeError, AttributeError, GraphMemError):
        modules = [[sorted(needs), {name: sorted(given) for name, given in of.items()}] for needs, of in made.items()]
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_text(json.dumps({"state": state, "modules": modules}), encoding="utf-8")
    return made


def _sets(modules: dict[str, list[str]]) -> dict[str, set[str]]:
    if not all(isinstance(names, list) for names in modules.values()):
        raise ValueError("a list of names is expected")
    return {module: set(names) for module, names in modules.items()}
