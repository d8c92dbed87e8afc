"""Passage retrieval: links between documents, candidate search and a trained reranker."""
