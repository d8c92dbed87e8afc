"""Information extraction: text to candidate facts.

``extraction`` is the contract of extractors; ``extractor`` the shipped one: one forward pass of the frozen model per
window, then mention spans, relations, dates and factuality. ``structure`` reads tables and lists of fields without a
model. ``writing`` verifies the candidates and decides about them.
"""
