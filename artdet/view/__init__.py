"""Browsing in FiftyOne; the only place that imports it."""
