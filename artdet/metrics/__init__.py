"""Figures of detection: pure functions from matched boxes to numbers. Nothing here reads a file or runs a model."""
