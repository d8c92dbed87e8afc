"""Story states: sentences to state changes, and questions about who or what is where at which time.

``extractor`` turns a sentence into changes with ``network``; ``tracker`` writes them as facts with valid time and
answers bAbI's questions from these facts.
"""
