"""Answers: decoding with the memory attached.

``answering`` is the entry: one answer, all answers, refusal. ``description`` states an entity's facts in sentences,
``conversation`` keeps sessions, ``attribution`` says which fact each token was read from.
"""
