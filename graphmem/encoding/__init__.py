"""Vectors: node and passage embeddings, query embeddings, and recurrent entity states.

A text encoder (an adapter) makes the vectors; this package decides what is encoded, caches it and keeps it up to date.
"""
