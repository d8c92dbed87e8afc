"""Import and export: fact files, GraphML, N-Triples, JSONL dumps, merging of memories."""
