"""State tracking: sentences to state changes, and questions about who or what is where at which time."""
