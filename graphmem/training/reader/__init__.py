"""Training of the extraction network."""
