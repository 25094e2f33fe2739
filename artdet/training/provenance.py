"""Where the data of a model came from, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from artdet.data.merge import Merged

LICENCE = "AGPL-3.0-or-later"
"""Of weights that are trained with ultralytics, or start from those; see the data's own in the model card."""


def described(data: Merged) -> dict[str, Any]:
    """What every backend writes into the card of its model."""
    settings = data.category.settings
    return {
        "classes": settings.classes,
        "description": settings.description,
        "licence": LICENCE,
        "trained_on": trained_on(data),
        "left_out": settings.left_out,
    }


def trained_on(data: Merged) -> str:
    """The sources of training with their numbers of images: ``animals6 (136), byzart2k (9)``."""
    counts = Counter(entry.source for entry in data.train)
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())
