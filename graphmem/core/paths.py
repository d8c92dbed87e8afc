"""Folders of the package: shipped data and shipped weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[1]
DATA: Final = PACKAGE / "data"
WEIGHTS: Final = PACKAGE / "weights"
