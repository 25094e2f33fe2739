"""From pictures to a YOLO network's inputs, and from its outputs back to boxes on the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from artdet.boxes import nms
from artdet.detections import Detections
from artdet.detectors.base import to_detections
from artdet.detectors.yolo import Settings
from artdet.detectors.yolo_engines import Engine, Output
from artdet.detectors.yolo_outputs import candidates
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID

GREY = 114
"""What letterboxing fills with, as in training by ultralytics."""

SCORE_FLOOR = 0.001
"""Candidates below it are never worth keeping, and there are thousands of them."""


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in a letterboxed input: scaled by (``x``, ``y``), then moved by (``left``, ``top``)."""

    x: float
    y: float
    left: int
    top: int

    def to_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) xyxy in pixels of the input -> in pixels of the picture."""
        shift = np.array([self.left, self.top, self.left, self.top], dtype=np.float32)
        scale = np.array([self.x, self.y, self.x, self.y], dtype=np.float32)
        placed: NDArray[np.float32] = (boxes - shift) / scale
        return placed


def letterbox(image: RGBImage, size: int, stride: int) -> tuple[RGBImage, Placement]:
    """Scales the longer side to ``size`` pixels and pads both to multiples of ``stride``, the picture in the middle.

    Args:
        image: RGB uint8 (H, W, 3).
    """
    height, width = image.shape[:2]
    ratio = size / max(height, width)
    new_height, new_width = max(1, round(height * ratio)), max(1, round(width * ratio))
    if (new_height, new_width) != (height, width):
        image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    full_height, full_width = -(-new_height // stride) * stride, -(-new_width // stride) * stride
    top, left = (full_height - new_height) // 2, (full_width - new_width) // 2
    boxed = np.full((full_height, full_width, 3), GREY, dtype=np.uint8)
    boxed[top : top + new_height, left : left + new_width] = image
    return boxed, Placement(new_width / width, new_height / height, left, top)


class YoloDetector:
    """A YOLO network as a detector.

    Args:
        engine: runs it.
        settings: of the member.
        class_ids: (C,), taxonomy id of each class of the network.
        categories: (C,), taxonomy id of the category of each: of boxes that overlap in one, one label stays; see
            :func:`artdet.detectors.yolo.categories_of`.
        image_size: in pixels of the longer side.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        class_ids: NDArray[np.int64],
        categories: NDArray[np.int64],
        *,
        image_size: int,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._class_ids = class_ids
        self._categories = categories
        is_category = class_ids == categories
        self._below = is_category[:, None] & ~is_category & (categories[:, None] == categories)
        self._image_size = -(-image_size // engine.info.stride) * engine.info.stride
        self.labels = frozenset(int(label) for label in class_ids if label != IGNORED_ID)

    @property
    def max_detections(self) -> int:
        """It gives at most so many boxes an image."""
        return self._settings.max_detections

    def at_scale(self, ratio: float) -> YoloDetector:
        """The same network on inputs ``ratio`` times as large, rounded to its stride."""
        stride = self._engine.info.stride
        size = max(1, round(self._image_size * ratio / stride)) * stride
        return YoloDetector(self._engine, self._settings, self._class_ids, self._categories, image_size=size)

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Boxes of each image, RGB uint8 (H, W, 3)."""
        placements: list[Placement] = []

        def inputs() -> Iterator[RGBImage]:
            for image in images:
                boxed, placement = letterbox(image, self._image_size, self._engine.info.stride)
                placements.append(placement)
                yield boxed

        outputs = dict(self._engine.infer(inputs()))
        return [
            self._to_detections(outputs[index], placements[index], (image.shape[0], image.shape[1]))
            for index, image in enumerate(images)
        ]

    def _to_detections(self, output: Output, placement: Placement, image_size: tuple[int, int]) -> Detections:
        own = self._settings
        if self._engine.info.end_to_end:
            boxes, scores, classes = output[:, :4], output[:, 4], output[:, 5].astype(np.int64)
        else:
            boxes, scores, classes = candidates(output, max(own.min_score, SCORE_FLOOR), self._below)
            keep = nms(boxes, scores, own.nms_iou, groups=self._categories[classes])[: own.max_detections]
            boxes, scores, classes = boxes[keep], scores[keep], classes[keep]
        return to_detections(
            placement.to_picture(boxes),
            scores,
            classes,
            class_ids=self._class_ids,
            image_size=image_size,
            min_score=max(own.min_score, SCORE_FLOOR),
        )
