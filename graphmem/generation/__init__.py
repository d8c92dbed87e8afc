"""Generation with the memory attached.

``answering`` is the entry: one answer, all answers, refusal. ``decoding`` generates one answer from its candidates,
``description`` states an entity's facts in sentences, ``conversation`` keeps sessions, ``attribution`` finds the fact
that each token was copied from.
"""
