"""Training of the state-change extractor."""
