"""Geometry of boxes: float arrays (N, 4), xyxy in pixels with continuous edges (width = x2 - x1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]

_NMS_BLOCK = 64  # boxes whose overlaps are computed together: ten times as fast as one by one


def areas(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """Areas (N,) in square pixels of boxes (N, 4) xyxy.

    >>> areas(np.array([[0, 0, 4, 2]])).tolist()
    [8.0]
    """
    wide = np.asarray(boxes, dtype=np.float64)
    result: NDArray[np.float64] = (wide[:, 2] - wide[:, 0]) * (wide[:, 3] - wide[:, 1])
    return result


def intersections(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Areas (N, M) that boxes (N, 4) and boxes (M, 4) share, xyxy."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    # One side at a time: a product over a last axis of two is several times slower.
    wide = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    high = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    shared: NDArray[np.float64] = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    return shared


def ious(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4) and boxes (M, 4); 0 where both are empty.

    >>> ious(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def covered(inner: NDArray[Any], outer: NDArray[Any]) -> NDArray[np.float64]:
    """Share (N, M) of each ``inner`` box (N, 4) that lies inside each ``outer`` box (M, 4).

    >>> covered(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 9, 9]])).tolist()
    [[0.5]]
    """
    shared = intersections(inner, outer)
    own = np.broadcast_to(areas(inner)[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def clipped(boxes: NDArray[Any], image_size: tuple[int, int]) -> Boxes:
    """Boxes (N, 4) cut at the borders of an image of ``image_size`` (height, width), as float32."""
    height, width = image_size
    limits = np.array([width, height, width, height], dtype=np.float32)
    result: Boxes = np.clip(np.asarray(boxes, dtype=np.float32), 0.0, limits)
    return result


def nms(
    boxes: NDArray[Any], scores: NDArray[Any], iou: float, *, groups: NDArray[Any] | None = None
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: the best box stays, those that overlap it by more than ``iou`` go, and so on.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,); ties go to the earlier box.
        iou: boxes whose intersection over union with a kept box is larger are dropped.
        groups: (N,), such as class ids; boxes of different groups leave each other alone.

    Returns:
        Indices of the kept boxes, highest score first.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    apart = None if groups is None else np.asarray(groups)
    kept: list[int] = []
    while len(order):
        block = order[:_NMS_BLOCK]
        near = ious(boxes[block], boxes[order]) > iou
        if apart is not None:
            near &= apart[block][:, None] == apart[order]
        free = np.ones(len(order), dtype=bool)
        for place, row in enumerate(near):
            if free[place]:
                kept.append(int(order[place]))
                free[row] = False
        order = order[_NMS_BLOCK:][free[_NMS_BLOCK:]]
    return np.array(kept, dtype=np.intp)
