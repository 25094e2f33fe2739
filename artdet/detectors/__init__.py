"""Detectors behind one protocol; ``table`` names the module of each, which is imported only when it is used."""
