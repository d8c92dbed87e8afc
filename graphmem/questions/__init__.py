"""Question understanding: what language a question is in, and which of its names the memory does not know.

``unknown_names`` finds the names that nothing in the memory holds, with the known names most like them; ``is_english``
tells other languages.
"""
