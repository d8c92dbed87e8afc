"""Fusion of a retrieved subgraph into a transformer by gated cross-attention.

``context_builder`` turns a prompt and its retrieval into a ``MemoryContext``; ``hooks`` attaches ``layers`` to the
frozen decoder; ``cross_attention`` is one layer. With closed gates the base model is bit for bit unchanged.
"""
