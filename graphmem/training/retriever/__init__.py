"""Training of the relation gates, the path aligner and the GNN."""
