"""Files of the store: targets that may be written, and files that appear whole."""

from __future__ import annotations

from graphmem.core.files import SIDE_FILES, check_target, replacing

__all__ = ["SIDE_FILES", "check_target", "replacing"]
