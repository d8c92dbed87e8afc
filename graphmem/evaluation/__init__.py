"""Measurements: one file a task, each with its baselines and bootstrap intervals.

``graphmem evaluate`` runs them. ``statistics`` and ``metrics`` are shared; nothing here trains.
"""
