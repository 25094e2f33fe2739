"""What a YOLO head without NMS gives, for every adapter that runs one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPECIFIC_SHARE = 0.3
"""A box of a category is of one of its classes if that has at least this share of the category's score.

With 0.3 the classes of the bundled ``objects`` have a mean AP50 of 0.114, with 0.5 one of 0.107; that of the categories
is the same.
"""


def candidates(
    output: NDArray[np.float32], floor: float, below: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """The boxes of a network that leaves NMS to others.

    Args:
        output: (4 + classes, A): centre x, centre y, width, height, then a score per class.
        floor: candidates whose best score is lower are dropped.
        below: bool (classes, classes), whether the class of a row is a category and that of a column one of its
            classes. What is of a class is of its category too, so that its score is the higher one; the box gets the
            class's label if that is at least ``SPECIFIC_SHARE`` as sure.

    Returns:
        Boxes (N, 4) xyxy in pixels of the input, scores (N,) and class indices (N,); each box has its best class.
    """
    scores = output[4] if len(output) == 5 else output[4:].max(axis=0)
    chosen = np.flatnonzero(scores >= floor)
    x, y, w, h = output[:4, chosen]
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    classes = output[4:, chosen].argmax(axis=0) if len(chosen) else np.zeros(0, dtype=np.int64)
    if below is not None and below.any():
        classes = _specific(output[4:, chosen], classes, below)
    return boxes, scores[chosen], classes.astype(np.int64)


def _specific(scores: NDArray[np.float32], classes: NDArray[np.int64], below: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Classes (N,), categories made specific where the scores (classes, N) say so."""
    own = np.where(below[classes].T, scores, -1.0)
    best, sure = own.argmax(axis=0), SPECIFIC_SHARE * scores[classes, np.arange(len(classes))]
    return np.where(own.max(axis=0) >= sure, best, classes)
