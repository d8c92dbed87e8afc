"""Training of the state-change extractor.

It learns from stories, questions and answers (bAbI) through a differentiable tracker; no label says what a verb does.
"""
