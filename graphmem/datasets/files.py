"""Lines and JSON lines of data files, gzipped or not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue


def data_folder(folder: str | Path | None = None) -> Path:
    """Return ``folder``, or what the variable GRAPHMEM_DATA names; raises ``InvalidValue`` if neither is given."""
    if given := folder or os.environ.get("GRAPHMEM_DATA"):
        return Path(given)
    raise InvalidValue("no folder of data: give --data FOLDER, or set GRAPHMEM_DATA")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank; raises ``InvalidValue`` if it is missing or not text."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            return [line.rstrip("\n") for line in lines if line.strip()]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        wanted = f"--data or GRAPHMEM_DATA must name the folder that holds {path.parent.name}/{path.name}"
        raise InvalidValue(f"cannot read {path}: {error}; {wanted}") from error


def read_json(path: Path) -> Any:
    """Return the value of a JSON file; raises ``InvalidValue`` if it is missing or not JSON."""
    try:
        return json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise InvalidValue(f"{path} is not JSON: {error}") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines; raises ``InvalidValue`` if it is missing or a line is not JSON."""
    try:
        return [json.loads(line) for line in read_lines(path)]
    except json.JSONDecodeError as error:
        raise InvalidValue(f"{path} is not JSON lines: {error}") from error
