"""Training of the relation gates, the path aligner and the GNN.

``train`` runs the three in turn over several graphs; ``tuning`` fits them to one graph with its own questions.
"""
