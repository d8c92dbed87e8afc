"""Consolidation between sessions: of the graph and into weights.

``graph`` merges duplicates, promotes what was read often and lets unused facts decay, all as edits in one transaction;
``weights`` trains a LoRA by replay of facts.
"""
