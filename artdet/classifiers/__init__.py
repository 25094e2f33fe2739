"""Answers to tasks about whole artworks: networks, their cards, committees of them, explanations."""
