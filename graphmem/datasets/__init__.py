"""Parsers of the data sets, one file a set. Nothing here scores or trains.

Three sets ship with the package (``babi``, ``plain_text``, ``wikimovies``). The others are read from a folder of the
user's, which ``--data`` or the environment variable GRAPHMEM_DATA names; ``files`` reads their lines and records.
"""
