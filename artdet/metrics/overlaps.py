"""The boxes of all images in one row, and which found boxes overlap which true ones: what a loop is too slow for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.detections import Detections
from artdet.metrics.pairs import Pairs

_BLOCK = 1 << 19  # combinations that are looked at together: some tens of megabytes


@dataclass(frozen=True, eq=False)
class Row:
    """The boxes of one side, image after image.

    Attributes:
        start: int64 (P + 1,): the boxes of image ``i`` are those from ``start[i]`` up to ``start[i + 1]``.
        image: int64 (N,).
        corners: float64 (4, N), x1, y1, x2, y2 in pixels.
        scores: float32 (N,).
        labels: int64 (N,).
    """

    start: NDArray[np.int64]
    image: NDArray[np.int64]
    corners: NDArray[np.float64]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, images: Sequence[Detections]) -> Row:
        """The boxes of all images."""
        counts = np.array([len(each) for each in images], dtype=np.int64)
        boxes = np.concatenate([np.zeros((0, 4)), *(each.boxes for each in images)])
        return cls(
            np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]),
            np.repeat(np.arange(len(images)), counts),
            np.ascontiguousarray(boxes.T, dtype=np.float64),
            np.concatenate([np.zeros(0, dtype=np.float32), *(each.scores for each in images)]),
            np.concatenate([np.zeros(0, dtype=np.int64), *(each.labels for each in images)]),
        )

    @property
    def areas(self) -> NDArray[np.float64]:
        """Float64 (N,), in square pixels."""
        x1, y1, x2, y2 = self.corners
        result: NDArray[np.float64] = (x2 - x1) * (y2 - y1)
        return result

    def places(self, classes: Sequence[int]) -> NDArray[np.int64]:
        """Int64 (N,): the place of each box's label among ``classes``; -1 where it is none of them."""
        ids = np.asarray(classes, dtype=np.int64)
        if not len(ids):
            return np.full(len(self.labels), -1, dtype=np.int64)
        order = np.argsort(ids)
        near = order[np.minimum(np.searchsorted(ids[order], self.labels), len(ids) - 1)]
        return np.where(ids[near] == self.labels, near, -1)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Found and true boxes of the same image that share some area, K of them, by ``found``, then by ``truth``.

    Attributes:
        found: int64 (K,), indices in the row of found boxes.
        truth: int64 (K,), indices in the row of true boxes.
        iou: float64 (K,), intersection over union.
        covered: float64 (K,), intersection over the area of the found box.
    """

    found: NDArray[np.int64]
    truth: NDArray[np.int64]
    iou: NDArray[np.float64]
    covered: NDArray[np.float64]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Overlaps:
        """Those of a mask (K,)."""
        return Overlaps(self.found[chosen], self.truth[chosen], self.iou[chosen], self.covered[chosen])


def rows(pairs: Pairs) -> tuple[Row, Row]:
    """The found and the true boxes of all images."""
    return Row.of([pair.found for pair in pairs]), Row.of([pair.truth for pair in pairs])


def overlaps(found: Row, truth: Row, chosen: NDArray[np.bool_]) -> Overlaps:
    """Every overlap of the found boxes of a mask ``chosen`` (N,) with the true boxes of their image."""
    index = np.flatnonzero(chosen)
    counts = np.diff(truth.start)[found.image[index]]
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(_BLOCK, counts.sum(), _BLOCK))
    parts = [_block(found, truth, *block) for block in zip(np.split(index, cuts), np.split(counts, cuts), strict=True)]
    return Overlaps(
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.iou for part in parts]),
        np.concatenate([part.covered for part in parts]),
    )


def _block(found: Row, truth: Row, index: NDArray[np.int64], counts: NDArray[np.int64]) -> Overlaps:
    """Overlaps of the found boxes ``index`` (B,), whose images have ``counts`` (B,) true boxes."""
    f = np.repeat(index, counts)
    # The first true box of the image, and how many of it were passed already.
    base = truth.start[found.image[index]] - (np.cumsum(counts) - counts)
    t = np.repeat(base, counts) + np.arange(len(f))
    a, b = found.corners, truth.corners
    wide = np.minimum(a[2][f], b[2][t]) - np.maximum(a[0][f], b[0][t])
    high = np.minimum(a[3][f], b[3][t]) - np.maximum(a[1][f], b[1][t])
    near = (wide > 0) & (high > 0)
    f, t, shared = f[near], t[near], wide[near] * high[near]
    own = found.areas[f]
    return Overlaps(f, t, shared / (own + truth.areas[t] - shared), shared / own)
