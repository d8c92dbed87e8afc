"""The methods that are compared: graphmem and its rivals, behind one protocol."""
