"""Training of the evidence encoder: examples from many sets of questions, with evidence that answers them or does not.

``examples`` holds what an example is and how its question and evidence vary; ``fact_examples``, ``passage_examples``
and ``claim_examples`` make them from data sets; ``train`` fits the network.
"""
