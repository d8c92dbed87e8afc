"""Reasoning over evidence that was read with a question: answers, verdicts, and how certain they are.

``evidence_reader`` reads the evidence of a question, ``weighing`` makes ranked answers of what was read.
"""
