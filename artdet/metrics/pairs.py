"""What is compared: the found and the true boxes of one image, with labels of one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.detections import Detections


@dataclass(frozen=True, eq=False)
class Pair:
    """Found and true boxes of one image, without those that are neither hit nor miss by their class.

    Attributes:
        found: the predictions.
        truth: the true boxes, on an image of the same size.
        crowd: bool (M,) of ``truth``: any number of predictions may lie in it (intersection over the prediction's own
            area), none of them counts, and missing it costs nothing.
        difficult: bool (M,) of ``truth``: a prediction that fits it does not count, missing it costs nothing.
    """

    found: Detections
    truth: Detections
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Bool (M,): true boxes that are neither hit nor miss."""
        return self.crowd | self.difficult


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """How the boxes of one class fared at T thresholds of intersection over union, over all images.

    Attributes:
        scores: float64 (D,), highest first; ties in the order of images, then of boxes (a stable sort, as COCO has it).
        image: int64 (D,), index of each prediction's pair.
        box: int64 (D,), its index in that pair's ``found``.
        hit: bool (T, D), whether it was matched with a true box that counts.
        ignored: bool (T, D), whether it counts as nothing: matched with a crowd or a difficult box.
        truth: int64 (T, D), index in that pair's ``truth`` of the box that it was matched with, or -1.
        truth_image: int64 (G,), index of the pair of each true box of this class, ignored ones included.
        truth_box: int64 (G,), its index in that pair's ``truth``.
        truth_ignored: bool (G,).
        found_by: int64 (T, G), the row (0..D-1) of the prediction that matched it, or -1.
    """

    scores: NDArray[np.float64]
    image: NDArray[np.int64]
    box: NDArray[np.int64]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    truth: NDArray[np.int64]
    truth_image: NDArray[np.int64]
    truth_box: NDArray[np.int64]
    truth_ignored: NDArray[np.bool_]
    found_by: NDArray[np.int64]

    @property
    def positives(self) -> int:
        """How many true boxes are to be found."""
        return int((~self.truth_ignored).sum())


@dataclass(frozen=True, eq=False)
class Matches:
    """The matches of all classes.

    Attributes:
        ious: float64 (T,), the thresholds.
        images: how many pairs there are.
        classes: taxonomy id -> its matches; also for classes without any box.
    """

    ious: NDArray[np.float64]
    images: int
    classes: dict[int, ClassMatches]

    def at(self, iou: float) -> int:
        """The index of a threshold.

        Raises:
            ValueError: if it is none of ``ious``.
        """
        near = np.flatnonzero(np.isclose(self.ious, iou))
        if len(near) != 1:
            raise ValueError(f"{iou} is none of the thresholds {self.ious.tolist()}")
        return int(near[0])


Pairs = Sequence[Pair]
COCO_IOUS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
"""The ten thresholds over which COCO's AP is averaged."""
MAX_DETECTIONS = 100
"""Predictions of one class in one image that count, the best first, as COCO has it."""
