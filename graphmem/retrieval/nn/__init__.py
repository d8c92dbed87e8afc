"""Neural networks of retrieval.

``relation_gates`` (which relation at which hop), ``path_aligner`` (question against relation path), ``gnn`` (relevance).
"""
