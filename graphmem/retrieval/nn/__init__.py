"""Neural networks of retrieval.

``relation_gates`` (relation at each hop), ``path_aligner`` (question against relation path).
"""
