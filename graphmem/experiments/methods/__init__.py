"""The methods that are compared: graphmem and its baselines, behind one protocol.

Each is given the same facts and the same frozen base model, then asked the same questions.
"""
