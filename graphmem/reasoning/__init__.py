"""Reasoning over evidence that was read with a question: answers, verdicts, and how certain they are.

``evidence_reader`` reads the evidence of a question, ``weighing`` makes ranked answers of what was read,
``temporal_weighing`` keeps those of the time asked about, and ``durations`` computes how long something held.
``question_rewriting`` completes a question from former turns, ``turn_evidence`` reads what these state.
``operations`` counts, lists and compares sets of nodes, which ``patterns`` around ``topics`` select.
"""
