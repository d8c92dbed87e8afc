"""Training of the shipped weights, one subpackage a part.

``graphmem train`` runs them. Runs are seeded, logged, and resume from their last checkpoint (``loop``).
"""
