"""The command line ``graphmem``: ``main`` holds the group and the commands for facts, ``store`` those for the file and
documents, ``model`` the language model, ``evaluate`` every measurement, ``demo`` the demonstration."""
