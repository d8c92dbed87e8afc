"""Training of the write gate.

The extractor reads event streams, and a simulated graph turns their candidates into labelled cases (``simulation``).
The gate is fitted to these (``fitting``) and to later answers (``answer_rewards``); ``scores``: baselines, reports.
"""
