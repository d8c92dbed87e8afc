"""The command line, ``graphmem``: one file a group of commands.

A module is loaded when one of its commands runs, so that ``--help`` answers at once.
"""
