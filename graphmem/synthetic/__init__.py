"""Synthetic training data: random graphs with questions, and annotated texts made from templates.

The templates are data files in ``graphmem/data/templates``; the code here fills and labels them.
"""
