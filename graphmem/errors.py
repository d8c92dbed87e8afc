"""Errors that graphmem raises on purpose; ``graphmem.core.errors`` shows the tree."""

from graphmem.core.errors import *  # noqa: F403
