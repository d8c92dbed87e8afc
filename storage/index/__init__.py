"""Indexes of the tables.

Adjacency arrays, full text, int8 vector search, and the memory-mapped snapshot that opens a large memory in
milliseconds.
"""
