"""Maintenance of a file: integrity check, repair, backup, restore, vacuum."""
