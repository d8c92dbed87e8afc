"""Training of the shipped weights, one subpackage a part. ``graphmem train`` runs them."""
