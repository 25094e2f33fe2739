"""Test-time augmentation: a detector sees every image also mirrored and at other scales, and its answers are fused.

Boxes are fused by Weighted Boxes Fusion (Solovyev, Wang and Gabruseva 2021, arXiv:1910.13302), one vote a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from artdet.detections import Detections
from artdet.detectors.base import Augmentation, ScalableDetector
from artdet.ensemble.fusion import FusionSettings, Voter, fuse
from artdet.images import RGBImage
from artdet.taxonomy import Taxonomy

FLOOR_SHARE = 0.25
"""Views keep boxes down to this share of the member's ``min_score``: what one view doubts, others may be sure of."""


class AugmentedDetector:
    """A detector on several views of every image. It is a ``Detector`` itself.

    A fused box has the mean score of all views, 0 for those that miss it, and the boxes' mean weighted by their scores.
    """

    def __init__(
        self,
        detector: ScalableDetector,
        augmentation: Augmentation,
        *,
        taxonomy: Taxonomy,
        per: Literal["category", "label"] = "category",
        min_score: float = 0.0,
    ) -> None:
        """Views are made from the detector as it is.

        Args:
            detector: gives boxes down to :func:`view_min_score`.
            augmentation: says which views, and what overlap makes their boxes one.
            taxonomy: of the detector's labels.
            per: which boxes can be one object; see :class:`artdet.ensemble.fusion.FusionSettings`.
            min_score: fused boxes below it are dropped.
        """
        self._views = [detector if ratio == 1 else detector.at_scale(ratio) for ratio in augmentation.scales]
        self._flip = augmentation.flip
        self._taxonomy = taxonomy
        self._fusion = FusionSettings(method="wbf", per=per, iou=augmentation.iou)
        self._min_score = min_score
        self._max_detections = detector.max_detections
        self.labels = detector.labels

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Fused boxes of each image, RGB uint8 (H, W, 3), in pixels of that image."""
        mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in images] if self._flip else []
        views: list[list[Detections]] = [[] for _ in images]
        for detector in self._views:
            # All in one call, so that the detector's batches and queues are full.
            found = detector.detect([*images, *mirrored])
            for index, seen in enumerate(found):
                views[index % len(images)].append(seen if index < len(images) else flipped(seen))
        return [self._fused(per_view) for per_view in views]

    def _fused(self, per_view: Sequence[Detections]) -> Detections:
        if len(per_view) == 1:
            return per_view[0][per_view[0].scores >= self._min_score]
        voters = [Voter(self.labels)] * len(per_view)
        fused = fuse(per_view, voters=voters, settings=self._fusion, taxonomy=self._taxonomy)
        return fused[fused.scores >= self._min_score][: self._max_detections]


def view_min_score(min_score: float) -> float:
    """What boxes of a single view must score, where fused boxes must score ``min_score``."""
    return FLOOR_SHARE * min_score


def flipped(found: Detections) -> Detections:
    """The same boxes on the mirror image, left and right exchanged.

    >>> flipped(Detections.of([[1, 2, 4, 6]], 0.5, 0, (8, 10))).boxes.tolist()
    [[6.0, 2.0, 9.0, 6.0]]
    """
    width = found.image_size[1]
    boxes = found.boxes.copy()
    boxes[:, [0, 2]] = width - found.boxes[:, [2, 0]]
    return Detections.of(boxes, found.scores, found.labels, found.image_size, sources=found.sources)
