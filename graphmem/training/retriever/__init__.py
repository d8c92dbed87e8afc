"""Training of the relation gates and the path aligner.

``train`` runs both in turn over several graphs; ``tuning`` fits them to one graph with its own questions.
"""
