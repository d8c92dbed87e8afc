"""Training of the write gate.

Event streams are read by the extractor (``streams``), played against a simulated graph (``simulation``), and the gate is
fitted to the labelled decisions (``fitting``) and to later answers (``answer_rewards``).
"""
