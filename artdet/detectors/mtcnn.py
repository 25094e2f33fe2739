"""MTCNN: three small networks, each of which looks closer at what the one before it let through.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.
The arithmetic is that of the ``mtcnn`` package 1.0.0, so that the same weights find the same faces. Two of its habits
differ from the textbook: a box is suppressed by any better box that overlaps it, also by one that is itself
suppressed; and a crop samples pixel centres from corner to corner, with mid-grey outside the image.

Boxes are float64 (N, 4), xyxy in pixels. R- and O-Net move a box by shares of x2 - x1 + 1, because they were trained
on inclusive pixels; the package reports x2 - x1 as the width of a face, and so does artdet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from artdet.detections import Detections
from artdet.detectors.base import to_detections
from artdet.detectors.mtcnn_networks import ProposalNet
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID

Floats = NDArray[np.float64]

SMALLEST_LEVEL = 12 * 0.6 * 0.709**-1.5
"""Shorter side, in pixels, that a pyramid level has at least: 12.06, where the package's rounding puts its end."""

FLOAT_PIXELS = 64_000_000
"""Larger images are shrunk in 8 bits instead of float32, which needs a quarter of the memory."""

STRIP_PIXELS = 300_000
"""P-Net runs over strips of about this size: they stay in the cache (6 times faster on 6 megapixels), bound memory."""

GRAIN = 32
"""Strips are filled up to multiples of so many pixels ..."""

CROPS = 16
"""... and crops to multiples of so many: for each new size torch prepares its convolutions anew and keeps them."""

PAIRS = 500_000
"""About so many pairs of boxes are compared at once."""


@dataclass(frozen=True)
class Candidates:
    """Possible faces of one image: ``boxes`` (N, 4) xyxy and ``scores`` (N,), best first."""

    boxes: Floats
    scores: Floats

    @classmethod
    def ranked(cls, boxes: Floats, scores: Floats) -> Candidates:
        """Sorts by score."""
        order = np.argsort(-scores, kind="stable")
        return cls(boxes[order], scores[order])

    def suppressed(self, threshold: float, kind: Literal["union", "smaller"] = "union") -> Candidates:
        """Without the boxes that overlap a better one by more than ``threshold``."""
        keep = ~overlaps_better(self.boxes, threshold, kind)
        return Candidates(self.boxes[keep], self.scores[keep])

    def squared(self) -> Candidates:
        """With boxes widened to squares around their centres."""
        return Candidates(squares(self.boxes), self.scores)


@dataclass(frozen=True)
class Cascade:
    """The networks and what decides what they let through.

    Attributes:
        proposal, refine, output: the networks, on ``device``.
        thresholds: lowest face probability that P-, R- and O-Net let through.
        min_face: shortest side in pixels of a face that is looked for.
        scale_factor: side of a pyramid level in sides of the level before.
        device: where the networks are.
    """

    proposal: nn.Module
    refine: nn.Module
    output: nn.Module
    thresholds: tuple[float, float, float]
    min_face: float
    scale_factor: float
    device: str


class MtcnnDetector:
    """Finds faces.

    The images of a batch are processed one by one: the sums inside a convolution or a matrix product depend on the
    batch in their last digits, and a run that is stopped and continued must give the same numbers. Within an image
    the crops go through a network together. Threads of torch and OpenCV are left as the caller set them.
    """

    def __init__(self, cascade: Cascade, class_ids: NDArray[np.int64], *, min_score: float = 0.0) -> None:
        """``class_ids`` (1,) is the taxonomy id of a face; boxes that score below ``min_score`` are dropped."""
        self._cascade = cascade
        self._class_ids = class_ids
        self._min_score = min_score
        self.labels = frozenset(int(i) for i in class_ids if i != IGNORED_ID)

    @torch.inference_mode()
    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Faces in each image, RGB uint8 (H, W, 3)."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGBImage) -> Detections:
        found = faces(np.ascontiguousarray(image), self._cascade)
        return to_detections(
            found.boxes.astype(np.float32),
            found.scores.astype(np.float32),
            np.zeros(len(found.scores), dtype=np.int64),
            class_ids=self._class_ids,
            image_size=(int(image.shape[0]), int(image.shape[1])),
            min_score=self._min_score,
        )


def faces(image: RGBImage, cascade: Cascade) -> Candidates:
    """All three stages on an image RGB uint8 (H, W, 3)."""
    found = _proposals(image, cascade).suppressed(0.7).squared()
    found = _looked_at_again(image, found, cascade, stage=1).suppressed(0.7).squared()
    return _looked_at_again(image, found, cascade, stage=2).suppressed(0.7, "smaller")


def pyramid(size: tuple[int, int], min_face: float, scale_factor: float) -> list[float]:
    """Scales at which P-Net's window covers faces from ``min_face`` pixels up to the whole image (height, width).

    >>> [round(scale, 3) for scale in pyramid((40, 60), 20, 0.709)]
    [0.6, 0.425, 0.302]
    """
    first = ProposalNet.WINDOW / min_face
    if min(size) * first < SMALLEST_LEVEL:
        return []
    count = int(np.log(min(size) * first / SMALLEST_LEVEL) / -np.log(scale_factor)) + 1
    return [float(scale) for scale in first * scale_factor ** np.arange(count)]


def overlaps_better(boxes: Floats, threshold: float, kind: Literal["union", "smaller"]) -> NDArray[np.bool_]:
    """Whether each box (N, 4), best first, shares more than ``threshold`` with any box before it.

    Args:
        boxes: xyxy; here, as in the package, sides are x2 - x1.
        threshold: share of the union of both boxes, or of the smaller one.
        kind: what is shared.
    """
    marks = np.zeros(len(boxes), dtype=bool)
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    areas = np.maximum(0, x2 - x1) * np.maximum(0, y2 - y1)
    # A large picture has tens of thousands of proposals: boxes of like size and height are compared together, and
    # only with those that share a row of pixels with one of them.
    order = np.lexsort((y1, np.log2(np.maximum(1, y2 - y1)).astype(np.int64)))
    rows = int(np.clip(PAIRS // max(1, len(boxes)), 16, 256))
    for start in range(0, len(boxes), rows):
        own = order[start : start + rows]
        near = np.nonzero((y2 > y1[own].min()) & (y1 < y2[own].max()))[0]
        mine = own[:, None]
        width = np.minimum(x2[mine], x2[near]) - np.maximum(x1[mine], x1[near])
        height = np.minimum(y2[mine], y2[near]) - np.maximum(y1[mine], y1[near])
        shared = np.maximum(0, width) * np.maximum(0, height)
        whole = areas[mine] + areas[near] - shared if kind == "union" else np.minimum(areas[mine], areas[near])
        marks[own] = ((shared > threshold * whole) & (near < mine)).any(axis=1)
    return marks


def squares(boxes: Floats) -> Floats:
    """Boxes (N, 4) xyxy with the shorter sides widened around their centres."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides * 0.5 - longest * 0.5
    return np.concatenate([corners, corners + longest], axis=1)


def crops(image: RGBImage, boxes: Floats, side: int) -> NDArray[np.float32]:
    """What lies in boxes (N, 4) of an image RGB uint8 (H, W, 3), resized and normalised.

    Returns:
        (N, side, side, 3); 0, which is mid-grey, where a box leaves the image.
    """
    height, width = image.shape[:2]
    top, bottom, down, outside_y = _samples(boxes[:, 1], boxes[:, 3], height, side)
    left, right, across, outside_x = _samples(boxes[:, 0], boxes[:, 2], width, side)
    pixels = image.reshape(-1, 3)
    across, down = across[:, None, :, None], down[:, :, None, None]

    def row(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        starts = rows[:, :, None] * width
        first = pixels.take(starts + left[:, None, :], axis=0).astype(np.float32)
        mixed: NDArray[np.float32] = first + (pixels.take(starts + right[:, None, :], axis=0) - first) * across
        return mixed

    upper = row(top)
    values = _normalised(upper + (row(bottom) - upper) * down)
    values[outside_y[:, :, None] | outside_x[:, None, :]] = 0
    return values


def _samples(low: Floats, high: Floats, length: int, side: int) -> tuple[NDArray[Any], ...]:
    """Where to sample one axis: pixels before and after (N, side), the weight of the latter, and what is outside."""
    steps = np.arange(side) / (side - 1)
    places = (low[:, None] + (high - low)[:, None] * steps) * ((length - 1) / length)
    outside = (places < 0) | (places > length - 1)
    inside = np.clip(places, 0, length - 1)
    before = np.floor(inside).astype(np.int64)
    return before, np.ceil(inside).astype(np.int64), (inside - before).astype(np.float32), outside


def _normalised(values: NDArray[Any]) -> NDArray[np.float32]:
    scaled = np.array(values, dtype=np.float32)
    scaled -= 127.5
    scaled /= 128
    return scaled


def _proposals(image: RGBImage, cascade: Cascade) -> Candidates:
    """P-Net's windows, after suppression within each level of the pyramid."""
    height, width = image.shape[:2]
    source = image.astype(np.float32) if height * width <= FLOAT_PIXELS else image
    boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
    for scale in pyramid((height, width), cascade.min_face, cascade.scale_factor):
        level = cv2.resize(source, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA)
        found = _windows(level, scale, cascade).suppressed(0.5)
        boxes.append(found.boxes)
        scores.append(found.scores)
    return Candidates.ranked(np.concatenate(boxes), np.concatenate(scores))


def _windows(level: NDArray[Any], scale: float, cascade: Cascade) -> Candidates:
    """Windows that P-Net takes for faces in one level (h, w, 3) of a pyramid, in pixels of the image."""
    boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
    for top, strip in _strips(level):
        height, width = strip.shape[:2]
        rows, columns = _places(height), _places(width)
        outputs = _run(cascade.proposal, _filled_up(strip)[None], cascade.device, height, width)
        offsets, probabilities = (part[0][..., :rows, :columns] for part in outputs)
        y, x = np.nonzero(probabilities > cascade.thresholds[0])
        corners = np.stack([x, y + top], axis=1) * ProposalNet.STRIDE + 1.0
        moves = offsets[:, y, x].T * (ProposalNet.WINDOW - 1)
        boxes.append((np.concatenate([corners, corners + (ProposalNet.WINDOW - 1)], axis=1) + moves) / scale)
        scores.append(probabilities[y, x].astype(np.float64))
    return Candidates.ranked(np.concatenate(boxes), np.concatenate(scores))


def _strips(level: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cuts a level (h, w, 3) so that each row of P-Net's windows falls in one strip; with the strip's first row."""
    height, width = level.shape[:2]
    rows = _places(height)
    step = max(1, STRIP_PIXELS // (ProposalNet.STRIDE * width))
    for first in range(0, rows, step):
        stop = min(first + step, rows) * ProposalNet.STRIDE + (ProposalNet.WINDOW - ProposalNet.STRIDE)
        yield first, _normalised(level[first * ProposalNet.STRIDE : stop])


def _places(length: int) -> int:
    """How many windows P-Net sets along a side of ``length`` pixels."""
    return (length - ProposalNet.WINDOW + 1) // ProposalNet.STRIDE + 1


def _filled_up(strip: NDArray[np.float32]) -> NDArray[np.float32]:
    """A strip (h, w, 3) with grey below and to the right, up to a multiple of ``GRAIN`` pixels."""
    height, width = strip.shape[:2]
    filled = np.zeros((-(-height // GRAIN) * GRAIN, -(-width // GRAIN) * GRAIN, 3), dtype=np.float32)
    filled[:height, :width] = strip
    return filled


def _looked_at_again(image: RGBImage, before: Candidates, cascade: Cascade, *, stage: int) -> Candidates:
    """Boxes moved and scored by R-Net (stage 1) or O-Net (stage 2), if they score above the stage's threshold."""
    network, side, at_once = (cascade.refine, 24, 256) if stage == 1 else (cascade.output, 48, 64)
    offsets, scores = np.zeros_like(before.boxes), np.zeros_like(before.scores)
    for start in range(0, len(scores), at_once):
        part = slice(start, start + at_once)
        seen = crops(image, before.boxes[part], side)
        filled = np.zeros((-(-len(seen) // CROPS) * CROPS, side, side, 3), dtype=np.float32)
        filled[: len(seen)] = seen
        outputs = _run(network, filled, cascade.device)
        offsets[part], scores[part] = (values[: len(seen)] for values in outputs)
    sides = before.boxes[:, 2:] - before.boxes[:, :2] + 1
    keep = scores > cascade.thresholds[stage]
    return Candidates.ranked((before.boxes + offsets * np.tile(sides, 2))[keep], scores[keep])


def _run(
    network: nn.Module, images: NDArray[np.float32], device: str, *sizes: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Offsets and probabilities for images (B, h, w, 3), normalised; P-Net wants the sizes of the pictures too."""
    # Seen as (B, 3, h, w), the array is in the channels-last order of the networks already.
    offsets, probabilities = network(torch.from_numpy(images).permute(0, 3, 1, 2).to(device), *sizes)
    return offsets.cpu().numpy(), probabilities.cpu().numpy()
