"""Information extraction: text to candidate facts.

``extractor`` is the entry: one forward pass of the frozen model a window, mention spans, relations, dates, factuality.
What becomes of a candidate is decided in ``writing``.
"""
