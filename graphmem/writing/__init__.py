"""The write gate: candidate facts to edits.

``pipeline`` is the entry. Entities are linked to nodes, ``decider`` asks the gate what to do, and the result is a
``WritePlan`` that only ``GraphMemory.apply`` carries out.
"""
