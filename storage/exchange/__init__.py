"""Import and export: fact files, GraphML, N-Triples, JSONL dumps, merge of memories."""
