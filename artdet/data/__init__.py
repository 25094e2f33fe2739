"""Labelled images: sources in the formats of others, read into one immutable ``Dataset``."""
