"""Question understanding: what a question names, and which of its names the memory does not know.

``unknown_names`` finds the names that nothing in the memory holds, with the known names most like them.
"""
