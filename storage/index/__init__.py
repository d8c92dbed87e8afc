"""Indexes beside the tables: adjacency arrays, full text, int8 vector search, and the memory-mapped snapshot."""
