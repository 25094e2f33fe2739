"""Pictures in, boxes out: what surrounds NudeNet's network, a YOLOv8n in ONNX."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from artdet.boxes import nms
from artdet.detections import Detections
from artdet.detectors.base import to_detections
from artdet.detectors.nudity import Settings
from artdet.detectors.yolo_outputs import candidates
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID

SCORE_FLOOR = 0.01
"""Candidates below it are never worth keeping, and there are thousands of them."""


class Network(Protocol):
    """What this module uses of an ONNX Runtime session."""

    def run(self, names: None, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Input (1, 3, S, S) RGB in [0, 1] -> [(1, 4 + classes, A)]: centre, size, then a score per class."""


def open_session(path: Path, *, threads: int) -> tuple[Network, list[str]]:
    """The network and its class names in the order of its outputs.

    Raises:
        ModelError: if the file is damaged or names no classes.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
        return session, [str(names[index]) for index in range(len(names))]
    except Exception as error:  # ONNX Runtime's exceptions share no base of their own
        raise ModelError(f"{path} cannot be read ({error}). Install nudenet again.") from error


def network_input(image: RGBImage, size: int) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Scales the longer side to ``size`` pixels and fills with black below and on the right.

    Args:
        image: RGB uint8 (H, W, 3).
        size: side of the square input in pixels.

    Returns:
        (1, 3, size, size), RGB in [0, 1], and the scale in x and in y.
    """
    height, width = image.shape[:2]
    ratio = size / max(height, width)
    new_height, new_width = max(1, round(height * ratio)), max(1, round(width * ratio))
    square = np.zeros((size, size, 3), dtype=np.uint8)
    square[:new_height, :new_width] = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    planes = square.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    return planes, (new_width / width, new_height / height)


def boxes_of(
    output: NDArray[np.float32], *, floor: float, nms_iou: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """The boxes that suppression over all classes leaves.

    Args:
        output: (4 + classes, A): centre x, centre y, width, height, then a score per class.
        floor: candidates whose best score is lower are dropped.
        nms_iou: boxes that overlap a better one by more are dropped.

    Returns:
        Boxes (N, 4) xyxy in pixels of the input, scores (N,), class indices (N,).
    """
    boxes, scores, classes = candidates(output, floor)
    keep = nms(boxes, scores, nms_iou)
    return boxes[keep], scores[keep], classes[keep]


class NudityDetector:
    """NudeNet as a detector; one image at a time, so that results do not depend on the batch."""

    def __init__(self, network: Network, settings: Settings, class_ids: NDArray[np.int64]) -> None:
        """``class_ids`` (C,): taxonomy id of each class of the network."""
        self._network = network
        self._settings = settings
        self._class_ids = class_ids
        self.labels = frozenset(int(label) for label in class_ids if label != IGNORED_ID)

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Boxes of each image, RGB uint8 (H, W, 3)."""
        return [self._detect(image) for image in images]

    def _detect(self, image: RGBImage) -> Detections:
        own = self._settings
        planes, (x, y) = network_input(image, own.image_size)
        output = self._network.run(None, {"images": planes})[0][0]
        boxes, scores, classes = boxes_of(output, floor=max(own.min_score, SCORE_FLOOR), nms_iou=own.nms_iou)
        return to_detections(
            boxes * np.array([1 / x, 1 / y, 1 / x, 1 / y], dtype=np.float32),
            scores,
            classes,
            class_ids=self._class_ids,
            image_size=(image.shape[0], image.shape[1]),
            min_score=own.min_score,
        )
