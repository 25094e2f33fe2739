"""The plan of the learning rate."""

from __future__ import annotations

import math


def learning_rate_share(step: int, *, warmup: float, total: int, final_share: float) -> float:
    """Which part of the highest learning rate a step has: a rise along a line, then a fall as a half cosine.

    Args:
        step: from 0.
        warmup: steps of the rise.
        total: steps of the whole training.
        final_share: of the highest rate, at the end.

    >>> [round(learning_rate_share(s, warmup=2, total=6, final_share=0.1), 3) for s in range(7)]
    [0.333, 0.667, 1.0, 0.868, 0.55, 0.232, 0.1]
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min(1.0, (step - warmup) / max(total - warmup, 1.0))
    return final_share + (1 - final_share) * (1 + math.cos(math.pi * done)) / 2
