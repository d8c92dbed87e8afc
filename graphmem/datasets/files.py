"""Lines and JSON lines of data files, gzipped or not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue


def data_folder(folder: str | Path | None = None) -> Path:
    """Return the folder of the data sets: ``folder``, or what the environment variable GRAPHMEM_DATA names.

    Raises:
        InvalidValue: neither is given.
    """
    given = folder or os.environ.get("GRAPHMEM_DATA")
    if not given:
        raise InvalidValue("no folder of data: give --data FOLDER, or set GRAPHMEM_DATA")
    return Path(given)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank.

    Raises:
        InvalidValue: the file is missing, or it is not text.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            return [line.rstrip("\n") for line in lines if line.strip()]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidValue(
            f"cannot read {path}: {error}; --data or GRAPHMEM_DATA must name the folder that holds "
            f"{path.parent.name}/{path.name}"
        ) from error


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        InvalidValue: the file is missing, or it is not JSON.
    """
    try:
        return json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise InvalidValue(f"{path} is not JSON: {error}") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines.

    Raises:
        InvalidValue: the file is missing, or a line is not JSON.
    """
    try:
        return [json.loads(line) for line in read_lines(path)]
    except json.JSONDecodeError as error:
        raise InvalidValue(f"{path} is not JSON lines: {error}") from error
