"""Training of the fusion layers.

``train`` trains answering, ``train_continuation`` plain text, ``custom`` layers for a user's own base and facts. The
base stays frozen; states below the first memory layer are computed once.
"""
