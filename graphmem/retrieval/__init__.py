"""Associative retrieval: a query becomes seed nodes, activation spreads from them, rankers score what it reaches.

``retriever`` is the entry. ``search`` walks the graph, ``nn`` holds the networks, ``passages`` searches documents.
"""
