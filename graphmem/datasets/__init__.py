"""Parsers of the data sets, one file a set.

Each returns plain values (questions with their answers, facts, passages). Nothing here scores or trains. Sets that ship
with the package are read from ``graphmem/data``, the others from a folder that the caller names.
"""
