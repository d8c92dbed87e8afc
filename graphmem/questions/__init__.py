"""Question understanding: its language, operation and time, and which of its names the memory does not know.

``unknown_names`` finds the names that nothing in the memory holds, with the known names most like them; ``is_english``
tells other languages; ``operation`` tells lookups, questions for yes or no, counts, lists and comparisons apart.
``temporal_form`` finds the words of a question that set a time, ``time_expressions`` the dates in a text, and
``time_scope`` makes of both the time that is asked about. ``turn_form`` tells what a turn of a conversation does.
"""
