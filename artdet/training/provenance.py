"""Where the data of a model came from, in words."""

from __future__ import annotations

from collections import Counter

from artdet.data.merge import Merged


def trained_on(data: Merged) -> str:
    """The sources of training with their numbers of images: ``animals6 (136), byzart2k (9)``."""
    counts = Counter(entry.source for entry in data.train)
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())
