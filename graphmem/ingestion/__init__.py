"""Documents to passage nodes: reading files, splitting texts, linking the entities that a passage mentions."""
