"""The write gate: candidate facts to edits.

``pipeline`` is the entry point, ``files`` that of files. Each candidate is verified against the text, entities are
linked to nodes, ``decider`` chooses an action, and the result is a ``WritePlan``, which only ``GraphMemory.apply``
carries out.
"""
