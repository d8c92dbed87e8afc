"""The command line, ``graphmem``. Modules are loaded when a command needs them."""
