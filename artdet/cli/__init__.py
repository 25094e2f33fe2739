"""The command line: one module per command. Bodies import what they need, so that ``--help`` stays quick."""
