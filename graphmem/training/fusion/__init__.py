"""Training of the fusion layers."""
