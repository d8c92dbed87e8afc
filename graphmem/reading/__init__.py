"""Information extraction: text to candidate facts.

``extractor`` is the entry point: one forward pass of the frozen model per window, then mention spans, relations, dates
and factuality. ``writing`` decides about the candidates.
"""
