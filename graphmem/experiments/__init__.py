"""Experiments: graphmem and its baselines give one frozen model the same facts and answer the same questions.

``graphmem experiment NAME`` runs the module of that name; each has a ``main(arguments)`` and writes tables, plots and a
JSON file. ``comparison`` is the frame of those that compare methods, ``panel`` makes the methods of a run, ``harness``
holds resumable runs, scoring and reports, ``methods`` a file for each method, ``tasks`` the facts and questions.
"""
