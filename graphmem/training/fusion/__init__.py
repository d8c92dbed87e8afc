"""Training of the fusion layers.

``train`` teaches answering, ``train_continuation`` plain text, ``custom`` trains layers for a user's own base and facts.
The base stays frozen; the states below the first memory layer are computed once and kept.
"""
