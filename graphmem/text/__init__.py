"""Names, sentences and relation words: everything about text that needs no neural network.

Sentence splitting, name matching against the nodes of a graph, fuzzy matching, the relation lexicon and its synonyms.
"""
