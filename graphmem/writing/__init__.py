"""The write gate: candidate facts to edits.

``pipeline`` is the entry point. Entities are linked to nodes, ``decider`` chooses an action for each candidate, and the
result is a ``WritePlan`` that only ``GraphMemory.apply`` carries out.
"""
