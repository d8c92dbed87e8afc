"""Neural networks of retrieval: relation gates, path aligner and relevance GNN."""
