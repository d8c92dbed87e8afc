"""The methods that are compared: graphmem and its baselines, on the same facts, base model and questions."""
