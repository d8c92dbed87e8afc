"""Consolidation between sessions: of the graph (merge, promote, decay) and into weights (LoRA by replay)."""
