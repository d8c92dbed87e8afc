"""Question understanding: its language, its answer type, and which of its names the memory does not know.

``unknown_names`` finds the names that nothing in the memory holds, with the known names most like them; ``is_english``
tells other languages; ``answer_type`` tells the questions that are answered by yes or no.
"""
