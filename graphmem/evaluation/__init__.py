"""Measurements: one file a task, each with its baselines. ``graphmem evaluate`` runs them."""
