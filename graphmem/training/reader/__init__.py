"""Training of the extraction network.

``curriculum`` mixes annotated texts, ``corpus`` stores the frozen model's hidden states for them, ``train`` fits the
tagger, the pair scorer and the relation matcher.
"""
