"""Training of the write gate."""
