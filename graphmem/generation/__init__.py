"""Answers: decoding with the memory attached, refusal, lists, descriptions, conversations, attribution."""
