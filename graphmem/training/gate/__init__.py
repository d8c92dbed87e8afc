"""Training of the write gate.

The extractor reads event streams (``streams``), a simulated graph turns their candidates into labelled cases
(``simulation``), and the gate is fitted to these (``fitting``) and to later answers (``answer_rewards``). ``scores``
holds its baselines and reports.
"""
