"""The facts and questions that the methods are compared on.

A task is a ``FactSet``: facts to integrate, questions about them, and changes.
"""
