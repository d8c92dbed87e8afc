"""Experiments: every way of giving one frozen model the same facts, asked the same questions, in one run.

``graphmem experiment NAME`` runs the module of that name; each has a ``main(arguments)`` and writes a table, a plot
and a JSON file. What they share: ``result`` (rows and their writers), ``runs`` (options, and parts that are not done
twice), ``intervals`` (bootstrap), and one file for each rival.
"""
