"""What a YOLO head without NMS gives, for every adapter that runs one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def candidates(
    output: NDArray[np.float32], floor: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """The boxes of a network that leaves NMS to others.

    Args:
        output: (4 + classes, A): centre x, centre y, width, height, then a score per class.
        floor: candidates whose best score is lower are dropped.

    Returns:
        Boxes (N, 4) xyxy in pixels of the input, scores (N,) and class indices (N,); each box has its best class.
    """
    scores = output[4] if len(output) == 5 else output[4:].max(axis=0)
    chosen = np.flatnonzero(scores >= floor)
    x, y, w, h = output[:4, chosen]
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    classes = output[4:, chosen].argmax(axis=0) if len(chosen) else np.zeros(0)
    return boxes, scores[chosen], classes.astype(np.int64)
