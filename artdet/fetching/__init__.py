"""Labelled images of others, brought below the data folder for those who have internet.

``fetch`` gets what ``plan`` lists; only ``zoo`` imports FiftyOne, and only when it is called.
"""
