"""Parsers of the data sets, one file a set. Nothing here scores or trains."""
